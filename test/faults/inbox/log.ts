import { keyOf, splitInboxItemKey } from '../../../src/lib/global-id.ts';
import { type FeedEvent, seqOfCursor } from '../../support/feed-client.ts';
import type { Query } from '../../support/server-process.ts';

/** A user's inbox as the database has it. */
export interface StoredInbox {
  head: number;
  unread: number;
  unseen: number;
  /** Counted from the items. */
  counted: { unread: number; unseen: number };
  changes: StoredChange[];
  /** Numbers of the items that stand. */
  items: Set<number>;
}

interface StoredChange {
  seq: number;
  kind: 'ADDED' | 'UPDATED' | 'REMOVED';
  items: number[];
}

/** Reads the log of the user by their global id, items and other changes together, in order. */
export async function readInbox(query: Query, globalUserId: string): Promise<StoredInbox> {
  const userId = keyOf('User', globalUserId);
  const [inbox] = await query<Omit<StoredInbox, 'changes' | 'counted' | 'items'>>('SELECT head::int, unread, unseen FROM inboxes WHERE user_id = $1::uuid', [
    userId,
  ]);
  const [counted] = await query<StoredInbox['counted']>(
    `SELECT (count(*) FILTER (WHERE read_at IS NULL))::int AS unread, (count(*) FILTER (WHERE seen_at IS NULL))::int AS unseen
     FROM inbox_items WHERE user_id = $1::uuid AND archived_at IS NULL`,
    [userId],
  );
  const changes = await query<StoredChange>(
    `SELECT seq::int, 'ADDED' AS kind, json_build_array(seq) AS items FROM inbox_items WHERE user_id = $1::uuid
     UNION ALL SELECT seq::int, kind, array_to_json(items) FROM inbox_changes WHERE user_id = $1::uuid ORDER BY seq`,
    [userId],
  );
  const items = await query<{ seq: number }>('SELECT seq::int FROM inbox_items WHERE user_id = $1::uuid', [userId]);
  return {
    ...(inbox ?? { head: 0, unread: 0, unseen: 0 }),
    counted: counted ?? { unread: 0, unseen: 0 },
    changes,
    items: new Set(items.map(({ seq }) => seq)),
  };
}

/** What a client of the feed has to have seen: no gap, every change of the log once and in order, and READY only at its own position. */
export function differences(events: readonly FeedEvent[], stored: StoredInbox, from: number): string[] {
  const wrong: string[] = [];
  let at = from;
  for (const event of events) {
    const seq = seqOfCursor(event.cursor);
    if (event.__typename === 'InboxReady') {
      if (seq !== at) wrong.push(`READY at ${seq} after ${at}`);
      continue;
    }
    if (seq !== at + 1) wrong.push(`${event.__typename} ${seq} after ${at}`);
    at = seq;
    const change = stored.changes[seq - 1];
    if (change?.seq !== seq || !isSame(event, change, stored.items)) wrong.push(`${event.__typename} ${seq} is not ${JSON.stringify(change)}`);
  }
  if (at !== stored.head) wrong.push(`the last was ${at} of ${stored.head}`);
  return wrong;
}

const KINDS: Record<FeedEvent['__typename'], StoredChange['kind'] | null> = {
  InboxItemAdded: 'ADDED',
  InboxItemsUpdated: 'UPDATED',
  InboxItemsRemoved: 'REMOVED',
  InboxReady: null,
  InboxGap: null,
};

/** Items that are gone by now may be missing from a change, or make it a removal, as the client was told before or after that. */
function isSame(event: FeedEvent, change: StoredChange, standing: ReadonlySet<number>): boolean {
  const ids = event.ids ?? (event.items ?? (event.item === undefined ? [] : [event.item])).map(({ id }) => id);
  const seqs = ids.map((id) => splitInboxItemKey(keyOf('InboxItem', id) ?? '').seq);
  const kind = KINDS[event.__typename];
  const mayBeRemoval = change.items.every((seq) => !standing.has(seq));
  const stands = (list: readonly number[]): string =>
    list
      .filter((seq) => standing.has(seq))
      .sort((a, b) => a - b)
      .join();
  const isSubset = seqs.length > 0 && new Set(seqs).size === seqs.length && seqs.every((seq) => change.items.includes(seq));
  return (kind === change.kind || (kind === 'REMOVED' && mayBeRemoval)) && isSubset && stands(seqs) === stands(change.items);
}
