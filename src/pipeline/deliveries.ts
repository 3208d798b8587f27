import type { Database, Sql } from '../db/database.ts';
import type { Wakeups } from '../db/wakeups.ts';
import type { DeliveryStatus } from '../domain/delivery.ts';
import type { Trigger } from '../domain/trigger.ts';
import { cancelByIds } from './cancel.ts';
import type { Jobs } from './jobs.ts';

/** Which deliveries: all given parts hold. */
export interface DeliveryFilter {
  projectId?: string | null;
  status?: readonly DeliveryStatus[] | null;
  channelId?: string | null;
  channelType?: readonly string[] | null;
  subscriptionId?: string | null;
  eventId?: string | null;
  trigger?: readonly Trigger[] | null;
  taskId?: string | null;
  taskName?: string | null;
  since?: Date | null;
  until?: Date | null;
  /** Whether test sends are listed too. */
  includeTests?: boolean | null;
}

/** Whose: a project's own (an admin's view), or those that a user may see. */
export type DeliveryScope = { projectId: string } | { userId: string };

/** Deliveries a call of redeliver or cancelDeliveries (spec 5). */
export const DELIVERIES_PER_CALL_MAX = 10_000;

/** Ids of a page, newest first, or oldest first with `backward`: above and below are exclusive bounds of the id. */
export async function listDeliveryIds(
  sql: Sql,
  scope: DeliveryScope,
  filter: DeliveryFilter,
  page: { below: string | null; above: string | null; limit: number; backward: boolean },
): Promise<string[]> {
  const { where, values } = conditions(scope, filter);
  const rows = await sql.query<{ id: string }>(
    `SELECT d.id FROM ${'userId' in scope ? 'delivery_viewers AS v JOIN deliveries AS d ON d.id = v.delivery_id' : 'deliveries AS d'}
     WHERE ${where} AND ($${String(values.length + 1)}::uuid IS NULL OR d.id < $${String(values.length + 1)}::uuid) AND ($${String(values.length + 2)}::uuid IS NULL OR d.id > $${String(values.length + 2)}::uuid)
     ORDER BY d.id ${page.backward ? 'ASC' : 'DESC'} LIMIT $${String(values.length + 3)}::int`,
    [...values, page.below, page.above, page.limit],
  );
  return rows.map((row) => row.id);
}

/** Each filter as a condition on `d`, with its own parameter: what is not given costs nothing. */
function conditions(scope: DeliveryScope, filter: DeliveryFilter): { where: string; values: unknown[] } {
  const values: unknown[] = [];
  const parts: string[] = [];
  const add = (condition: (parameter: string) => string, value: unknown): void => {
    if (value === undefined || value === null) return;
    values.push(value);
    parts.push(condition(`$${String(values.length)}`));
  };
  if ('userId' in scope) add((p) => `v.user_id = ${p}::uuid`, scope.userId);
  else add((p) => `d.project_id = ${p}::uuid`, scope.projectId);
  add((p) => `d.project_id = ${p}::uuid`, filter.projectId);
  add((p) => `d.status = ANY(${p}::text[])`, filter.status);
  add((p) => `d.channel_id = ${p}::uuid`, filter.channelId);
  add((p) => `d.channel_type = ANY(${p}::text[])`, filter.channelType);
  add((p) => `d.subscription_ids @> ARRAY[${p}::uuid]`, filter.subscriptionId);
  add((p) => `d.event_id = ${p}`, filter.eventId);
  add((p) => `d.trigger = ANY(${p}::text[])`, filter.trigger);
  add((p) => `d.task_id = ${p}`, filter.taskId);
  add((p) => `d.task_name = ${p}`, filter.taskName);
  add((p) => `d.created_at >= ${p}::timestamptz`, filter.since);
  add((p) => `d.created_at < ${p}::timestamptz`, filter.until);
  if ('projectId' in scope && TELLING.some((name) => (filter[name] ?? null) !== null)) parts.push('d.channel_user_id IS NULL');
  if (filter.includeTests === false) parts.push(`d.trigger <> 'test.dispatch'`);
  return { where: parts.join(' AND '), values };
}

/** What admins may not know of a personal channel's deliveries (spec 10): asking for it must not tell it either. */
const TELLING = ['channelId', 'subscriptionId', 'eventId', 'taskId', 'taskName'] as const;

interface ChangeDeps {
  db: Database;
  jobs: Jobs;
  wakeups: Wakeups;
  now: () => number;
  newId: () => string;
}

