import type { Sql } from '../db/database.ts';
import type { CancelReason } from '../domain/delivery.ts';
import type { Jobs } from './jobs.ts';

/** Deliveries of one project that changed. */
export interface CancelledDeliveries {
  projectId: string;
  deliveryIds: string[];
}

interface CancelledRow {
  id: string;
  project_id: string;
  job_id: string | null;
}

/** Deliveries by a condition on `d`, a row of deliveries, with parameters from $3 on. */
interface Which {
  where: string;
  values: readonly unknown[];
}

/**
 * Cancels QUEUED deliveries and drops their jobs, in the caller's transaction. One that is being sent at this moment ends SENT where the receiver takes it.
 */
async function cancel(tx: Sql, jobs: Jobs, which: Which, reason: CancelReason, nowMs: number): Promise<CancelledDeliveries[]> {
  const rows = await tx.query<CancelledRow>(
    `WITH waiting AS (SELECT d.id FROM deliveries AS d WHERE d.status = 'QUEUED' AND ${which.where} ORDER BY d.id FOR NO KEY UPDATE)
     UPDATE deliveries AS d SET status = 'CANCELLED', reason = $1, finished_at = $2::timestamptz, next_attempt_at = NULL, has_slot = false
     WHERE d.id = ANY(ARRAY(SELECT id FROM waiting))
     RETURNING d.id, d.project_id, d.job_id`,
    [reason, new Date(nowMs), ...which.values],
  );
  await jobs.drop(
    tx,
    rows.flatMap((row) => row.job_id ?? []),
  );
  return [...Map.groupBy(rows, (row) => row.project_id)].map(([projectId, group]) => ({ projectId, deliveryIds: group.map((row) => row.id) }));
}

/** Locks what waits for any of these in the order of ids, for a transaction that cancels it in several statements. */
export async function lockWaiting(tx: Sql, waitingFor: { subscriptionIds: readonly string[]; channelIds: readonly string[] }): Promise<void> {
  await tx.query(
    `SELECT d.id FROM deliveries AS d WHERE d.status = 'QUEUED' AND (d.subscription_ids && $1::uuid[] OR d.channel_id = ANY($2::uuid[]))
     ORDER BY d.id FOR NO KEY UPDATE`,
    [waitingFor.subscriptionIds, waitingFor.channelIds],
  );
}

/** Cancels what waits for these subscriptions and for no other that stands. Call it after they were deleted, switched off, or lost their owner's membership. */
export async function cancelForSubscriptions(
  tx: Sql,
  jobs: Jobs,
  projectId: string,
  subscriptionIds: readonly string[],
  nowMs: number,
): Promise<CancelledDeliveries[]> {
  const which = { where: `d.project_id = $3::uuid AND d.subscription_ids && $4::uuid[] AND NOT ${STANDS}`, values: [projectId, subscriptionIds] };
  return await cancel(tx, jobs, which, 'NO_SUBSCRIPTION', nowMs);
}

/** Cancels what waits for a channel that is being deleted or switched off. */
export async function cancelForChannel(
  tx: Sql,
  jobs: Jobs,
  channelId: string,
  reason: 'CHANNEL_DELETED' | 'CHANNEL_OFF',
  nowMs: number,
): Promise<CancelledDeliveries[]> {
  return await cancel(tx, jobs, { where: 'd.channel_id = $3::uuid', values: [channelId] }, reason, nowMs);
}

/** Cancels deliveries by id, as their owners ask. */
export async function cancelByIds(tx: Sql, jobs: Jobs, deliveryIds: readonly string[], nowMs: number): Promise<CancelledDeliveries[]> {
  return await cancel(tx, jobs, { where: 'd.id = ANY($3::uuid[])', values: [deliveryIds] }, 'REQUESTED', nowMs);
}

/** Whether one of the subscriptions of `d` stands: it exists, is active, and its owner is a member of the project. */
export const STANDS = `EXISTS (
  SELECT 1 FROM subscriptions AS s WHERE s.id = ANY(d.subscription_ids) AND s.is_active
    AND (s.user_id IS NULL OR EXISTS (SELECT 1 FROM memberships AS m WHERE m.project_id = s.project_id AND m.user_id = s.user_id)))`;
