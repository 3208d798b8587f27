import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

/** One key of SECRET_KEYS: `id` names it inside every text that it sealed. */
export interface SealKey {
  id: string;
  /** 32 bytes. */
  key: Buffer;
}

export interface Keyring {
  /**
   * Seals `plain` (UTF-8) with the first key. `associated` says where the sealed text belongs (a row's id): it opens nowhere else.
   * The same text sealed twice gives two different results.
   */
  seal(plain: string, associated: string): string;
  /** The plain text. Throws a SealError where the text is broken, was changed, belongs elsewhere or needs a key that is not here. */
  open(sealed: string, associated: string): string;
}

/** Why a sealed text does not open. REFUSED: changed, of another place, or sealed by another key of that id. */
export type SealFailure = 'MALFORMED' | 'UNKNOWN_KEY' | 'REFUSED';

/** Names the key, never the content. */
export class SealError extends Error {
  readonly failure: SealFailure;
  readonly keyId: string | null;

  constructor(failure: SealFailure, keyId: string | null) {
    super(keyId === null ? MESSAGES[failure] : `${MESSAGES[failure]} (key ${keyId})`);
    this.name = 'SealError';
    this.failure = failure;
    this.keyId = keyId;
  }
}

/** Seals with the first of `keys` and opens with all of them. Throws where there is none, one has not 32 bytes, or an id is malformed or used twice. */
export function createKeyring(keys: readonly SealKey[]): Keyring {
  const [first] = keys;
  if (first === undefined) throw new TypeError('a keyring needs a key');
  for (const { id, key } of keys) {
    if (!KEY_ID.test(id) || key.length !== KEY_BYTES) throw new TypeError(`key ids have the form ${KEY_ID.source}, keys have ${KEY_BYTES} bytes`);
  }
  const keyOf = new Map<string, KeyObject>(keys.map(({ id, key }) => [id, createSecretKey(key)]));
  if (keyOf.size !== keys.length) throw new TypeError('two keys have the same id');
  const sealingId = first.id;
  const sealingKey = createSecretKey(first.key);

  function seal(plain: string, associated: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', sealingKey, iv, { authTagLength: TAG_BYTES });
    cipher.setAAD(associatedBytes(sealingId, associated));
    const parts = [iv, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return `${VERSION}.${sealingId}.${Buffer.concat(parts).toString('base64url')}`;
  }

  function open(sealed: string, associated: string): string {
    const { keyId, bytes } = parse(sealed);
    const key = keyOf.get(keyId);
    if (key === undefined) throw new SealError('UNKNOWN_KEY', keyId);
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(associatedBytes(keyId, associated));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    try {
      return decipher.update(bytes.subarray(IV_BYTES, bytes.length - TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      throw new SealError('REFUSED', keyId);
    }
  }

  return { seal, open };
}

export type ParsedKeys = { ok: true; keys: SealKey[] } | { ok: false; problem: string };

/** Reads SECRET_KEYS, `id:base64,id:base64,…`: the first seals, all open. The problem names a key by its place and never repeats any of it. */
export function parseSecretKeys(text: string): ParsedKeys {
  const keys: SealKey[] = [];
  for (const [index, entry] of text.split(',').entries()) {
    const colon = entry.indexOf(':');
    const id = entry.slice(0, Math.max(colon, 0)).trim();
    const key = decodeKey(entry.slice(colon + 1).trim());
    const place = `key ${index + 1}`;
    if (colon < 0) return { ok: false, problem: `${place} has not the form id:base64` };
    if (!KEY_ID.test(id)) return { ok: false, problem: `${place}: an id is 1 to 32 letters, digits, "-" or "_"` };
    if (key === null) return { ok: false, problem: `${place} is not the base64 of ${KEY_BYTES} bytes` };
    if (keys.some((other) => other.id === id)) return { ok: false, problem: `${place} has the id of an earlier one` };
    keys.push({ id, key });
  }
  return { ok: true, keys };
}

const VERSION = 'v1';
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const KEY_BYTES = 32;
/** 96 random bits (NIST SP 800-38D 8.2.2): far from the 2^32 seals after which one key must retire. */
const IV_BYTES = 12;
/** Fixed on both sides: node would accept a tag cut to 4 bytes otherwise. */
const TAG_BYTES = 16;

const MESSAGES: Record<SealFailure, string> = {
  MALFORMED: 'a sealed text is malformed',
  UNKNOWN_KEY: 'a sealed text needs a key that SECRET_KEYS does not hold',
  REFUSED: 'a sealed text was changed, belongs elsewhere, or was sealed by another key of the same id',
};

/** Version and key id hold no ".", so no two triples give the same bytes. */
function associatedBytes(keyId: string, associated: string): Buffer {
  return Buffer.from(`${VERSION}.${keyId}.${associated}`, 'utf8');
}

function parse(sealed: string): { keyId: string; bytes: Buffer } {
  const [version, keyId, text, ...rest] = sealed.split('.');
  if (version !== VERSION || keyId === undefined || !KEY_ID.test(keyId) || text === undefined || rest.length > 0) throw new SealError('MALFORMED', null);
  const bytes = Buffer.from(text, 'base64url');
  // Node skips what is no base64url and ignores spare bits: only the one canonical spelling of a text may open.
  if (bytes.length < IV_BYTES + TAG_BYTES || bytes.toString('base64url') !== text) throw new SealError('MALFORMED', keyId);
  return { keyId, bytes };
}

function decodeKey(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  const isWhole = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) && bytes.length === KEY_BYTES;
  return isWhole ? bytes : null;
}
