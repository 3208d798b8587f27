import type { Database } from '../db/database.ts';
import type { ProjectAction } from '../domain/access.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { Clock } from '../lib/clock.ts';
import type { Jobs } from '../pipeline/jobs.ts';
import { requireInProject } from './access.ts';
import type { Changes, Run } from './change.ts';

/** What every service works on. */
export interface ServiceDeps {
  db: Database;
  changes: Changes;
  /** Drops the jobs of deliveries that a change cancels. */
  jobs: Jobs;
  clock: Clock;
  /** Makes the ids of new rows. */
  newId: () => string;
}

/**
 * A change of one project by a viewer who may do `action` there; throws NOT_FOUND at `path`, or FORBIDDEN. Asked twice: before, so that nobody without
 * rights can make others wait for the lock, and under the lock, where the answer stands.
 */
export async function changeProject<T>(
  { db, changes }: Pick<ServiceDeps, 'db' | 'changes'>,
  by: { viewer: Viewer; action: ProjectAction; projectId: string; path: string },
  run: Run<T>,
): Promise<T> {
  const { viewer, action, projectId, path } = by;
  await requireInProject(db.prisma, viewer, action, projectId, path);
  return await changes.alone([projectId], async (tx, after) => {
    await requireInProject(tx, viewer, action, projectId, path);
    return await run(tx, after);
  });
}
