import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a feed cursor says: a number of the user's change log, or that it belongs to a database that is gone. */
export type FeedPosition = { ok: true; seq: number } | { ok: false; reason: 'INVALID' | 'OTHER_EPOCH' };

export interface FeedCursors {
  encode(userId: string, seq: number): string;
  /** INVALID: garbage, or another user's. */
  decode(userId: string, text: string): FeedPosition;
}

/**
 * Cursors of inbox feeds: user, database epoch and number under a truncated HMAC-SHA256, as base64url. `keys`: the first signs, all verify, so
 * that rotating the server's keys cuts nobody off. The keys are not the database's own: a cursor made before a database was replaced must be
 * known as ours.
 */
export function createFeedCursors(epoch: string, keys: readonly Buffer[]): FeedCursors {
  const macKeys = keys.map((key) => createHmac('sha256', key).update('tocsin feed cursor').digest());
  const [signingKey] = macKeys;
  if (signingKey === undefined) throw new Error('feed cursors need a key');
  const epochBytes = uuidBytes(epoch);

  return {
    encode: (userId, seq) => {
      const body = Buffer.alloc(BODY_BYTES);
      uuidBytes(userId).copy(body, 0);
      epochBytes.copy(body, 16);
      body.writeBigUInt64BE(BigInt(seq), 32);
      return Buffer.concat([body, mac(signingKey, body)]).toString('base64url');
    },
    decode: (userId, text) => {
      const bytes = Buffer.from(text, 'base64url');
      if (bytes.length !== BODY_BYTES + MAC_BYTES || bytes.toString('base64url') !== text) return INVALID;
      const body = bytes.subarray(0, BODY_BYTES);
      if (!macKeys.some((key) => timingSafeEqual(mac(key, body), bytes.subarray(BODY_BYTES)))) return INVALID;
      if (!body.subarray(0, 16).equals(uuidBytes(userId))) return INVALID;
      if (!body.subarray(16, 32).equals(epochBytes)) return { ok: false, reason: 'OTHER_EPOCH' };
      return { ok: true, seq: Number(body.readBigUInt64BE(32)) };
    },
  };
}

const BODY_BYTES = 40;
const MAC_BYTES = 16;
const INVALID: FeedPosition = { ok: false, reason: 'INVALID' };

function mac(key: Buffer, body: Buffer): Buffer {
  return createHmac('sha256', key).update(body).digest().subarray(0, MAC_BYTES);
}

function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
