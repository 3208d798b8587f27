import type { Sql } from '../db/database.ts';
import type { Jobs } from '../pipeline/jobs.ts';

// Rows without foreign keys (prisma/schema.prisma) go by hand, set-based.

/** Deletes a project's events and deliveries, with the jobs of those that wait. */
export async function purgeProject(tx: Sql, jobs: Jobs, projectId: string): Promise<void> {
  const waiting = await tx.query<{ job_id: string }>(
    `SELECT job_id FROM deliveries WHERE project_id = $1::uuid AND status = 'QUEUED' AND job_id IS NOT NULL ORDER BY id FOR UPDATE`,
    [projectId],
  );
  await jobs.drop(
    tx,
    waiting.map((row) => row.job_id),
  );
  await tx.query('DELETE FROM delivery_viewers AS v USING deliveries AS d WHERE d.id = v.delivery_id AND d.project_id = $1::uuid', [projectId]);
  await tx.query('DELETE FROM deliveries WHERE project_id = $1::uuid', [projectId]);
  await tx.query('DELETE FROM events WHERE project_id = $1::uuid', [projectId]);
}

/** Takes a project's deliveries off the list of one user, who may not know of them any more. */
export async function purgeDeliveryViews(tx: Sql, projectId: string, userId: string): Promise<void> {
  await tx.query('DELETE FROM delivery_viewers AS v USING deliveries AS d WHERE v.user_id = $2::uuid AND d.id = v.delivery_id AND d.project_id = $1::uuid', [
    projectId,
    userId,
  ]);
}

/** Deletes a user's inbox, with its log, and list of deliveries. */
export async function purgeUser(tx: Sql, userId: string): Promise<void> {
  await tx.query('SELECT user_id FROM inboxes WHERE user_id = $1::uuid FOR UPDATE', [userId]);
  await tx.query('DELETE FROM inbox_items WHERE user_id = $1::uuid', [userId]);
  await tx.query('DELETE FROM inbox_changes WHERE user_id = $1::uuid', [userId]);
  await tx.query('DELETE FROM delivery_viewers WHERE user_id = $1::uuid', [userId]);
}
