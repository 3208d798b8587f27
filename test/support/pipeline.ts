import type { Database } from '../../src/db/database.ts';
import { openPglite, openPostgres } from '../../src/db/open.ts';
import { createWakeups, type WakeupBus } from '../../src/db/wakeups.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { createCooldowns } from '../../src/pipeline/cooldowns.ts';
import { createDispatcher, type Dispatcher } from '../../src/pipeline/dispatch.ts';
import { type Jobs, startJobs } from '../../src/pipeline/jobs.ts';
import type { LoadedChannel, LoadedDelivery } from '../../src/pipeline/load.ts';
import { createPublisher, type Publisher } from '../../src/pipeline/publish.ts';
import type { RecordDeps } from '../../src/pipeline/record.ts';
import { createSubscriptionIndexes } from '../../src/pipeline/subscription-index.ts';
import type { TestDatabase } from './database.ts';

/** The pipeline of one server process on a test database, without HTTP and with scripted attempts. */
export interface TestPipeline {
  db: Database;
  jobs: Jobs;
  wakeups: WakeupBus;
  publisher: Publisher;
  record: RecordDeps;
  errors: unknown[];
  /** Starts a dispatcher whose attempts end as `attempt` says. */
  dispatch(attempt: (delivery: LoadedDelivery, channel: LoadedChannel) => Promise<Outcome>, concurrency?: number): Dispatcher;
  /** Stops the dispatchers and forgets deliveries and jobs, for the next test on the same database. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a pipeline on `database`; several on one PostgreSQL stand for several processes. */
export async function openPipeline(database: TestDatabase, options: { history?: RecordDeps['history'] } = {}): Promise<TestPipeline> {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => {
    errors.push(error);
  };
  const db = database.url === null ? openPglite(database.pglite) : openPostgres(database.url, 10, onError);
  const jobs = await startJobs('pool' in db ? { pool: db.pool } : { pglite: db.pglite }, db.sql, onError);
  const wakeups = await createWakeups(db, uuidv7(), onError);
  const record: RecordDeps = {
    db,
    jobs,
    indexes: createSubscriptionIndexes(),
    cooldowns: createCooldowns({ now: Date.now, newId: uuidv7 }),
    history: options.history ?? 'problems',
    publicUrl: 'http://127.0.0.1:4000',
    now: Date.now,
    newId: uuidv7,
  };
  const publisher = createPublisher({ ...record, wakeups, onFired: () => {} });
  let dispatchers: Dispatcher[] = [];

  async function stopDispatchers(): Promise<void> {
    for (const dispatcher of dispatchers) await dispatcher.stop();
    dispatchers = [];
  }

  return {
    db,
    jobs,
    wakeups,
    publisher,
    record,
    errors,
    dispatch: (attempt, concurrency = 16) => {
      const dispatcher = createDispatcher({
        db,
        jobs,
        wakeups,
        clock: systemClock,
        now: Date.now,
        newId: uuidv7,
        random: Math.random,
        concurrency,
        attempt,
        onError,
      });
      dispatchers.push(dispatcher);
      dispatcher.start();
      return dispatcher;
    },
    reset: async () => {
      await stopDispatchers();
      await db.sql.query(`DELETE FROM pgboss.job WHERE name = 'deliver'`);
      await db.sql.query('DELETE FROM deliveries');
    },
    close: async () => {
      await stopDispatchers();
      await publisher.close();
      await wakeups.close();
      await jobs.stop();
      await db.close();
    },
  };
}

/** Waits until `check` says so, looking every few milliseconds; fails after `deadlineMs`. */
export async function until(check: () => boolean | Promise<boolean>, what: string, deadlineMs = 10_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
