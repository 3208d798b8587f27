import type { Database, Sql } from '../db/database.ts';
import type { Wakeups } from '../db/wakeups.ts';
import { forgetCooldowns } from './cooldowns.ts';
import type { Jobs } from './jobs.ts';
import { forgetDestinations } from './pacer.ts';
import { forgetRuleChanges } from './subscription-index.ts';
import { forgetTests } from './test-throttle.ts';

export interface SweepResult {
  /** QUEUED deliveries that had no live job: a bug or a hand in the database. */
  repaired: number;
  cooldowns: number;
  ruleChanges: number;
  destinations: number;
  testThrottles: number;
}

interface SweepDeps {
  db: Database;
  jobs: Jobs;
  wakeups: Wakeups;
  now: () => number;
  newId: () => string;
}

/**
 * What is looked at once a minute: no QUEUED delivery without a live job, cooldown keys that hold nothing any more, changes of rules that every index has taken
 * in, destinations at rest, test sends that no throttle counts any more.
 */
export async function sweep(deps: SweepDeps): Promise<SweepResult> {
  const repaired = await deps.db.transaction((tx) => repairJobs(deps, tx));
  if (repaired > 0) deps.wakeups.jobs();
  const { sql } = deps.db;
  return {
    repaired,
    cooldowns: await forgetCooldowns(sql),
    ruleChanges: await forgetRuleChanges(sql),
    destinations: await forgetDestinations(sql),
    testThrottles: await forgetTests(sql, deps.now()),
  };
}

/**
 * The job and the delivery that names it are written together, so a job that is missing is gone. The row is locked only where it still names that job: it
 * may have moved on since the statement began.
 */
const ORPHANS = `
  WITH orphans AS MATERIALIZED (
    SELECT d.id, d.job_id FROM deliveries AS d WHERE d.status = 'QUEUED' AND NOT EXISTS (
      SELECT 1 FROM pgboss.job AS j WHERE j.name = 'deliver' AND j.id = d.job_id AND j.state IN ('created', 'retry', 'active')) LIMIT 1000
  )
  SELECT d.id, d.channel_id FROM deliveries AS d JOIN orphans AS o ON o.id = d.id AND o.job_id IS NOT DISTINCT FROM d.job_id
  WHERE d.status = 'QUEUED' ORDER BY d.id FOR NO KEY UPDATE OF d SKIP LOCKED`;

async function repairJobs(deps: SweepDeps, tx: Sql): Promise<number> {
  const orphans = await tx.query<{ id: string; channel_id: string }>(ORPHANS);
  if (orphans.length === 0) return 0;
  const jobs = orphans.map((row) => ({ id: deps.newId(), deliveryId: row.id, channelId: row.channel_id, at: null }));
  await tx.query('UPDATE deliveries AS d SET job_id = i.job_id, has_slot = false FROM unnest($1::uuid[], $2::uuid[]) AS i(id, job_id) WHERE d.id = i.id', [
    jobs.map((job) => job.deliveryId),
    jobs.map((job) => job.id),
  ]);
  await deps.jobs.add(tx, jobs);
  return jobs.length;
}
