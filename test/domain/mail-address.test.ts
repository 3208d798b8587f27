import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseHostName } from '../../src/domain/host-name.ts';
import { parseMailAddress } from '../../src/domain/mail-address.ts';

const LABEL = 'a'.repeat(63);

describe('one plain address', () => {
  test.each([
    ['a@example.com', 'a@example.com'],
    ['First.Last+tag@Example.COM', 'First.Last+tag@example.com'],
    ["!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-@example.com"],
    ['a@bücher.example', 'a@xn--bcher-kva.example'],
    ['a@例え。テスト', null],
    ['a@ｅxample.com', 'a@example.com'],
    ['a@localhost', 'a@localhost'],
    [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
    [`a@${LABEL}.${LABEL}.${LABEL}.${'b'.repeat(60)}`, `a@${LABEL}.${LABEL}.${LABEL}.${'b'.repeat(60)}`],
  ])('%s', (text, expected) => {
    expect(parseMailAddress(text)).toBe(expected);
  });

  test.each([
    ['nothing', ''],
    ['no at', 'example.com'],
    ['no local part', '@example.com'],
    ['no domain', 'a@'],
    ['a name', 'A <a@example.com>'],
    ['angle brackets', '<a@example.com>'],
    ['a closing bracket and more', 'a@example.com> NOTIFY=NEVER'],
    ['two', 'a@example.com,b@example.com'],
    ['two by semicolon', 'a@example.com;b@example.com'],
    ['a group', 'all:a@example.com;'],
    ['an empty group', 'undisclosed-recipients:;'],
    ['a comment', 'a(comment)@example.com'],
    ['a comment behind', 'a@example.com (comment)'],
    ['a quoted local part', '"a b"@example.com'],
    ['a quoted local part with CR LF', '"a\r\nRCPT TO:<x@evil.example>"@example.com'],
    ['CR LF', 'a@example.com\r\nBcc: x@evil.example'],
    ['LF in front', '\na@example.com'],
    ['CR', 'a\r@example.com'],
    ['NUL', 'a\0@example.com'],
    ['white space around', ' a@example.com '],
    ['a tab', 'a\t@example.com'],
    ['two at', 'a@b@example.com'],
    ['a route', '@relay.example:a@example.com'],
    ['a percent hack that leaves the domain', 'a@exa%6Dple.com'],
    ['a slash in the domain', 'a@example.com/x'],
    ['a dot in front', '.a@example.com'],
    ['a dot at the end', 'a.@example.com'],
    ['two dots', 'a..b@example.com'],
    ['letters beyond ASCII', 'ä@example.com'],
    ['an invisible letter', 'a\u200b@example.com'],
    ['an invisible letter in the domain', 'a@exam\u00adple.com'],
    ['a turn of direction', '\u202ea@example.com'],
    ['an address literal', 'a@[127.0.0.1]'],
    ['an address as domain', 'a@127.0.0.1'],
    ['an address in hex', 'a@0x7f.0.0.0x1'],
    ['a dot behind the domain', 'a@example.com.'],
    ['an empty label', 'a@example..com'],
    ['a hyphen in front of a label', 'a@-example.com'],
    ['an underscore', 'a@exam_ple.com'],
    ['a port', 'a@example.com:25'],
    ['a local part of 65', `${'a'.repeat(65)}@example.com`],
    ['a label of 64', `a@${'b'.repeat(64)}.com`],
    ['255 in all', `${'a'.repeat(3)}@${LABEL}.${LABEL}.${LABEL}.${'b'.repeat(59)}`],
    ['a broken label', 'a@xn--a.example'],
  ])('%s is refused', (_what, text) => {
    expect(parseMailAddress(text)).toBeNull();
  });

  test('what comes out is one word that reads the same again, and holds nothing that SMTP or a header could take for more', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('a', 'example.com', '@', '<', '>', '\r\n', '"', ',', ':', ';', '(', ' ', 'ü', '\u3002'),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const address = parseMailAddress(parts.join(''));
        if (address === null) return;
        expect(address).toMatch(/^[\x21-\x7e]+$/);
        expect(address).not.toMatch(/[<>(),:;"[\]\\]/);
        expect(address.split('@').length).toBe(2);
        expect(parseMailAddress(address)).toBe(address);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('a host name', () => {
  test.each([
    ['smtp.example.com', 'smtp.example.com'],
    ['SMTP.Example.COM', 'smtp.example.com'],
    ['mailhog', 'mailhog'],
    ['bücher.example', 'xn--bcher-kva.example'],
  ])('%s', (text, expected) => {
    expect(parseHostName(text)).toBe(expected);
  });

  test.each([
    '',
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '017700000001',
    '1.2.3.4.5',
    '[::1]',
    '::1',
    'smtp://example.com',
    'https://example.com',
    'example.com:25',
    'user@example.com',
    'example.com/',
    'example.com.',
    ' example.com',
    'example.com\n',
    'exa mple.com',
    'exa%6Dple.com',
    'a..b',
    '-a.com',
    'a_b.com',
    'example.com#',
    'example.com?x',
    '１２７.０.０.１',
    'a'.repeat(64),
    `${'a.'.repeat(126)}aa`,
  ])('%j is none', (text) => {
    expect(parseHostName(text)).toBeNull();
  });
});
