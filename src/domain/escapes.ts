/** One reading of a text: its bytes, and for each where what it stands for begins and ends in the text itself. */
export interface Reading {
  bytes: Uint8Array;
  from: Int32Array;
  to: Int32Array;
}

/** A UTF-8 text as it is, then with its JSON or percent escapes read, then with what came out of that read once more. Escapes cut off by the end are left out. */
export function readingsOf(bytes: Uint8Array): Reading[] {
  const plain = plainReading(bytes);
  const once = unescapedReadings(plain);
  return [plain, ...once, ...once.flatMap(unescapedReadings)];
}

function plainReading(bytes: Uint8Array): Reading {
  const from = new Int32Array(bytes.length);
  const to = new Int32Array(bytes.length);
  for (let index = 0; index < bytes.length; index += 1) {
    from[index] = index;
    to[index] = index + 1;
  }
  return { bytes, from, to };
}

interface Escapes {
  /** The byte that an escape begins with. */
  marker: number;
  /** The escape at `at`: what it stands for and how many bytes it has; null where there is none. */
  read: (bytes: Uint8Array, at: number) => { decoded: Uint8Array | readonly number[]; length: number } | null;
  /** What the end of a text may have left of an escape, `lengthMax` bytes at most. */
  unfinished: RegExp;
  lengthMax: number;
}

function unescapedReadings(reading: Reading): Reading[] {
  return [JSON_ESCAPES, PERCENT_ESCAPES].filter(({ marker }) => reading.bytes.includes(marker)).map((escapes) => decode(reading, escapes));
}

function decode(reading: Reading, { marker, read, unfinished, lengthMax }: Escapes): Reading {
  const source = reading.bytes;
  const bytes = new Uint8Array(source.length);
  const from = new Int32Array(source.length);
  const to = new Int32Array(source.length);
  let count = 0;
  for (let at = 0; at < source.length; ) {
    const byte = source[at] ?? 0;
    if (byte === marker && at + lengthMax >= source.length && unfinished.test(latin1(source.subarray(at)))) break;
    const { decoded, length } = (byte === marker ? read(source, at) : null) ?? { decoded: [byte], length: 1 };
    for (const value of decoded) {
      bytes[count] = value;
      from[count] = reading.from[at] ?? 0;
      to[count] = reading.to[at + length - 1] ?? 0;
      count += 1;
    }
    at += length;
  }
  return { bytes: bytes.subarray(0, count), from: from.subarray(0, count), to: to.subarray(0, count) };
}

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const LETTER_U = 0x75;
/** RFC 8259 7, without \u. */
const SHORT_ESCAPES = Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' });
const SHORT_BYTES = new Map(SHORT_ESCAPES.map(([letter, meaning]) => [letter.charCodeAt(0), meaning.charCodeAt(0)]));

const JSON_ESCAPES: Escapes = {
  marker: BACKSLASH,
  read: readJsonEscape,
  unfinished: /^\\(?:u[0-9a-fA-F]{0,3}|u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?)?$/,
  lengthMax: 11,
};
const PERCENT_ESCAPES: Escapes = { marker: PERCENT, read: readPercentEscape, unfinished: /^%[0-9a-fA-F]?$/, lengthMax: 2 };

function readJsonEscape(bytes: Uint8Array, at: number): ReturnType<Escapes['read']> {
  const short = SHORT_BYTES.get(bytes[at + 1] ?? 0);
  if (short !== undefined) return { decoded: [short], length: 2 };
  const unit = readUnit(bytes, at);
  if (unit === null) return null;
  const next = unit >= 0xd800 && unit <= 0xdbff ? readUnit(bytes, at + 6) : null;
  const isPair = next !== null && next >= 0xdc00 && next <= 0xdfff;
  const text = isPair ? String.fromCharCode(unit, next) : String.fromCharCode(unit);
  return { decoded: Buffer.from(text, 'utf8'), length: isPair ? 12 : 6 };
}

/** The UTF-16 unit of a `\uXXXX` at `at`. */
function readUnit(bytes: Uint8Array, at: number): number | null {
  return bytes[at] === BACKSLASH && bytes[at + 1] === LETTER_U ? readHex(bytes, at + 2, 4) : null;
}

function readPercentEscape(bytes: Uint8Array, at: number): ReturnType<Escapes['read']> {
  const value = readHex(bytes, at + 1, 2);
  return value === null ? null : { decoded: [value], length: 3 };
}

function readHex(bytes: Uint8Array, at: number, digits: number): number | null {
  const text = latin1(bytes.subarray(at, at + digits));
  return text.length === digits && /^[0-9a-fA-F]+$/.test(text) ? Number.parseInt(text, 16) : null;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
