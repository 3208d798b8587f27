import fc from 'fast-check';
import { expect, test } from 'vitest';
import { email } from '../../src/channels/email.ts';
import { parseMailAddress } from '../../src/domain/mail-address.ts';
import { compiledMail, issuesOf, MESSAGE, NOW_MS, storedOf } from '../channels/support.ts';
import { openMail, openServer } from './mail-harness.ts';

// Criterion 3 of the channels' issue: whatever is configured, the envelope is the configured list, or the config is refused.

const ATOM = fc.string({ unit: fc.constantFrom(...Array.from("abcXYZ019!#$%&'*+/=?^_`{|}~-")), minLength: 1, maxLength: 10 });
const LOCAL = fc.array(ATOM, { minLength: 1, maxLength: 4 }).map((atoms) => atoms.join('.'));
const DOMAIN = fc
  .array(fc.constantFrom('example', 'com', 'bücher', 'MAIL', 'a-b', 'xn--bcher-kva', '0a'), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join('.'));
const PLAIN = fc.tuple(LOCAL, DOMAIN).map(([local, domain]) => `${local}@${domain}`);
const ODD = fc.constantFrom(
  'x@example.com\r\nRCPT TO:<y@evil.example>',
  'x@example.com> NOTIFY=NEVER',
  '<x@example.com>',
  'X <x@example.com>',
  'all:x@example.com;',
  'x@example.com,y@evil.example',
  '"x\r\n.\r\n"@example.com',
  'x(y@evil.example)@example.com',
  '=?utf-8?q?=3Cx?=@evil.example',
);

test('1,000 configs: the envelope is the list, or the config is refused', { timeout: 120_000 }, async () => {
  const server = await openServer({ user: 'user', pass: 'pass' });
  const mail = openMail(server.port);
  let sent = 0;
  const config = fc.record({
    fromAddr: fc.oneof({ weight: 20, arbitrary: PLAIN }, ODD),
    toAddrs: fc.array(fc.oneof({ weight: 60, arbitrary: PLAIN }, ODD), { minLength: 1, maxLength: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(config, async ({ fromAddr, toAddrs }) => {
      const input = { smtpHost: 'smtp.example.com', smtpPort: 587, smtpUser: 'user', smtpPass: 'pass', fromAddr, toAddrs };
      const wanted = toAddrs.map((address) => parseMailAddress(address));
      const isValid = parseMailAddress(fromAddr) !== null && wanted.every((address) => address !== null) && new Set(wanted).size === wanted.length;
      expect(issuesOf(email, input).length === 0).toBe(isValid);
      if (!isValid) return;
      const before = server.mails.length;
      const result = await mail.send(compiledMail(email, storedOf(email, input)).compose(MESSAGE, NOW_MS));
      expect(result).toMatchObject({ ok: true, replies: wanted.map((recipient) => ({ recipient, code: 250 })) });
      expect(server.mails.slice(before)).toMatchObject([{ from: parseMailAddress(fromAddr), to: wanted }]);
      sent += 1;
    }),
    { numRuns: 1_000 },
  );
  // Most of them were sent: the test is about envelopes, not about refusals.
  expect(sent).toBeGreaterThan(500);
});
