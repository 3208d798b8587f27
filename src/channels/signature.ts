import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** A webhook's secret as the keys of both schemes that its requests are signed by. */
export interface SigningKeys {
  /** X-Z4J-Signature: the secret's own UTF-8 bytes. */
  z4j: KeyObject;
  /** Standard Webhooks, newest first, each with the last epoch millisecond at which it still signs. */
  standard: readonly { key: KeyObject; untilMs: number }[];
}

/** `previous`: the secret before the last change, which receivers may still hold. */
export function signingKeys(secret: string, previous: { value: string; untilMs: number } | undefined): SigningKeys {
  const old = previous === undefined ? [] : [{ key: createSecretKey(standardKey(previous.value)), untilMs: previous.untilMs }];
  return {
    z4j: createSecretKey(Buffer.from(secret, 'utf8')),
    standard: [{ key: createSecretKey(standardKey(secret)), untilMs: Infinity }, ...old],
  };
}

/** The base64 after `whsec_` where `secret` has that form; null otherwise. */
export function whsecBase64(secret: string): string | null {
  const text = WHSEC.exec(secret)?.[1];
  if (text === undefined) return null;
  const bytes = Buffer.from(text, 'base64').length;
  return bytes >= WHSEC_BYTES_MIN && bytes <= WHSEC_BYTES_MAX ? text : null;
}

/**
 * The headers that identify and, with `keys`, sign one attempt (github.com/standard-webhooks/standard-webhooks spec). `body` must be the very text that is sent.
 * Throws where `deliveryId` could not be told from what stands beside it in the signed text.
 */
export function signatureHeaders(body: string, deliveryId: string, attemptMs: number, keys: SigningKeys | null): Record<string, string> {
  if (!DELIVERY_ID.test(deliveryId)) throw new TypeError('a delivery id must be base64url');
  const timestamp = String(Math.floor(attemptMs / 1_000));
  const headers = { 'webhook-id': deliveryId, 'webhook-timestamp': timestamp };
  if (keys === null) return headers;
  const signatures = keys.standard.filter(({ untilMs }) => attemptMs <= untilMs).map(({ key }) => standardSignature(key, `${deliveryId}.${timestamp}.`, body));
  return { ...headers, 'webhook-signature': signatures.join(' '), 'x-z4j-signature': `sha256=${createHmac('sha256', keys.z4j).update(body).digest('hex')}` };
}

const DELIVERY_ID = /^[A-Za-z0-9_-]+$/;
const WHSEC = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
/** What Standard Webhooks asks of a key. */
const WHSEC_BYTES_MIN = 24;
const WHSEC_BYTES_MAX = 64;

function standardKey(secret: string): Buffer {
  const base64 = whsecBase64(secret);
  return base64 === null ? Buffer.from(secret, 'utf8') : Buffer.from(base64, 'base64');
}

function standardSignature(key: KeyObject, prefix: string, body: string): string {
  return `v1,${createHmac('sha256', key).update(prefix).update(body).digest('base64')}`;
}
