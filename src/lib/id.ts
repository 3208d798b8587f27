import { randomBytes } from 'node:crypto';

/**
 * A UUID of version 7 (RFC 9562 5.7): 48 bits of `nowMs`, then a 12-bit counter and 62 random bits, so that ids made
 * by one process sort in the order in which they were made.
 */
export function uuidv7(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    counter = randomBytes(2).readUInt16BE() & 0x7ff;
  } else if (++counter > 0xfff) {
    lastMs += 1;
    counter = 0;
  }
  if (offset + 8 > POOL_BYTES) {
    pool = randomBytes(POOL_BYTES);
    offset = 0;
  }
  const time = lastMs.toString(16).padStart(12, '0');
  const high = (0x7000 | counter).toString(16);
  const random = pool.toString('hex', offset, offset + 8);
  offset += 8;
  const variant = ((Number.parseInt(random.slice(0, 1), 16) & 0x3) | 0x8).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-${high}-${variant}${random.slice(1, 4)}-${random.slice(4, 16)}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `text` is a UUID in the canonical lower-case form, the only one that we hand out. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

const POOL_BYTES = 4096;
let pool = randomBytes(POOL_BYTES);
let offset = 0;
let lastMs = 0;
let counter = 0;
