import type { Sql } from '../db/database.ts';
import type { Jobs } from '../pipeline/jobs.ts';

// Rows without foreign keys (prisma/schema.prisma) go by hand, set-based.

/** Locks the channels of a project or a user that is being deleted, in the order of their ids; inboxes and deliveries come after channels (ARCHITECTURE.md). */
export async function lockChannelsOf(tx: Sql, ownerId: string): Promise<void> {
  await tx.query('SELECT id FROM channels WHERE owner_id = $1::uuid ORDER BY id FOR UPDATE', [ownerId]);
}

/** Deletes a project's events and deliveries, with the jobs of those that wait. */
export async function purgeProject(tx: Sql, jobs: Jobs, projectId: string): Promise<void> {
  // All of them, in the order in which others lock some; the deletion below would take them as they lie.
  await tx.query('SELECT count(*) FROM (SELECT id FROM deliveries WHERE project_id = $1::uuid ORDER BY id FOR UPDATE) AS locked', [projectId]);
  const waiting = await tx.query<{ job_id: string }>(`SELECT job_id FROM deliveries WHERE project_id = $1::uuid AND status = 'QUEUED' AND job_id IS NOT NULL`, [
    projectId,
  ]);
  await jobs.drop(
    tx,
    waiting.map((row) => row.job_id),
  );
  await tx.query('DELETE FROM delivery_viewers AS v USING deliveries AS d WHERE d.id = v.delivery_id AND d.project_id = $1::uuid', [projectId]);
  await tx.query('DELETE FROM deliveries WHERE project_id = $1::uuid', [projectId]);
  await tx.query('DELETE FROM events WHERE project_id = $1::uuid', [projectId]);
}

/** Takes a project's deliveries off the list of one user, who may not know of them any more. Whoever clears the log locks these rows in the same order. */
export async function purgeDeliveryViews(tx: Sql, projectId: string, userId: string): Promise<void> {
  await tx.query(
    `WITH gone AS (
       SELECT v.delivery_id FROM delivery_viewers AS v JOIN deliveries AS d ON d.id = v.delivery_id
       WHERE v.user_id = $2::uuid AND d.project_id = $1::uuid ORDER BY v.delivery_id FOR UPDATE OF v
     )
     DELETE FROM delivery_viewers AS v USING gone WHERE v.user_id = $2::uuid AND v.delivery_id = gone.delivery_id`,
    [projectId, userId],
  );
}

/** Deletes a user's inbox, with its log, and list of deliveries. */
export async function purgeUser(tx: Sql, userId: string): Promise<void> {
  await tx.query('SELECT user_id FROM inboxes WHERE user_id = $1::uuid FOR UPDATE', [userId]);
  await tx.query('DELETE FROM inbox_items WHERE user_id = $1::uuid', [userId]);
  await tx.query('DELETE FROM inbox_changes WHERE user_id = $1::uuid', [userId]);
  await tx.query('SELECT count(*) FROM (SELECT 1 FROM delivery_viewers WHERE user_id = $1::uuid ORDER BY delivery_id FOR UPDATE) AS locked', [userId]);
  await tx.query('DELETE FROM delivery_viewers WHERE user_id = $1::uuid', [userId]);
}
