import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnsweredRecipients, Outcome } from '../../src/domain/outcome.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { redeliver } from '../../src/pipeline/deliveries.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addChannel, addProject, addSubscription, failedTask } from '../support/fixtures.ts';
import { openPipeline, type TestPipeline, until } from '../support/pipeline.ts';

// Who was answered for good is written in the settling transaction, and read by whichever process makes the next attempt.

let database: TestDatabase;
let pipeline: TestPipeline;

beforeAll(async () => {
  database = await openTestDatabase();
  pipeline = await openPipeline(database);
});

afterAll(async () => {
  await pipeline.close();
  await database.drop();
});

const PUT_OFF: Outcome = {
  outcome: 'RETRY',
  reason: 'DEFERRED',
  statusCode: 451,
  error: 'put off',
  responseBody: null,
  retryAfterMs: null,
  unreachable: false,
  recipients: { 'a@x.example': 250, 'c@x.example': 550 },
};
const LOST: Outcome = { outcome: 'RETRY', reason: 'TIMEOUT', statusCode: null, error: 'lost', responseBody: null, retryAfterMs: null, unreachable: false };
const REFUSED: Outcome = {
  outcome: 'FAILED',
  reason: 'REJECTED',
  statusCode: 550,
  error: 'refused',
  responseBody: null,
  gone: false,
  recipients: { 'a@x.example': 250, 'b@x.example': 250, 'c@x.example': 550 },
};

test('each attempt knows it, whichever process makes it; one without replies forgets nothing; redeliver forgets who refused', async () => {
  const { db } = pipeline;
  const projectId = await addProject(db);
  await addSubscription(db, { projectId, channelIds: [await addChannel(db, { projectId })] });
  const known: (AnsweredRecipients | null)[] = [];
  const row = () => db.prisma.delivery.findFirstOrThrow({ where: { projectId } });

  /** A process that makes one attempt, and stops. */
  async function attemptOnce(outcome: Outcome): Promise<void> {
    const before = (await db.prisma.delivery.findFirst({ where: { projectId } }))?.attemptCount ?? 0;
    const dispatcher = pipeline.dispatch((delivery) => {
      known.push(delivery.recipients);
      return Promise.resolve(outcome);
    });
    if (before === 0) await pipeline.publisher.publish(projectId, [failedTask()]);
    await until(async () => (await row()).attemptCount === before + 1, 'it was attempted');
    await dispatcher.stop();
    await db.sql.query(`UPDATE pgboss.job SET start_after = now() WHERE name = 'deliver'`);
  }

  await attemptOnce(PUT_OFF);
  await attemptOnce(LOST);
  await attemptOnce(REFUSED);
  const { id, status } = await row();
  expect(status).toBe('FAILED');
  await redeliver({ db, jobs: pipeline.jobs, wakeups: pipeline.wakeups, now: Date.now, newId: uuidv7 }, [id]);
  await attemptOnce({ outcome: 'DELIVERED', statusCode: 250, recipients: {} });
  expect(known).toEqual([null, PUT_OFF.recipients, PUT_OFF.recipients, { 'a@x.example': 250, 'b@x.example': 250 }]);
});
