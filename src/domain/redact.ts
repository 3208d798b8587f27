import { SECRET_MASK } from '../lib/secret.ts';
import { createByteSearch } from './byte-search.ts';
import { type Reading, readingsOf } from './escapes.ts';

/** Gives a text back with every secret in it masked. */
export type Redactor = (text: string) => string;

/**
 * Clears texts of `secrets`, in time linear in the text: each as it is, JSON-escaped, percent-encoded or form-encoded (also one in the other),
 * and in base64 or base64url, alone or inside of more. Encoders differ in what they escape, so it is the text that is read, and what stands
 * for a secret is masked in the text itself. The beginning of a secret at the very end of a text goes too: the text may have been cut in the
 * middle of it. Run it before any further cut.
 */
export function createRedactor(secrets: readonly string[]): Redactor {
  const needles = [...new Set(secrets.flatMap(needlesOf))].map((needle) => Buffer.from(needle, 'latin1'));
  const search = createByteSearch(needles);

  function redact(text: string): string {
    // A cut through a character leaves a U+FFFD at the end, behind which the beginning of a secret would hide.
    const bytes = Buffer.from(text.endsWith('\ufffd') ? text.slice(0, -1) : text, 'utf8');
    const isSecret = new Uint8Array(bytes.length);
    for (const reading of readingsOf(bytes)) {
      const { lengths, tail } = search.scan(reading.bytes);
      if (tail >= TAIL_BYTES_MIN) lengths[lengths.length - 1] = tail;
      markSecrets(lengths, reading, isSecret);
    }
    return isSecret.includes(1) ? replaceMarked(bytes, isSecret) : text;
  }

  return redact;
}

/** The parts of a header value that are secrets of their own, such as the token of `Bearer xyz`. */
export function secretParts(value: string): string[] {
  const parts = [...value.split(/\s+/), ...value.split(/[\s,;:="'&]+/)];
  return [...new Set(parts)].filter((part) => part.length >= PART_CHARS_MIN && part !== value);
}

const PART_CHARS_MIN = 8;
/** Shorter beginnings of a secret at the end of a text stay: they tell little, and any text ends in some. */
const TAIL_BYTES_MIN = 4;
/** A stretch of base64 inside of more is only looked for from this length on. */
const BASE64_INSIDE_MIN = 8;

/** What to look for, as one character a byte. A form-encoder makes "+" of a space. */
function needlesOf(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8');
  const plain = bytes.toString('latin1');
  const whole = bytes.toString('base64').replace(/=+$/, '');
  const base64 = [whole, ...base64Inside(bytes)];
  return [plain, plain.replaceAll(' ', '+'), ...base64, ...base64.map(toBase64Url)];
}

/** The base64 digits that are all the secret's own, for each of the three ways in which it can lie in a longer text. */
function base64Inside(bytes: Buffer): string[] {
  const digits = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
  return digits.filter((text) => text.length >= BASE64_INSIDE_MIN);
}

function toBase64Url(text: string): string {
  return text.replaceAll('+', '-').replaceAll('/', '_');
}

/** Marks what stands for every byte that some match covers. Backwards: `reach` is where the matches that are still open begin. */
function markSecrets(lengths: Int32Array, { from, to }: Reading, isSecret: Uint8Array): void {
  let reach = Infinity;
  for (let index = lengths.length - 1; index >= 0; index -= 1) {
    const length = lengths[index] ?? 0;
    if (length > 0) reach = Math.min(reach, index - length + 1);
    if (index >= reach) isSecret.fill(1, from[index], to[index]);
  }
}

/** One mask for each run of marked bytes. */
function replaceMarked(bytes: Buffer, isSecret: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const mark = isSecret[at] ?? 0;
    const next = isSecret.indexOf(1 - mark, at);
    const end = next < 0 ? bytes.length : next;
    text += mark === 1 ? SECRET_MASK : bytes.toString('utf8', at, end);
    at = end;
  }
  return text;
}
