import type { Database, Sql } from '../db/database.ts';
import type { Wakeups } from '../db/wakeups.ts';
import { INBOX_OPERATIONS, type InboxCounts, type InboxFilter, type InboxOperation } from '../domain/inbox.ts';

/** Items by their numbers, or all that a filter selects; `upToSeq` leaves out what was added after that number. */
export type InboxSelection = { seqs: readonly number[]; upToSeq: number | null } | { filter: InboxFilter; upToSeq: number | null };

export interface InboxChanged {
  changed: number;
  counts: InboxCounts;
  /** Numbers of the first 100 items changed, newest first. */
  seqs: number[];
}

/** Items a transaction: bounds how long the user's log stays locked. */
const ITEMS_PER_TRANSACTION = 10_000;
/** Items a change (spec 8). */
const ITEMS_PER_CHANGE = 100;

/**
 * Marks items as seen, read or unread, archives or restores them: one change of the log per 100 items altered, counts moved with them. Items of
 * others, and those that are so already, are left alone and not counted.
 */
export async function changeInbox(
  deps: { db: Database; wakeups: Wakeups; now: () => number },
  userId: string,
  operation: InboxOperation,
  selection: InboxSelection,
): Promise<InboxChanged> {
  const total: InboxChanged = { changed: 0, counts: { unread: 0, unseen: 0 }, seqs: [] };
  for (;;) {
    const part = await deps.db.transaction((tx) => changePart(tx, userId, operation, selection, new Date(deps.now())));
    total.changed += part.changed;
    total.counts = part.counts;
    total.seqs.push(...part.seqs.slice(0, ITEMS_PER_CHANGE - total.seqs.length));
    if (part.changed > 0) deps.wakeups.inbox([userId]);
    if (part.changed < ITEMS_PER_TRANSACTION) return total;
  }
}

async function changePart(tx: Sql, userId: string, operation: InboxOperation, selection: InboxSelection, now: Date): Promise<InboxChanged> {
  await tx.query('SELECT 1 AS locked FROM inboxes WHERE user_id = $1::uuid FOR NO KEY UPDATE', [userId]);
  const { alters, set } = INBOX_OPERATIONS[operation];
  const [row] = await tx.query<{ seqs: number[]; unread: number; unseen: number }>(
    `WITH old AS (
       SELECT seq, ${UNREAD} AS unread, ${UNSEEN} AS unseen FROM inbox_items AS i
       WHERE user_id = $1::uuid AND ${alters} AND ${SELECTED} ORDER BY seq DESC LIMIT ${String(ITEMS_PER_TRANSACTION)}
     ), new AS (
       UPDATE inbox_items AS i SET ${set} FROM old WHERE i.user_id = $1::uuid AND i.seq = old.seq
       RETURNING i.seq, ${UNREAD} - old.unread AS unread, ${UNSEEN} - old.unseen AS unseen
     ), changes AS (
       SELECT array_agg(seq ORDER BY seq DESC) AS seqs, sum(unread)::int AS unread, sum(unseen)::int AS unseen, count(*) AS n FROM new HAVING count(*) > 0
     ), moved AS (
       UPDATE inboxes SET head = head + (n + ${String(ITEMS_PER_CHANGE - 1)}) / ${String(ITEMS_PER_CHANGE)}, unread = inboxes.unread + c.unread, unseen = inboxes.unseen + c.unseen
       FROM changes AS c WHERE user_id = $1::uuid RETURNING head - (n + ${String(ITEMS_PER_CHANGE - 1)}) / ${String(ITEMS_PER_CHANGE)} AS base, c.seqs, inboxes.unread, inboxes.unseen
     ), logged AS (
       INSERT INTO inbox_changes (user_id, seq, kind, items, created_at)
       SELECT $1::uuid, base + part, 'UPDATED', seqs[(part - 1) * ${String(ITEMS_PER_CHANGE)} + 1 : part * ${String(ITEMS_PER_CHANGE)}], $2::timestamptz
       FROM moved, generate_series(1, (cardinality(seqs) + ${String(ITEMS_PER_CHANGE - 1)}) / ${String(ITEMS_PER_CHANGE)}) AS part
     )
     SELECT array_to_json(seqs) AS seqs, unread, unseen FROM moved`,
    [userId, now, ...selectionValues(selection)],
  );
  if (row !== undefined) return { changed: row.seqs.length, counts: { unread: row.unread, unseen: row.unseen }, seqs: row.seqs };
  const [counts] = await tx.query<InboxCounts>('SELECT unread, unseen FROM inboxes WHERE user_id = $1::uuid', [userId]);
  return { changed: 0, counts: counts ?? { unread: 0, unseen: 0 }, seqs: [] };
}

const UNREAD = '(i.read_at IS NULL AND i.archived_at IS NULL)::int';
const UNSEEN = '(i.seen_at IS NULL AND i.archived_at IS NULL)::int';
const SELECTED = `
  ($3::bigint[] IS NULL OR seq = ANY($3::bigint[])) AND ($4::bigint IS NULL OR seq <= $4::bigint)
  AND ($5::uuid IS NULL OR project_id = $5::uuid) AND ($6::boolean IS NULL OR (archived_at IS NOT NULL) = $6::boolean) AND ($7::boolean IS NOT TRUE OR read_at IS NULL)
  AND (($8::text[] IS NULL AND $9::text IS NULL) OR EXISTS (
    SELECT 1 FROM events AS e WHERE e.id = i.event_ref AND ($8::text[] IS NULL OR e.trigger = ANY($8::text[])) AND ($9::text IS NULL OR e.task_name = $9::text)))`;

/** $3 numbers, $4 upTo, $5 project, $6 archived, $7 unread only, $8 triggers, $9 task name. */
function selectionValues(selection: InboxSelection): unknown[] {
  if ('seqs' in selection) return [selection.seqs, selection.upToSeq, null, null, null, null, null];
  const { projectId, archived, unreadOnly, trigger, taskName } = selection.filter;
  return [null, selection.upToSeq, projectId ?? null, archived ?? false, unreadOnly ?? null, trigger ?? null, taskName ?? null];
}
