import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addChannel, addProject, addSubscription, failedTask } from '../support/fixtures.ts';
import { openPipeline, until } from '../support/pipeline.ts';

// Plans that PostgreSQL made for empty tables, and keeps, must do for full ones.

const CHANNELS = 4;
const BACKLOG = 4_000;
/** Rows of a table that may be read for each delivery: it is claimed, loaded, settled and deleted by its id. */
const READS_MAX = 5;

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(async () => {
  await database.drop();
});

test('what a delivery reads does not grow with those that wait', async () => {
  const pipeline = await openPipeline(database);
  const { db, publisher } = pipeline;
  const projectId = await addProject(db);
  const channelIds = await Promise.all(Array.from({ length: CHANNELS }, () => addChannel(db, { projectId })));
  await addSubscription(db, { projectId, channelIds });
  let sent = 0;
  let gate = Promise.resolve();
  pipeline.dispatch(async () => {
    await gate;
    sent += 1;
    return { outcome: 'DELIVERED', statusCode: 200 };
  });

  // More often than PostgreSQL plans a prepared statement anew.
  for (let turn = 1; turn <= 20; turn += 1) {
    await publisher.publish(projectId, [failedTask()]);
    await until(() => sent === turn * CHANNELS, 'it is sent');
  }
  const opening = Promise.withResolvers<void>();
  gate = opening.promise;
  for (let done = 0; done < BACKLOG; done += CHANNELS * 100)
    await publisher.publish(
      projectId,
      Array.from({ length: 100 }, () => failedTask()),
    );
  opening.resolve();
  await until(() => sent === 20 * CHANNELS + BACKLOG, 'all are sent', 60_000);
  // Sessions that have ended have told all that they read.
  await pipeline.close();

  const client = new pg.Client(database.url ?? '');
  await client.connect();
  const { rows } = await client.query<{ table: string; reads: number }>(
    `SELECT relname AS table, (seq_tup_read + idx_tup_fetch)::int AS reads FROM pg_stat_user_tables WHERE relname IN ('deliveries', 'events', 'job_common')`,
  );
  await client.end();
  expect(rows.map(({ table }) => table).sort()).toEqual(['deliveries', 'events', 'job_common']);
  expect(rows.filter(({ reads }) => reads > BACKLOG * READS_MAX)).toEqual([]);
}, 90_000);
