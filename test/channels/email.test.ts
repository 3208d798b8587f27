import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GivenValues } from '../../src/channels/config.ts';
import { email } from '../../src/channels/email.ts';
import type { DeliveryMessage } from '../../src/channels/message.ts';
import { createSend } from '../../src/channels/send.ts';
import { type MailResult, SEND_FAILURES } from '../../src/domain/ports.ts';
import { SECRET_MASK } from '../../src/lib/secret.ts';
import { composeMessage } from '../../src/net/mail-message.ts';
import { createManualClock } from '../support/clock.ts';
import { HOSTILE } from './chat-fixtures.ts';
import { compiledMail, issuesOf, MESSAGE, NO_HTTP, NOW_MS, scriptedMail, storedOf } from './support.ts';

const INPUT = {
  smtpHost: 'smtp.example.com',
  smtpPort: 587,
  smtpUser: 'tocsin@example.com',
  smtpPass: 'a pass/word+"ü"',
  toAddrs: ['a@example.com', 'b@example.com'],
};

function compose(input: GivenValues = {}, message: DeliveryMessage = MESSAGE) {
  return compiledMail(email, storedOf(email, { ...INPUT, ...input })).compose(message, NOW_MS);
}

async function bytesOf(message: DeliveryMessage): Promise<string> {
  return (await composeMessage(compose({}, message))).toString('latin1');
}

/** Line ends of files are git's affair; another test looks at those of mails. */
function goldenOf(bytes: string): string {
  return bytes.replaceAll('\r\n', '\n');
}

describe('the config', () => {
  test.each([
    [465, true, 'IMPLICIT', true],
    [587, true, 'STARTTLS', true],
    [2525, true, 'STARTTLS', true],
    [25, true, 'STARTTLS', false],
    [25, false, 'NONE', false],
  ])('port %i, TLS %s: %s, AUTH demanded: %s', (smtpPort, smtpTls, tls, isDemanded) => {
    expect(compose({ smtpPort, smtpTls })).toMatchObject({ server: { host: 'smtp.example.com', port: smtpPort, tls }, auth: { isDemanded } });
  });

  test('TLS is on where nothing is said, From is the user, names are in ASCII', () => {
    expect(compose({ smtpHost: 'Smtp.Bücher.example', toAddrs: ['A.b@Bücher.example'] })).toMatchObject({
      server: { host: 'smtp.xn--bcher-kva.example', tls: 'STARTTLS' },
      auth: { user: INPUT.smtpUser, pass: INPUT.smtpPass },
      from: 'tocsin@example.com',
      recipients: ['A.b@xn--bcher-kva.example'],
    });
    expect(compose({ smtpUser: 'apikey', fromAddr: 'alerts@example.com' })).toMatchObject({ from: 'alerts@example.com', auth: { user: 'apikey' } });
  });

  const fifty = Array.from({ length: 50 }, (_, index) => `r${index}@example.com`);
  test.each([
    ['smtpHost', '127.0.0.1'],
    ['smtpHost', '[::1]'],
    ['smtpHost', '2130706433'],
    ['smtpHost', 'smtp://smtp.example.com'],
    ['smtpHost', 'smtp.example.com:587'],
    ['smtpPort', 6379],
    ['smtpPort', 80],
    ['smtpPort', 587.5],
    ['smtpTls', false],
    ['fromAddr', 'Tocsin <tocsin@example.com>'],
    ['fromAddr', 'a@example.com\r\nBcc: x@evil.example'],
    ['toAddrs', []],
    ['toAddrs', [...fifty, 'r50@example.com']],
  ])('%s: %j is refused at its path', (field, value) => {
    expect(issuesOf(email, { ...INPUT, [field]: value }).map(({ path }) => path)).toEqual([`config.email.${field}`]);
  });

  test('each address is refused at its own path, and none is repeated in the words', () => {
    const issues = issuesOf(email, { ...INPUT, toAddrs: ['ok@example.com', 'two@example.com,three@example.com', 'x\r\n@example.com'] });
    expect(issues.map(({ path }) => path)).toEqual(['config.email.toAddrs.1', 'config.email.toAddrs.2']);
    expect(JSON.stringify(issues)).not.toContain('three');
    expect(issuesOf(email, { ...INPUT, toAddrs: ['a@example.com', 'b@example.com', 'a@EXAMPLE.com'] })).toEqual([
      { path: 'config.email.toAddrs.2', message: 'is the address of an earlier item' },
    ]);
  });

  test('fifty addresses are taken', () => {
    expect(issuesOf(email, { ...INPUT, toAddrs: fifty })).toEqual([]);
  });

  test('From is required where the user is no address', () => {
    expect(issuesOf(email, { ...INPUT, smtpUser: 'apikey' })).toEqual([
      { path: 'config.email.fromAddr', message: expect.stringContaining('is required where smtpUser is none') },
    ]);
  });

  test('the password must be given anew where it would go elsewhere, or unprotected', () => {
    const before = storedOf(email, { ...INPUT, smtpPort: 25 });
    for (const change of [{ smtpHost: 'smtp.example.org' }, { smtpPort: 2525 }, { smtpTls: false }]) {
      expect(issuesOf(email, change, before).map(({ path }) => path)).toEqual(['config.email.smtpPass']);
      expect(issuesOf(email, { ...change, smtpPass: SECRET_MASK }, before).map(({ path }) => path)).toEqual(['config.email.smtpPass']);
      expect(issuesOf(email, { ...change, smtpPass: 'new' }, before)).toEqual([]);
    }
    expect(issuesOf(email, { toAddrs: ['c@example.com'], fromAddr: 'x@example.com', smtpPass: '' }, before)).toEqual([]);
    expect(issuesOf(email, { smtpTls: true }, storedOf(email, { ...INPUT, smtpPort: 25, smtpTls: false }))).toEqual([]);
  });
});

