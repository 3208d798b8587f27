import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HeadersField } from '../../src/channels/field.ts';
import { headerIssues, RESERVED_HEADER_PREFIXES, RESERVED_HEADERS } from '../../src/channels/header-rules.ts';
import { webhook } from '../../src/channels/webhook.ts';
import { issuesOf } from './support.ts';

const field: HeadersField = { kind: 'HEADERS', label: 'Headers', maxItems: 20, valueBytesMax: 1_024 };
const TOKEN_CHARS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

function paths(headers: unknown): string[] {
  return headerIssues(headers, field).map(({ path }) => path);
}

/** Spec 4's list, written down apart from the code. */
const FORBIDDEN = [
  ...['host', 'content-length', 'content-type', 'content-encoding', 'accept-encoding', 'user-agent', 'transfer-encoding', 'connection', 'keep-alive'],
  ...['te', 'trailer', 'upgrade', 'expect', 'via', 'cookie', 'proxy-authorization', 'proxy-connection', 'proxy-x', 'forwarded', 'x-forwarded-for'],
  ...['x-forwarded-x', 'x-real-ip', 'x-z4j-signature', 'x-z4j-x', 'webhook-id', 'webhook-signature', 'webhook-timestamp', 'webhook-x'],
];

describe('names', () => {
  test.each(FORBIDDEN.flatMap((name) => [name, name.toUpperCase()]))('%s is refused', (name) => {
    expect(headerIssues([{ name, value: 'x' }], field)).toEqual([{ path: '0.name', message: expect.stringContaining('reserved') }]);
  });

  test.each(['Authorization', 'X-Api-Key', 'Accept', 'X-Z4JX', 'Webhook', 'Proxy', 'Hosts', 'tea', "!#$%&'*+-.^_`|~", '__proto__', 'constructor'])(
    '%s is taken',
    (name) => {
      expect(paths([{ name, value: 'x' }])).toEqual([]);
    },
  );

  test.each(['', ' ', 'a b', 'a:', ':authority', 'a\r\n', 'a\n', 'ä', 'a\0', 'a\t', 'a(b)', 'a,b', 'a"b', 1, null, undefined, ['a']])(
    '%j is refused',
    (name) => {
      expect(paths([{ name, value: 'x' }])).toEqual(['0.name']);
    },
  );

  test('exactly the tokens of RFC 9110 that nobody reserved are taken', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: fc.constantFrom(...TOKEN_CHARS.split('')), minLength: 1, maxLength: 12 })),
        (name) => {
          const lower = name.toLowerCase();
          const isReserved = RESERVED_HEADERS.some((one) => one === lower) || RESERVED_HEADER_PREFIXES.some((one) => lower.startsWith(one));
          const isToken = name !== '' && Array.from({ length: name.length }, (_, at) => name.charAt(at)).every((char) => TOKEN_CHARS.includes(char));
          expect(paths([{ name, value: 'x' }])).toEqual(isToken && !isReserved ? [] : ['0.name']);
        },
      ),
    );
  });

  test.each([
    ['the same', 'X-A', 'X-A'],
    ['in another case', 'X-A', 'x-a'],
    ['of Object', '__proto__', '__PROTO__'],
  ])('no name twice: %s', (_, one, other) => {
    expect(
      headerIssues(
        [
          { name: one, value: 'x' },
          { name: other, value: 'y' },
        ],
        field,
      ),
    ).toEqual([{ path: '1.name', message: expect.stringContaining('earlier header') }]);
  });
});

describe('values', () => {
  test.each([
    ['1,024 bytes', 'x'.repeat(1_024)],
    ['1,024 bytes of 512 characters', 'é'.repeat(512)],
    ['other than ASCII', '名前 €'],
    ['what a browser would encode', 'a, b; c="d" \\'],
  ])('%s', (_, value) => {
    expect(paths([{ name: 'X-A', value }])).toEqual([]);
  });

  test.each([
    ['1,025 bytes', 'x'.repeat(1_025)],
    ['1,026 bytes of 513 characters', 'é'.repeat(513)],
    ['nothing', ''],
    ['white space', '  '],
    ['a lone surrogate', 'a\ud800'],
    ['a number', 1],
    ['null', null],
    ['a list', ['x']],
  ])('%s is refused', (_, value) => {
    expect(paths([{ name: 'X-A', value }])).toEqual(['0.value']);
  });

  test('any control character, anywhere, is refused', () => {
    for (const code of [...Array.from({ length: 32 }, (_, index) => index), ...Array.from({ length: 33 }, (_, index) => 127 + index)]) {
      expect(paths([{ name: 'X-A', value: `a${String.fromCharCode(code)}b` }]), `U+${code.toString(16)}`).toEqual(['0.value']);
    }
  });
});

describe('the list', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `X-${index}`, value: 'x' }));

  test('holds 20, not 21', () => {
    expect(paths(many(20))).toEqual([]);
    expect(headerIssues(many(21), field)).toEqual([{ path: '', message: 'must hold at most 20 headers' }]);
  });

  test.each([
    ['no list', 'X-A: b', ['']],
    ['an object', { 'X-A': 'b' }, ['']],
    ['a text in it', ['X-A: b'], ['0']],
    ['null in it', [{ name: 'X-A', value: 'b' }, null], ['1']],
    ['an empty object in it', [{}], ['0.name', '0.value']],
  ])('%s', (_, headers, expected) => {
    expect(paths(headers)).toEqual(expected);
  });

  test('no message repeats what was given', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, unit: fc.constantFrom('Q', 'Z', '\n', '€') }), (text) => {
        const messages = issuesOf(webhook, { url: text, headers: [{ name: text, value: `${text}\r` }], hmacSecret: `\0${text}` });
        expect(JSON.stringify(messages)).not.toMatch(/[QZ€]{3}/);
      }),
    );
  });
});
