import { notFound } from '../lib/error.ts';
import { keyOf, type NodeType } from '../lib/global-id.ts';

/** What messages call the objects. */
const NOUNS: Record<NodeType, string> = {
  User: 'user',
  Project: 'project',
  ApiToken: 'token',
  Channel: 'channel',
  NotificationSubscription: 'subscription',
  DefaultSubscription: 'default subscription',
  Delivery: 'delivery',
  InboxItem: 'inbox item',
};

/** The key of a global id that was given at `path`. NOT_FOUND for garbage and for an id of another type, as for an object that there is not. */
export function readId(type: NodeType, id: string, path: string): string {
  const key = keyOf(type, id);
  if (key === null) throw notFound(path, NOUNS[type]);
  return key;
}

/** The same for an id that may be left out, or null. */
export function readOptionalId(type: NodeType, id: string | null | undefined, path: string): string | null | undefined {
  return id === null || id === undefined ? id : readId(type, id, path);
}

/** The same for a list of ids, which may be left out: problems are at `<path>.<index>`. */
export function readIds(type: NodeType, ids: readonly string[] | null | undefined, path: string): string[] | null | undefined {
  return ids === null || ids === undefined ? ids : ids.map((id, index) => readId(type, id, `${path}.${String(index)}`));
}
