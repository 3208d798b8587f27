import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Outcome } from '../../src/domain/outcome.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addChannel, addProject, addSubscription, failedTask } from '../support/fixtures.ts';
import { openPipeline, type TestPipeline, until } from '../support/pipeline.ts';

let database: TestDatabase;
let pipeline: TestPipeline;

beforeAll(async () => {
  database = await openTestDatabase();
  pipeline = await openPipeline(database);
});

afterEach(async () => {
  await pipeline.reset();
  expect(pipeline.errors).toEqual([]);
});

afterAll(async () => {
  await pipeline.close();
  await database.drop();
});

test('a delivery that was given back for want of a slot goes before those that came meanwhile', async () => {
  const { db, publisher } = pipeline;
  const projectId = await addProject(db);
  await addSubscription(db, { projectId, channelIds: [await addChannel(db, { projectId })] });
  const publish = (prefix: string, count: number) =>
    publisher.publish(
      projectId,
      Array.from({ length: count }, (_, index) => failedTask({ id: `${prefix}-${index}` })),
    );
  const givenBack = async (): Promise<number> => {
    const rows = await db.sql.query(
      `SELECT 1 AS one FROM pgboss.job AS j JOIN deliveries AS d ON d.job_id = j.id WHERE d.event_id LIKE 'early-%' AND j.state <> 'active'`,
    );
    return rows.length;
  };

  // A new channel has two slots: of twelve claimed deliveries, ten wait for one until they are given back.
  await publish('early', 12);
  const attempted: string[] = [];
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  pipeline.dispatch(async (delivery): Promise<Outcome> => {
    attempted.push(delivery.event?.eventId ?? '');
    await opened;
    return { outcome: 'DELIVERED', statusCode: 200 };
  });
  await until(() => attempted.length === 2, 'two are being sent');
  await publish('late', 200);
  await until(async () => (await givenBack()) === 10, 'the others were given back');
  open();
  await until(() => attempted.length === 212, 'all were sent');
  // Some of those that came meanwhile are at hand when a slot is free again; not more than were claimed.
  expect(attempted.findLastIndex((id) => id.startsWith('early'))).toBeLessThan(106);
});

test('what is being claimed at the moment of the stop is given back too', async () => {
  const { db, publisher } = pipeline;
  const projectId = await addProject(db);
  await addSubscription(db, { projectId, channelIds: [await addChannel(db, { projectId })] });
  await publisher.publish(projectId, [failedTask()]);
  await pipeline.dispatch((): Promise<Outcome> => Promise.reject(new Error('nothing is to be sent'))).stop();
  expect(await db.sql.query(`SELECT state FROM pgboss.job WHERE name = 'deliver'`)).toEqual([{ state: 'retry' }]);
});
