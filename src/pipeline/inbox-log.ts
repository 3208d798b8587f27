import type { Sql } from '../db/database.ts';
import type { InboxItemKind } from '../domain/inbox.ts';

/** A notice to one user: about a channel or a source that they answer for. */
export interface Notice {
  userId: string;
  kind: Exclude<InboxItemKind, 'EVENT'>;
  projectId: string | null;
  channelId: string | null;
  title: string;
  body: string | null;
}

/** Locks the change logs of these users, in the order of their ids, until the transaction ends. Users who are gone are left out. */
export async function lockInboxes(tx: Sql, userIds: readonly string[]): Promise<void> {
  await tx.query('SELECT user_id FROM inboxes WHERE user_id = ANY($1::uuid[]) ORDER BY user_id FOR NO KEY UPDATE', [userIds]);
}

/** Adds notices, each as one change of its user's inbox. Returns the users to wake. */
export async function addNotices(tx: Sql, notices: readonly Notice[], nowMs: number): Promise<string[]> {
  if (notices.length === 0) return [];
  const ranks = rankByUser(notices);
  const rows = notices.map((notice, index) => ({
    user_id: notice.userId,
    rank: ranks.ranks[index],
    kind: notice.kind,
    project_id: notice.projectId,
    channel_id: notice.channelId,
    notice: { title: notice.title, body: notice.body },
  }));
  const locked = lockInboxes(tx, [...ranks.counts.keys()]);
  const inserted = tx.query(
    `WITH moved AS (${MOVE_COUNTERS})
     INSERT INTO inbox_items (user_id, seq, kind, reason, project_id, channel_id, notice, created_at)
     SELECT r.user_id, moved.base + r.rank, r.kind, 'NOTICE', r.project_id, r.channel_id, r.notice, $3::timestamptz
     FROM json_to_recordset($4::json) AS r(user_id uuid, rank int, kind text, project_id uuid, channel_id uuid, notice jsonb) JOIN moved USING (user_id)`,
    [[...ranks.counts.keys()], [...ranks.counts.values()], new Date(nowMs), JSON.stringify(rows)],
  );
  await Promise.all([locked, inserted]);
  return [...ranks.counts.keys()];
}

/** Moves each user's counters ($1: ids, $2: by how many) for items added; the rows are locked before. Gives the number before the first new one. */
export const MOVE_COUNTERS = `
  UPDATE inboxes SET head = head + added.n, unread = unread + added.n, unseen = unseen + added.n
  FROM unnest($1::uuid[], $2::int[]) AS added(user_id, n) WHERE inboxes.user_id = added.user_id AND inboxes.user_id = ANY($1::uuid[])
  RETURNING inboxes.user_id, head - added.n AS base`;

/** For each row its place, from 1, among those of the same user, and for each user how many there are. */
export function rankByUser(rows: readonly { userId: string }[]): { ranks: number[]; counts: Map<string, number> } {
  const counts = new Map<string, number>();
  const ranks = rows.map(({ userId }) => {
    const rank = (counts.get(userId) ?? 0) + 1;
    counts.set(userId, rank);
    return rank;
  });
  return { ranks, counts };
}

/**
 * Takes the items of a project out of the inboxes of `userIds` (null: of everybody), as one change a user. The number under which an item was
 * added stays in the log, so that the sequence has no gap. Returns the users to wake.
 */
export async function removeInboxItems(tx: Sql, which: { projectId: string; userIds: readonly string[] | null }, nowMs: number): Promise<string[]> {
  const found = await tx.query<{ user_id: string }>(
    `SELECT user_id FROM inboxes AS b WHERE ($2::uuid[] IS NULL OR user_id = ANY($2::uuid[]))
       AND EXISTS (SELECT 1 FROM inbox_items AS i WHERE i.user_id = b.user_id AND i.project_id = $1::uuid)
     ORDER BY user_id FOR NO KEY UPDATE`,
    [which.projectId, which.userIds],
  );
  const userIds = found.map((row) => row.user_id);
  if (userIds.length === 0) return [];
  await tx.query(
    `WITH gone AS (
       DELETE FROM inbox_items WHERE project_id = $1::uuid AND user_id = ANY($2::uuid[])
       RETURNING user_id, seq, (read_at IS NULL AND archived_at IS NULL)::int AS unread, (seen_at IS NULL AND archived_at IS NULL)::int AS unseen
     ), added AS (
       INSERT INTO inbox_changes (user_id, seq, kind, items, created_at) SELECT user_id, seq, 'ADDED', ARRAY[seq], $3::timestamptz FROM gone
     ), totals AS (
       SELECT user_id, array_agg(seq ORDER BY seq) AS seqs, sum(unread) AS unread, sum(unseen) AS unseen FROM gone GROUP BY user_id
     ), moved AS (
       UPDATE inboxes SET head = head + 1, unread = inboxes.unread - t.unread, unseen = inboxes.unseen - t.unseen
       FROM totals AS t WHERE inboxes.user_id = t.user_id RETURNING inboxes.user_id, head, t.seqs
     )
     INSERT INTO inbox_changes (user_id, seq, kind, items, created_at) SELECT user_id, head, 'REMOVED', seqs, $3::timestamptz FROM moved`,
    [which.projectId, userIds, new Date(nowMs)],
  );
  return userIds;
}
