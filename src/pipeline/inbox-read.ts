import type { Sql } from '../db/database.ts';
import type { InboxCounts, InboxFilter, InboxItemKind, InboxReason } from '../domain/inbox.ts';
import type { Trigger } from '../domain/trigger.ts';

/** One item with what its event says; the texts stand in the event's row only. */
export interface InboxItemRow {
  userId: string;
  seq: number;
  kind: InboxItemKind;
  reason: InboxReason;
  projectId: string | null;
  subscriptionId: string | null;
  channelId: string | null;
  suppressedCount: number;
  notice: { title: string; body: string | null } | null;
  createdAt: Date;
  seenAt: Date | null;
  readAt: Date | null;
  archivedAt: Date | null;
  event: InboxEventRow | null;
}

export interface InboxEventRow {
  eventId: string;
  trigger: Trigger;
  taskId: string | null;
  taskName: string | null;
  queue: string | null;
  agent: string | null;
  /** Its first 2,000 characters. */
  exception: string | null;
  data: unknown;
}

/** The head of a user's change log with the counts of the same moment. */
export interface InboxState extends InboxCounts {
  head: number;
}

/** Reads head and counts, O(1). */
export async function readInboxState(sql: Sql, userId: string): Promise<InboxState> {
  const [row] = await sql.query<InboxState>('SELECT head, unread, unseen FROM inboxes WHERE user_id = $1::uuid', [userId]);
  return row ?? { head: 0, unread: 0, unseen: 0 };
}

/** Unread and unseen items of one project, counted by the index of what is unread and unseen. */
export async function countProjectInbox(sql: Sql, userId: string, projectId: string): Promise<InboxCounts> {
  const [row] = await sql.query<InboxCounts>(
    `SELECT (count(*) FILTER (WHERE read_at IS NULL))::int AS unread, (count(*) FILTER (WHERE seen_at IS NULL))::int AS unseen
     FROM inbox_items WHERE user_id = $1::uuid AND project_id = $2::uuid AND read_at IS NULL AND archived_at IS NULL`,
    [userId, projectId],
  );
  return row ?? { unread: 0, unseen: 0 };
}

/** Items by their numbers, in no order; those that are gone are missing. */
export async function loadItems(sql: Sql, keys: readonly { userId: string; seq: number }[]): Promise<InboxItemRow[]> {
  if (keys.length === 0) return [];
  const rows = await sql.query<FlatItem>(BY_KEYS, [keys.map((key) => key.userId), keys.map((key) => key.seq)]);
  return rows.map(nest);
}

/**
 * A page of a user's inbox: newest first where `backward` is false, `limit` items with numbers below `before` and above `after` (each where given).
 * With `backward`, the oldest of that range, oldest first.
 */
export async function listItems(
  sql: Sql,
  userId: string,
  filter: InboxFilter,
  page: { below: number | null; above: number | null; limit: number; backward: boolean },
): Promise<InboxItemRow[]> {
  const rows = await sql.query<FlatItem>(
    `${selectItems('inbox_items AS i')} WHERE i.user_id = $1::uuid AND ($2::bigint IS NULL OR i.seq < $2::bigint) AND ($3::bigint IS NULL OR i.seq > $3::bigint)
       AND ($4::uuid IS NULL OR i.project_id = $4::uuid) AND (i.archived_at IS NOT NULL) = $5::boolean AND ($6::boolean IS NOT TRUE OR i.read_at IS NULL)
       AND ($7::text[] IS NULL OR e.trigger = ANY($7::text[])) AND ($8::text IS NULL OR e.task_name = $8::text)
     ORDER BY i.seq ${page.backward ? 'ASC' : 'DESC'} LIMIT $9::int`,
    [
      userId,
      page.below,
      page.above,
      filter.projectId ?? null,
      filter.archived ?? false,
      filter.unreadOnly ?? null,
      filter.trigger ?? null,
      filter.taskName ?? null,
      page.limit,
    ],
  );
  return rows.map(nest);
}

type FlatItem = Omit<InboxItemRow, 'event'> & InboxEventRow;

/** Reads items from `source`, which gives rows of inbox_items as i. */
const selectItems = (source: string): string => `
  SELECT i.user_id AS "userId", i.seq, i.kind, i.reason, i.project_id AS "projectId", i.subscription_id AS "subscriptionId", i.channel_id AS "channelId",
    i.suppressed_count AS "suppressedCount", i.notice, i.created_at AS "createdAt", i.seen_at AS "seenAt", i.read_at AS "readAt", i.archived_at AS "archivedAt",
    e.event_id AS "eventId", e.trigger, e.task_id AS "taskId", e.task_name AS "taskName", e.queue, e.agent, left(e.exception, 2000) AS exception, e.data
  FROM ${source} LEFT JOIN LATERAL (SELECT * FROM events WHERE id = i.event_ref OFFSET 0) AS e ON true`;

const BY_KEYS = selectItems(
  'unnest($1::uuid[], $2::bigint[]) AS k(user_id, seq) CROSS JOIN LATERAL (SELECT * FROM inbox_items WHERE user_id = k.user_id AND seq = k.seq OFFSET 0) AS i',
);

function nest({ eventId, trigger, taskId, taskName, queue, agent, exception, data, ...item }: FlatItem): InboxItemRow {
  return { ...item, event: (eventId as string | null) === null ? null : { eventId, trigger, taskId, taskName, queue, agent, exception, data } };
}
