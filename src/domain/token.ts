import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Checked } from './names.ts';

/** Random bytes that a token is made of. */
export const TOKEN_BYTES = 32;

/**
 * The text of a token: `tsn_`, its 32 random bytes and the CRC-32 of those two, both in base62 of fixed width. The prefix and the check let
 * secret scanners tell one from other text.
 */
export function formatToken(random: Uint8Array): string {
  const text = `${PREFIX}${base62(BigInt(`0x${Buffer.from(random).toString('hex')}`), RANDOM_CHARS)}`;
  return text + base62(BigInt(crc32(text)), CHECK_CHARS);
}

/** What is stored of a token: SHA-256 of its text. No slow hash is needed for 256 random bits. */
export function hashToken(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}

/** Whether `text` can be a token at all: ours, or one that an operator chose (spec 10). Anything else costs no query. */
export function mayBeToken(text: string): boolean {
  return OPERATOR_TOKEN.test(text);
}

/** A token that an operator chose for the first admin: 20 to 200 printable ASCII characters, as a header carries them. */
export function checkOperatorToken(text: string): Checked<string> {
  return OPERATOR_TOKEN.test(text)
    ? { ok: true, value: text }
    : { ok: false, message: 'must be 20 to 200 printable ASCII characters without a space at either end' };
}

const PREFIX = 'tsn_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 62^43 > 2^256, and 62^6 > 2^32. */
const RANDOM_CHARS = 43;
const CHECK_CHARS = 6;
const OPERATOR_TOKEN = /^[\x21-\x7e][\x20-\x7e]{18,198}[\x21-\x7e]$/;

function base62(value: bigint, width: number): string {
  let text = '';
  for (let rest = value; text.length < width; rest /= 62n) text = ALPHABET.charAt(Number(rest % 62n)) + text;
  return text;
}
