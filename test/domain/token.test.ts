import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkOperatorToken, formatToken, hashToken, mayBeToken, TOKEN_BYTES } from '../../src/domain/token.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** What the base62 digits stand for, added up the slow way. */
function numberOf(digits: string): bigint {
  return [...digits].reduce((sum, digit) => sum * 62n + BigInt(ALPHABET.indexOf(digit)), 0n);
}

describe('formatToken', () => {
  test.each([
    ['the smallest', new Uint8Array(TOKEN_BYTES)],
    ['the greatest', new Uint8Array(TOKEN_BYTES).fill(255)],
    ['one with leading zeros', Uint8Array.from({ length: TOKEN_BYTES }, (_, i) => (i < 5 ? 0 : i))],
  ])('%s has the fixed form', (_, random) => {
    expect(formatToken(random)).toMatch(/^tsn_[0-9A-Za-z]{49}$/);
  });

  test('holds all random bits, and a CRC-32 of what stands before it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: TOKEN_BYTES, maxLength: TOKEN_BYTES }), (random) => {
        const text = formatToken(random);
        expect(numberOf(text.slice(4, 47)).toString(16).padStart(64, '0')).toBe(Buffer.from(random).toString('hex'));
        expect(numberOf(text.slice(47))).toBe(BigInt(crc32(text.slice(0, 47))));
        expect(mayBeToken(text)).toBe(true);
      }),
    );
  });
});

test('a token is stored as SHA-256 of its text', () => {
  // printf 'abc' | sha256sum
  expect(hashToken('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

describe('tokens that operators choose', () => {
  test.each([
    ['20 characters', 'a'.repeat(20)],
    ['200 characters', 'a'.repeat(200)],
    ['every printable character', `${ALPHABET}!"#$%&'()*+,-./:;<=>?@[\\]^_\`{|}~`],
    ['spaces inside', 'correct horse battery staple'],
    ['our own form with a wrong check', `tsn_${'0'.repeat(49)}`],
  ])('%s: taken as they are', (_, text) => {
    expect(checkOperatorToken(text)).toEqual({ ok: true, value: text });
    expect(mayBeToken(text)).toBe(true);
  });

  test.each([
    ['19 characters', 'a'.repeat(19)],
    ['201 characters', 'a'.repeat(201)],
    ['a space in front, which a header would lose', ` ${'a'.repeat(20)}`],
    ['a space at the end', `${'a'.repeat(20)} `],
    ['a tab', `aaaaaaaaaa\taaaaaaaaaa`],
    ['a line break at the end', `${'a'.repeat(20)}\n`],
    ['a letter that is not ASCII', `ä${'a'.repeat(20)}`],
    ['nothing', ''],
  ])('%s: refused, and not repeated', (_, text) => {
    const checked = checkOperatorToken(text);
    expect(checked.ok).toBe(false);
    expect(mayBeToken(text)).toBe(false);
    if (!checked.ok && text !== '') expect(checked.message).not.toContain(text);
  });
});