describe('the mail', () => {
  test('as it leaves', async () => {
    await expect(goldenOf(await bytesOf(MESSAGE))).toMatchFileSnapshot('./golden/email/task.failed.txt');
  });

  test.each(['task.succeeded', 'agent.offline', 'z4j.test'] as const)('%s as it leaves, with nothing more than it needs', async (trigger) => {
    const message = { ...MESSAGE, trigger, exception: null, traceback: null, suppressedCount: 0, suppressedSinceMs: null, url: null, runtimeMs: null };
    await expect(goldenOf(await bytesOf(message))).toMatchFileSnapshot(`./golden/email/${trigger}.txt`);
  });

  test('its headers', async () => {
    const [head = ''] = (await bytesOf(MESSAGE)).split('\r\n\r\n');
    expect(head).toContain('Subject: [tocsin] Task failed: billing.run (my-project)');
    expect(head.replaceAll(/\r\n\s+/g, ' ')).toContain(`Message-ID: <${MESSAGE.deliveryId}@example.com>`);
    expect(head).toContain('Auto-Submitted: auto-generated');
    expect(head).toContain('Date: Tue, 24 Nov 2026 12:00:00 +0000');
    expect(head).toContain('From: tocsin@example.com');
    expect(head).toContain('To: a@example.com, b@example.com');
    expect(head).not.toMatch(/^(?:Bcc|X-Mailer|Disposition-Notification-To|Return-Receipt-To):/im);
  });

  test('a retry differs in its date alone', async () => {
    const channel = compiledMail(email, storedOf(email, INPUT));
    const [first, second] = await Promise.all([NOW_MS, NOW_MS + 86_400_000].map((at) => composeMessage(channel.compose(MESSAGE, at))));
    const withoutDate = (bytes: Buffer | undefined): string => String(bytes).replace(/^Date: .*$/m, '');
    expect(withoutDate(second)).toBe(withoutDate(first));
    expect(String(second)).not.toBe(String(first));
  });

  test('HTML holds what the event says as text alone', () => {
    for (const hostile of HOSTILE) {
      const text = `${hostile}</pre></p><script>x</script><img src=x onerror=y>"'&amp;`;
      const { html } = compose({}, { ...MESSAGE, taskName: text, exception: text, traceback: text, queue: text, agent: text, taskId: text, projectSlug: 'x' });
      const tags = [...html.matchAll(/<(\/?[a-z0-9!]+)/gi)].map(([, tag]) => tag);
      expect(new Set(tags)).toEqual(
        new Set(['!doctype', 'html', 'head', 'meta', '/head', 'body', 'h1', '/h1', 'p', '/p', 'pre', '/pre', 'a', '/a', 'b', '/b', 'br', '/body', '/html']),
      );
      expect(tags.filter((tag) => tag === 'pre').length).toBe(2);
      expect(html).not.toMatch(/<(?:script|img)|src=x onerror=y>(?!&|")/);
    }
  });

  test('a link is http or https, and the only one', () => {
    expect(compose({}, { ...MESSAGE, url: 'javascript:alert(1)' }).html).not.toContain('href');
    const { html } = compose({}, { ...MESSAGE, url: 'https://x.example/?a=1&b="><b>' });
    expect([...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual(['https://x.example/?a=1&amp;b=%22%3E%3Cb%3E']);
  });

  test('long texts are cut on code points, the project stays in the subject', () => {
    const long = '🧾'.repeat(50_000);
    const mail = compose({}, { ...MESSAGE, taskName: long, exception: long, traceback: long });
    expect(mail.subject.length).toBeLessThan(200);
    expect(mail.subject).toMatch(/^\[tocsin\] Task failed: (?:🧾)+… \(my-project\)$/u);
    for (const text of [mail.subject, mail.text, mail.html]) expect(text.isWellFormed()).toBe(true);
    expect(mail.text.length).toBeLessThan(26_000);
  });

  test('10,000 events, whatever they hold: header lines are header lines, all is ASCII, lines are short', { timeout: 120_000 }, async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom(...HOSTILE),
      fc.constantFrom('\r\nBcc: x@evil.example\r\n\r\n', '\n.\n', '\r.\r', '\0', '\ud800'),
    );
    const event = fc.record({
      taskName: text,
      taskId: text,
      queue: text,
      agent: text,
      exception: text,
      traceback: text,
      projectSlug: fc.constantFrom('my-project', null),
    });
    const names = ['From', 'To', 'Subject', 'Message-ID', 'Date', 'MIME-Version', 'Auto-Submitted', 'Content-Type'];
    await fc.assert(
      fc.asyncProperty(event, async (fields) => {
        const bytes = await bytesOf({ ...MESSAGE, ...fields });
        expect(bytes).toMatch(/^[\r\n\t\x20-\x7e]*$/);
        expect(bytes).not.toMatch(/(?<!\r)\n|\r(?!\n)/);
        expect(Math.max(...bytes.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998);
        const [head = ''] = bytes.split('\r\n\r\n');
        const lines = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
        expect(new Set(lines.map((line) => line.split(':', 1)[0]))).toEqual(new Set(names));
        expect(lines.length).toBe(names.length);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('sending', () => {
  const channel = compiledMail(email, storedOf(email, INPUT));

  function sendWith(result: MailResult, answered?: Record<string, number>) {
    const mail = scriptedMail(() => result);
    return { mail, outcome: createSend({ http: NO_HTTP, mail, clock: createManualClock(NOW_MS), version: '1' })(channel, MESSAGE, answered) };
  }

  test.each(SEND_FAILURES)('no reply: %s', async (failure) => {
    const { outcome } = sendWith({ ok: false, failure, message: 'it did not work' });
    expect(await outcome).toMatchObject({
      outcome: failure === 'EGRESS_REFUSED' ? 'FAILED' : 'RETRY',
      reason: failure,
      statusCode: null,
      error: 'it did not work',
    });
  });

  test('who was answered for good is not sent to again; the header still names all', async () => {
    const { mail, outcome } = sendWith(
      { ok: true, replies: [{ recipient: 'b@example.com', step: 'MESSAGE', code: 250, text: '250 ok' }] },
      { 'a@example.com': 250 },
    );
    expect(await outcome).toMatchObject({ outcome: 'DELIVERED' });
    expect(mail.mails).toMatchObject([{ recipients: ['b@example.com'], headerTo: ['a@example.com', 'b@example.com'] }]);
  });

  test('where nobody is left, nothing is sent', async () => {
    const { mail, outcome } = sendWith({ ok: true, replies: [] }, { 'a@example.com': 250, 'b@example.com': 550 });
    expect(await outcome).toMatchObject({ outcome: 'FAILED', error: 'refused: b@example.com (550)' });
    expect(mail.mails).toEqual([]);
  });

  test.each([
    ['plain', (secret: string) => secret],
    ['base64', (secret: string) => Buffer.from(secret).toString('base64')],
    ['AUTH PLAIN', (secret: string) => Buffer.from(`\0tocsin@example.com\0${secret}`).toString('base64')],
    ['JSON', (secret: string) => JSON.stringify(secret)],
  ])('a server that shows the password again: %s', async (_how, encode) => {
    const text = `535 5.7.8 not with ${encode(INPUT.smtpPass)}`;
    const outcomes = [
      await sendWith({ ok: true, replies: INPUT.toAddrs.map((recipient) => ({ recipient, step: 'AUTH', code: 535, text })) }).outcome,
      await sendWith({ ok: false, failure: 'TLS', message: text }).outcome,
    ];
    for (const outcome of outcomes) {
      expect(JSON.stringify(outcome)).toContain(SECRET_MASK);
      for (const secret of [INPUT.smtpPass, JSON.stringify(INPUT.smtpPass).slice(1, -1), Buffer.from(INPUT.smtpPass).toString('base64').slice(4, -4)]) {
        expect(JSON.stringify(outcome)).not.toContain(secret);
      }
    }
  });
});
