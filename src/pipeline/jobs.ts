import type { PGlite } from '@electric-sql/pglite';
import type pg from 'pg';
import { type Db, fromPglite, PgBoss } from 'pg-boss';
import type { Sql } from '../db/database.ts';

/** "Attempt this delivery at that time", and nothing else. */
export interface NewJob {
  id: string;
  deliveryId: string;
  channelId: string;
  /** Epoch milliseconds; null: now. */
  at: number | null;
}

/** A job that this process has claimed: others get it again only when it expires. */
export interface ClaimedJob {
  id: string;
  retryCount: number;
  deliveryId: string;
  channelId: string;
}

export interface Jobs {
  /** Inserts jobs in the caller's transaction. */
  add(tx: Sql, jobs: readonly NewJob[]): Promise<void>;
  /** Deletes claimed jobs in the caller's transaction, those left alone that another process has claimed since. */
  finish(tx: Sql, jobs: readonly ClaimedJob[]): Promise<void>;
  /** Makes claimed jobs due again in the caller's transaction, in their old place in the queue, those left alone that another process has claimed since. */
  giveBack(tx: Sql, jobs: readonly ClaimedJob[]): Promise<void>;
  /** Deletes jobs that wait, by id, in the caller's transaction. */
  drop(tx: Sql, jobIds: readonly string[]): Promise<void>;
  /** Claims up to `limit` jobs that are due, none of `ignoredChannelIds`. */
  claim(limit: number, ignoredChannelIds: readonly string[]): Promise<ClaimedJob[]>;
  /** Makes jobs that are claimed by nobody alive due again; only where no other process can exist (PGlite). */
  releaseAll(): Promise<number>;
  /** Runs `run` on this schedule (cron, UTC), by one process of all. */
  schedule(name: string, cron: string, run: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Longer than any attempt may take with what surrounds it: waiting for a slot (dispatch.ts READY_MAX_MS), 30 s sending by SMTP, and settling. What a crash left is due again
 * when pg-boss next looks for claims that ended, and within 45 s (spec 5) altogether.
 */
const CLAIM_SECONDS = 36;
const LOOK_SECONDS = 3;
const QUEUE = 'deliver';
/** Our own table counts attempts; a job itself is claimed again as often as its claims expire. */
const CLAIMS_MAX = 1_000_000;

/**
 * As pg-boss's own fetch() claims (12.38, plans.js fetchNextJob), but by the rows' places instead of by a join with the table. A queue is most often empty when
 * PostgreSQL looks, and the plan for an empty table reads the whole queue for every job: 10,000 waiting jobs made a claim of 32 cost 20 ms instead of 0.6. A
 * row that is locked stays in its place; one that moved since the snapshot is not found there, and is claimed the next time.
 */
const CLAIM = `
  WITH next AS (
    SELECT ctid FROM pgboss.job_common
    WHERE name = '${QUEUE}' AND state < 'active' AND NOT blocked AND start_after <= pgboss.job_now() AND group_id <> ALL($2::text[])
    ORDER BY priority DESC, created_on LIMIT $1 FOR UPDATE SKIP LOCKED
  )
  UPDATE pgboss.job_common SET state = 'active', started_on = pgboss.job_now(), heartbeat_on = pgboss.job_now(),
    retry_count = CASE WHEN started_on IS NOT NULL THEN retry_count + 1 ELSE retry_count END
  WHERE ctid = ANY(ARRAY(SELECT ctid FROM next)) RETURNING id, retry_count AS "retryCount", data->>'deliveryId' AS "deliveryId", group_id AS "channelId"`;

interface JobData {
  deliveryId: string;
}

/** Where pg-boss keeps its jobs: the pool or the PGlite that everything else uses. */
export type JobStore = { pool: pg.Pool } | { pglite: PGlite };

/** Starts pg-boss on the same database; its tables live in the schema `pgboss`, made and migrated by itself. */
export async function startJobs(store: JobStore, sql: Sql, onError: (error: unknown) => void): Promise<Jobs> {
  const boss = new PgBoss({
    db: 'pool' in store ? poolDb(store.pool) : fromPglite(store.pglite),
    backend: 'pool' in store ? 'postgres' : 'pglite',
    superviseIntervalSeconds: LOOK_SECONDS,
    // Shorter, so that no look is left out because the one before it was a moment late.
    monitorIntervalSeconds: LOOK_SECONDS - 1,
  });
  boss.on('error', onError);
  await boss.start();
  const options = { retryLimit: CLAIMS_MAX, retryDelay: 0, expireInSeconds: CLAIM_SECONDS };
  await boss.createQueue(QUEUE, options);
  await boss.updateQueue(QUEUE, options);

  return {
    add: async (tx, jobs) => {
      if (jobs.length === 0) return;
      await boss.insert(
        QUEUE,
        jobs.map((job) => ({
          id: job.id,
          data: { deliveryId: job.deliveryId },
          group: { id: job.channelId },
          ...(job.at === null ? {} : { startAfter: new Date(job.at) }),
        })),
        { db: sqlDb(tx) },
      );
    },
    finish: async (tx, jobs) => {
      if (jobs.length > 0) await boss.deleteJob(QUEUE, [...jobs], { db: sqlDb(tx) });
    },
    giveBack: async (tx, jobs) => {
      if (jobs.length > 0) await boss.fail(QUEUE, [...jobs], null, { db: sqlDb(tx) });
    },
    drop: async (tx, jobIds) => {
      if (jobIds.length > 0) await boss.deleteJob(QUEUE, [...jobIds], { db: sqlDb(tx) });
    },
    claim: (limit, ignoredChannelIds) => sql.query<ClaimedJob>(CLAIM, [limit, ignoredChannelIds]),
    releaseAll: async () => {
      const jobs = await boss.findJobs<JobData>(QUEUE, { limit: 100_000 });
      const ids = jobs.filter((job) => job.state === 'active').map((job) => job.id);
      if (ids.length > 0) await boss.fail(QUEUE, ids);
      return ids.length;
    },
    schedule: async (name, cron, run) => {
      await boss.createQueue(name, { retryLimit: 0, expireInSeconds: 600, deleteAfterSeconds: 60, policy: 'singleton' });
      await boss.work(name, { pollingIntervalSeconds: 5 }, run);
      await boss.schedule(name, cron);
    },
    stop: async () => {
      await boss.stop({ graceful: true, timeout: 2_000, close: false });
    },
  };
}

function sqlDb(sql: Sql): Db {
  return { executeSql: async (text, values) => ({ rows: await sql.query(text, values ?? []) }) };
}

/** A text of several statements gives several results, of which pg-boss wants all rows. */
function poolDb(pool: pg.Pool): Db {
  return {
    executeSql: async (text, values) => {
      const results = [await pool.query(text, values)].flat() as { rows: unknown[] }[];
      return { rows: results.flatMap(({ rows }) => rows) };
    },
  };
}
