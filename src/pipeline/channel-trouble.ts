import type { Database, Sql } from '../db/database.ts';
import { lockProjectsAlone } from '../db/locks.ts';
import type { Wakeups } from '../db/wakeups.ts';
import { cancelForChannel } from './cancel.ts';
import { addNotices, type Notice } from './inbox-log.ts';
import type { Jobs } from './jobs.ts';

/** A channel that only failed for this long is switched off (spec 5). */
export const SWITCHED_OFF_AFTER_MS = 5 * 86_400_000;

/** Somebody who answers for a channel: its owner, or each admin of its project. */
export interface Recipient {
  channelId: string;
  channelName: string;
  projectId: string | null;
  userId: string;
  lastError: string | null;
}

/**
 * Who answers for these channels, whose rows are locked against deletion: the second change of a channel's health in one transaction looks at its channel
 * again (PostgreSQL does so for a foreign key), which would come too late in the lock order.
 */
export async function recipientsOf(tx: Sql, channelIds: readonly string[]): Promise<Recipient[]> {
  return await tx.query<Recipient>(
    `SELECT c.id AS "channelId", c.name AS "channelName", c.project_id AS "projectId", coalesce(c.user_id, m.user_id) AS "userId", h.last_error AS "lastError"
     FROM channels AS c JOIN channel_health AS h ON h.channel_id = c.id LEFT JOIN memberships AS m ON m.project_id = c.project_id AND m.role = 'ADMIN'
     WHERE c.id = ANY($1::uuid[]) AND coalesce(c.user_id, m.user_id) IS NOT NULL ORDER BY c.id, "userId" FOR KEY SHARE OF c`,
    [channelIds],
  );
}

/** Tells of channels whose delivery ended FAILED, once until one is SENT again. The recipients' inboxes are locked. Returns the users to wake. */
export async function noticeFailing(tx: Sql, channelIds: readonly string[], recipients: readonly Recipient[], nowMs: number): Promise<string[]> {
  const rows = await tx.query<{ channel_id: string; last_error: string | null }>(
    'UPDATE channel_health SET noticed = true WHERE channel_id = ANY($1::uuid[]) AND NOT noticed RETURNING channel_id, last_error',
    [channelIds],
  );
  const errors = new Map(rows.map((row) => [row.channel_id, row.last_error]));
  const told = recipients.filter((recipient) => errors.has(recipient.channelId));
  return await addNotices(
    tx,
    told.map((recipient) => noticeOf(recipient, 'CHANNEL_FAILING', `Channel failing: ${recipient.channelName}`, errors.get(recipient.channelId) ?? null)),
    nowMs,
  );
}

function noticeOf(recipient: Recipient, kind: Notice['kind'], title: string, body: string | null): Notice {
  return { userId: recipient.userId, kind, projectId: recipient.projectId, channelId: recipient.channelId, title, body };
}

/** Switches a channel off: what waits for it is cancelled, and those who answer for it are told. Nothing happens where it is off or gone already. */
export async function disableChannel(
  deps: { db: Database; jobs: Jobs; wakeups: Wakeups; now: () => number },
  channelId: string,
  reason: string,
): Promise<void> {
  const done = await deps.db.transaction(async (tx) => {
    await lockProjectsAlone(tx, await projectsOfChannel(tx, channelId));
    const rows = await tx.query(
      'UPDATE channels SET is_active = false, disabled_reason = $2, updated_at = $3::timestamptz WHERE id = $1::uuid AND is_active RETURNING id',
      [channelId, reason, new Date(deps.now())],
    );
    if (rows.length === 0) return null;
    const recipients = await recipientsOf(tx, [channelId]);
    const userIds = await addNotices(
      tx,
      recipients.map((recipient) =>
        noticeOf(recipient, 'CHANNEL_DISABLED', `Channel switched off: ${recipient.channelName}`, `It was switched off because ${reason}.`),
      ),
      deps.now(),
    );
    return { userIds, cancelled: await cancelForChannel(tx, deps.jobs, channelId, 'CHANNEL_OFF', deps.now()) };
  });
  if (done === null) return;
  deps.wakeups.inbox(done.userIds);
  for (const { projectId, deliveryIds } of done.cancelled) deps.wakeups.deliveries(projectId, deliveryIds);
}

/** The projects in which a channel may be used: its own, or all of its owner's. */
async function projectsOfChannel(tx: Sql, channelId: string): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `SELECT coalesce(c.project_id, m.project_id) AS id FROM channels AS c LEFT JOIN memberships AS m ON m.user_id = c.user_id
     WHERE c.id = $1::uuid AND coalesce(c.project_id, m.project_id) IS NOT NULL`,
    [channelId],
  );
  return rows.map((row) => row.id);
}
