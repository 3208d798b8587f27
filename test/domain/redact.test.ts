import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRedactor, secretParts } from '../../src/domain/redact.ts';
import { SECRET_MASK } from '../../src/lib/secret.ts';

const M = SECRET_MASK;
const secret = 'p@ss/w+rd "ü" 100%';

function jsonAscii(text: string): string {
  return JSON.stringify(text).replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function percentAll(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

/** How receivers may show what they were sent. */
const ENCODINGS: [string, (text: string) => string][] = [
  ['plain', (text) => text],
  ['JSON', (text) => JSON.stringify(text)],
  ['JSON in ASCII (Python)', jsonAscii],
  ['JSON in ASCII, upper-case digits', (text) => jsonAscii(text).replace(/\\u[0-9a-f]{4}/g, (unit) => `\\u${unit.slice(2).toUpperCase()}`)],
  ['JSON with escaped slashes (PHP)', (text) => JSON.stringify(text).replaceAll('/', '\\/')],
  ['JSON with every unit escaped', (text) => text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)],
  ['JSON in JSON', (text) => JSON.stringify(JSON.stringify(text))],
  ['percent', encodeURIComponent],
  ['percent in lower case', (text) => encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase())],
  ['percent of every byte', percentAll],
  ['percent of little (encodeURI)', encodeURI],
  ['percent twice', (text) => encodeURIComponent(encodeURIComponent(text))],
  ['form', (text) => new URLSearchParams({ a: text }).toString().slice(2)],
  ['percent in JSON with escaped slashes', (text) => JSON.stringify(encodeURI(text)).replaceAll('/', '\\/')],
  ['base64', (text) => Buffer.from(text).toString('base64')],
  ['base64url', (text) => Buffer.from(text).toString('base64url')],
  ['base64, percent-encoded', (text) => encodeURIComponent(Buffer.from(text).toString('base64'))],
];

describe('createRedactor', () => {
  test.each(ENCODINGS)('%s', (_, encode) => {
    const redact = createRedactor([secret]);
    const shown = encode(secret);
    const cleared = redact(`before ${shown} after ${shown}`);
    expect(cleared).toMatch(/^before .*•{8}.* after .*•{8}/);
    expect(cleared.replaceAll(M, '').replaceAll(/[\\"=]|%3D/g, '')).toBe('before  after ');
  });

  test.each([0, 1, 2, 3, 4, 5])('base64 of more, the secret at byte %i', (offset) => {
    const redact = createRedactor(['correct-horse-battery']);
    const dump = `${'x'.repeat(offset)}correct-horse-battery, and more`;
    for (const alphabet of ['base64', 'base64url'] as const) {
      const cleared = redact(Buffer.from(dump).toString(alphabet));
      expect(cleared).toContain(M);
      expect(Buffer.from(cleared.replaceAll(M, ''), 'base64').toString()).not.toContain('horse');
    }
  });

  test('no secret is left in any encoding, for any secrets and any text around', () => {
    const secrets = fc.uniqueArray(fc.string({ minLength: 3, maxLength: 40, unit: 'grapheme' }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(secrets, fc.string(), fc.string(), fc.constantFrom(...ENCODINGS), (all, before, after, [, encode]) => {
        const redact = createRedactor(all);
        const cleared = redact(before + all.map(encode).join(' ') + after);
        for (const one of all) expect(cleared.replaceAll(M, '\u0001')).not.toContain(one);
        expect(cleared).toContain(M);
      }),
    );
  });

  test('a text without a secret stays as it is', () => {
    const redact = createRedactor([secret]);
    for (const text of ['', 'nothing here', '100% \\ "ü" \\u00 %', '\ud800 lone', 'ends in \ufffd']) expect(redact(text)).toBe(text);
  });

  test.each([
    ['overlapping secrets go as a whole', ['abcdef', 'defghi'], '<abcdefghi>', `<${M}>`],
    ['a secret within another', ['abcdefgh', 'cde'], '<abcdefgh>', `<${M}>`],
    ['the shorter one alone', ['abcdefgh', 'cde'], '<abcdefg>', `<ab${M}fg>`],
    ['one after the other', ['abcd', 'efgh'], 'abcdefgh', M],
    ['over and over', ['abcabd'], 'abcabcabd', `abc${M}`],
    ['of one character', ['1'], 'v1 of 11', `v${M} of ${M}`],
    ['empty ones count for nothing', ['', 'abcd'], 'x abcd', `x ${M}`],
    ['what a RegExp would read', ['.*(a|b)$1'], 'x .*(a|b)$1 y', `x ${M} y`],
    ['several', ['first-secret', 'other-secret'], 'other-secret=first-secret', `${M}=${M}`],
    ['no secrets', [], 'text', 'text'],
  ])('%s', (_, secrets, text, expected) => {
    expect(createRedactor(secrets)(text)).toBe(expected);
  });

  test.each([
    ['a cut secret at the end', 'x abcdefgh', `x ${M}`],
    ['as short as four bytes', 'x abcd', `x ${M}`],
    ['three stay', 'x abc', 'x abc'],
    ['only at the end', 'abcdef x', 'abcdef x'],
  ])('%s', (_, text, expected) => {
    expect(createRedactor(['abcdefghijklmnop'])(text)).toBe(expected);
  });

  test.each(ENCODINGS)('a secret cut anywhere leaves less than six bytes: %s', (_, encode) => {
    const redact = createRedactor(['q7"ü/€😀z+K 9%']);
    const shown = Buffer.from(encode('q7"ü/€😀z+K 9%'));
    const start = encode('q7"ü/').replaceAll(/^["\\]+|(?:["\\]|=|%3D)+$/g, '');
    for (let end = 0; end <= shown.length; end += 1) expect(redact(`<${shown.subarray(0, end).toString()}`), `cut at ${end}`).not.toContain(start);
  });

  test('takes time linear in the text, also where text and secrets are all alike', () => {
    const redact = createRedactor(Array.from({ length: 20 }, (_, index) => `${'a'.repeat(700 + index)}b`));
    redact('a');
    const started = performance.now();
    expect(redact('a'.repeat(8_192))).toContain('a');
    expect(performance.now() - started).toBeLessThan(250);
  });
});

test.each([
  ['Bearer xyz12345', ['xyz12345']],
  ['Bearer xyz1234', []],
  ['Basic dXNlcjpwYXNzd29yZA==', ['dXNlcjpwYXNzd29yZA==', 'dXNlcjpwYXNzd29yZA']],
  [
    'Digest username="robert-tables", response="0123456789abcdef"',
    ['username="robert-tables",', 'response="0123456789abcdef"', 'username', 'robert-tables', 'response', '0123456789abcdef'],
  ],
  ['key=0123456789;id=7', ['0123456789']],
  ['single-token', []],
])('the secret parts of %j', (value, parts) => {
  expect(secretParts(value)).toEqual(parts);
});