/** Queues FAILED and CANCELLED ones of these deliveries again: age and schedule begin anew, numbering goes on, and recipients of a mail that refused it are asked again. Others are left alone. Returns the ids changed. */
export async function redeliver(deps: ChangeDeps, deliveryIds: readonly string[]): Promise<string[]> {
  const now = new Date(deps.now());
  const changed = await deps.db.transaction(async (tx) => {
    const rows = await tx.query<{ id: string; project_id: string; channel_id: string; job_id: string }>(
      `WITH input AS (
         SELECT d.id, i.job_id FROM deliveries AS d JOIN unnest($1::uuid[], $2::uuid[]) AS i(id, job_id) ON i.id = d.id
         WHERE d.id = ANY($1::uuid[]) AND d.status IN ('FAILED', 'CANCELLED') AND d.event_ref IS NOT NULL ORDER BY d.id FOR NO KEY UPDATE OF d
       )
       UPDATE deliveries AS d SET status = 'QUEUED', reason = NULL, round_attempts = 0, queued_at = $3::timestamptz, next_attempt_at = $3::timestamptz, finished_at = NULL,
         has_slot = false, job_id = i.job_id, recipients = (SELECT jsonb_object_agg(key, value) FROM jsonb_each(d.recipients) WHERE value::int < 300)
       FROM input AS i WHERE d.id = i.id RETURNING d.id, d.project_id, d.channel_id, d.job_id`,
      [deliveryIds, deliveryIds.map(() => deps.newId()), now],
    );
    await deps.jobs.add(
      tx,
      rows.map((row) => ({ id: row.job_id, deliveryId: row.id, channelId: row.channel_id, at: null })),
    );
    return rows;
  });
  for (const [projectId, rows] of Map.groupBy(changed, (row) => row.project_id))
    deps.wakeups.deliveries(
      projectId,
      rows.map((row) => row.id),
    );
  if (changed.length > 0) deps.wakeups.jobs();
  return changed.map((row) => row.id);
}

/** Cancels those of these deliveries that are QUEUED. Returns the ids changed. */
export async function cancelDeliveries(deps: ChangeDeps, deliveryIds: readonly string[]): Promise<string[]> {
  const cancelled = await deps.db.transaction((tx) => cancelByIds(tx, deps.jobs, deliveryIds, deps.now()));
  for (const { projectId, deliveryIds: ids } of cancelled) deps.wakeups.deliveries(projectId, ids);
  return cancelled.flatMap(({ deliveryIds: ids }) => ids);
}

/** Deletes a project's finished deliveries created before a time, in batches. Returns how many. */
export async function clearDeliveries(deps: { db: Database }, projectId: string, before: Date): Promise<number> {
  for (let deleted = 0; ; ) {
    const rows = await deps.db.transaction((tx) => tx.query(CLEAR, [projectId, before]));
    deleted += rows.length;
    if (rows.length === 0) return deleted;
  }
}

const CLEAR = `
  WITH gone AS (
    DELETE FROM deliveries WHERE id IN (
      SELECT id FROM deliveries WHERE project_id = $1::uuid AND status <> 'QUEUED' AND created_at < $2::timestamptz ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED
    ) RETURNING id
  ), seen AS (
    SELECT v.delivery_id, v.user_id FROM delivery_viewers AS v JOIN gone ON gone.id = v.delivery_id ORDER BY v.delivery_id, v.user_id FOR UPDATE OF v
  ), viewers AS (DELETE FROM delivery_viewers AS v USING seen WHERE v.delivery_id = seen.delivery_id AND v.user_id = seen.user_id)
  SELECT id FROM gone`;

export interface StatsBucket {
  start: Date;
  channelType: string;
  status: DeliveryStatus;
  count: number;
}

/** A project's deliveries counted by time of creation, kind of channel and status; buckets of `bucketSeconds` from `since` on, empty ones left out. */
export async function deliveryStats(sql: Sql, projectId: string, since: Date, until: Date, bucketSeconds: number): Promise<StatsBucket[]> {
  return await sql.query<StatsBucket>(
    `SELECT $2::timestamptz + make_interval(secs => bucket * $4::int) AS start, channel_type AS "channelType", status, count(*)::int AS count
     FROM (SELECT channel_type, status, floor(extract(epoch FROM created_at - $2::timestamptz) / $4::int) AS bucket FROM deliveries
       WHERE project_id = $1::uuid AND created_at >= $2::timestamptz AND created_at < $3::timestamptz AND trigger <> 'test.dispatch') AS d
     GROUP BY bucket, channel_type, status ORDER BY bucket, channel_type, status`,
    [projectId, since, until, bucketSeconds],
  );
}
