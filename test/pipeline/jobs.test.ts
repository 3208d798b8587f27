import { fromPglite, PgBoss } from 'pg-boss';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { uuidv7 } from '../../src/lib/id.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { openPipeline, type TestPipeline } from '../support/pipeline.ts';

// Claiming is our own statement on pg-boss's table: it must leave there what pg-boss's own leaves.

let database: TestDatabase;
let pipeline: TestPipeline;
let boss: PgBoss;

beforeAll(async () => {
  database = await openTestDatabase();
  pipeline = await openPipeline(database);
  boss = database.url === null ? new PgBoss({ db: fromPglite(database.pglite), backend: 'pglite' }) : new PgBoss(database.url);
  await boss.start();
});

afterAll(async () => {
  await boss.stop({ graceful: false, close: database.url !== null });
  await pipeline.close();
  await database.drop();
});

async function add(count: number, at: number | null = null): Promise<string[]> {
  const jobs = Array.from({ length: count }, () => ({ id: uuidv7(), deliveryId: uuidv7(), channelId: 'a', at }));
  await pipeline.jobs.add(pipeline.db.sql, jobs);
  return jobs.map(({ id }) => id);
}

/** A job's row, its times as whether they are there. */
async function row(id: string): Promise<unknown> {
  const [found] = await pipeline.db.sql.query<Record<string, unknown>>('SELECT * FROM pgboss.job WHERE id = $1::uuid', [id]);
  return Object.fromEntries(
    Object.entries(found ?? {}).map(([name, value]) => [name, value instanceof Date || name === 'id' || name === 'data' ? 'there' : value]),
  );
}

test('a job is claimed as pg-boss claims, at first and after its claim expired', async () => {
  const [ours = ''] = await add(1);
  expect(await pipeline.jobs.claim(1, [])).toMatchObject([{ id: ours, retryCount: 0, channelId: 'a' }]);
  const [its = ''] = await add(1);
  expect((await boss.fetch('deliver', { batchSize: 1 })).map(({ id }) => id)).toEqual([its]);
  expect(await row(ours)).toEqual(await row(its));
  expect(await row(ours)).toMatchObject({ state: 'active', started_on: 'there', heartbeat_on: 'there', retry_count: 0 });

  await boss.fail('deliver', [ours, its]);
  expect((await pipeline.jobs.claim(1, [])).map(({ id, retryCount }) => [id, retryCount])).toEqual([[ours, 1]]);
  expect(await boss.fetch('deliver', { batchSize: 1 })).toMatchObject([{ id: its }]);
  expect(await row(ours)).toEqual(await row(its));
  await boss.deleteJob('deliver', [ours, its]);
});

test('the oldest go first, up to the limit; none that is not due, is claimed, or is of a channel that is passed over', async () => {
  await add(1, Date.now() + 60_000);
  const [first = '', second = '', third = ''] = await add(3);
  expect(await pipeline.jobs.claim(10, ['a'])).toEqual([]);
  expect((await pipeline.jobs.claim(2, ['b'])).map(({ id }) => id).sort()).toEqual([first, second].sort());
  expect((await pipeline.jobs.claim(10, [])).map(({ id }) => id)).toEqual([third]);
  expect(await pipeline.jobs.claim(10, [])).toEqual([]);
});
