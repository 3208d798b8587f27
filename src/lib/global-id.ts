import { isUuid } from './id.ts';

/** The types that have a Relay global id (contract.graphql's Node), by the names that the API gives them. */
export const NODE_TYPES = ['User', 'Project', 'ApiToken', 'Channel', 'NotificationSubscription', 'DefaultSubscription', 'Delivery', 'InboxItem'] as const;
export type NodeType = (typeof NODE_TYPES)[number];

/** A Relay global id: base64url of `<type>:<key>`. It has no ".", which webhook-id may not have (Standard Webhooks). */
export function globalId(type: NodeType, key: string): string {
  return Buffer.from(`${type}:${key}`, 'utf8').toString('base64url');
}

/** Reads what `globalId` made; null for everything else. The key is in its type's one form: a UUID, `<uuid>:<seq>` for an InboxItem. */
export function decodeGlobalId(text: string): { type: NodeType; key: string } | null {
  if (text.length > ID_LENGTH_MAX || !BASE64URL.test(text)) return null;
  const [name, key] = splitOnce(Buffer.from(text, 'base64url').toString('utf8'));
  const type = NODE_TYPES.find((known) => known === name);
  if (type === undefined || !(type === 'InboxItem' ? INBOX_KEY.test(key) : isUuid(key))) return null;
  return globalId(type, key) === text ? { type, key } : null;
}

/** The key inside a global id of `type`; null where it is of another type or none at all. */
export function keyOf(type: NodeType, text: string): string | null {
  const id = decodeGlobalId(text);
  return id?.type === type ? id.key : null;
}

/** The key of an inbox item: items are numbered within their user's inbox. */
export function inboxItemKey(userId: string, seq: number): string {
  return `${userId}:${String(seq)}`;
}

/** Takes an inbox item's key apart. */
export function splitInboxItemKey(key: string): { userId: string; seq: number } {
  const [userId, seq] = splitOnce(key);
  return { userId, seq: Number(seq) };
}

const ID_LENGTH_MAX = 200;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** Numbers up to 15 digits are exact in JavaScript. */
const INBOX_KEY = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[1-9][0-9]{0,14}$/;

function splitOnce(text: string): [string, string] {
  const at = text.indexOf(':');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
