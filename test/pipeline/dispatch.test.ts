import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { cancelForChannel, cancelForSubscriptions } from '../../src/pipeline/cancel.ts';
import { cancelDeliveries, clearDeliveries, redeliver } from '../../src/pipeline/deliveries.ts';
import { sweep } from '../../src/pipeline/maintenance.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addChannel, addMember, addProject, addSubscription, failedTask } from '../support/fixtures.ts';
import { openPipeline, type TestPipeline, until } from '../support/pipeline.ts';

let database: TestDatabase;
let pipeline: TestPipeline;
let db: Database;

beforeAll(async () => {
  database = await openTestDatabase();
  pipeline = await openPipeline(database);
  db = pipeline.db;
});

afterEach(async () => {
  await pipeline.reset();
  expect(pipeline.errors).toEqual([]);
});

afterAll(async () => {
  await pipeline.close();
  await database.drop();
});

const DELIVERED: Outcome = { outcome: 'DELIVERED', statusCode: 200 };
const REJECTED: Outcome = {
  outcome: 'FAILED',
  reason: 'REJECTED',
  statusCode: 400,
  error: 'the receiver answered with status 400',
  responseBody: 'no',
  gone: false,
};
const BUSY: Outcome = {
  outcome: 'RETRY',
  reason: 'SERVER_ERROR',
  statusCode: 503,
  error: 'the receiver answered with status 503',
  responseBody: null,
  retryAfterMs: null,
  unreachable: false,
};
const SILENT: Outcome = {
  outcome: 'RETRY',
  reason: 'TIMEOUT',
  statusCode: null,
  error: 'no answer within 10 s',
  responseBody: null,
  retryAfterMs: null,
  unreachable: true,
};

async function setUp(): Promise<{ projectId: string; admin: string; channelId: string; subscriptionId: string }> {
  const projectId = await addProject(db);
  const admin = await addMember(db, projectId, 'ADMIN');
  const channelId = await addChannel(db, { projectId }, 'ops');
  return { projectId, admin, channelId, subscriptionId: await addSubscription(db, { projectId, channelIds: [channelId] }) };
}

async function publish(projectId: string, count = 1): Promise<void> {
  await pipeline.publisher.publish(
    projectId,
    Array.from({ length: count }, () => failedTask()),
  );
}

const deliveries = (projectId: string) => db.prisma.delivery.findMany({ where: { projectId }, orderBy: { id: 'asc' } });
const statusIs = (projectId: string, status: string) => async () => (await deliveries(projectId)).every((delivery) => delivery.status === status);
const jobCount = async (): Promise<number> => (await db.sql.query(`SELECT 1 AS one FROM pgboss.job WHERE name = 'deliver'`)).length;
const changeDeps = () => ({ db, jobs: pipeline.jobs, wakeups: pipeline.wakeups, now: Date.now, newId: uuidv7 });

test('what is delivered ends SENT with one attempt, its job gone and the channel well', async () => {
  const { projectId, channelId } = await setUp();
  pipeline.dispatch(() => Promise.resolve(DELIVERED));
  await publish(projectId, 20);
  await until(statusIs(projectId, 'SENT'), 'all are sent');
  const rows = await deliveries(projectId);
  expect(rows).toHaveLength(20);
  expect(rows[0]).toMatchObject({ attemptCount: 1, statusCode: 200, reason: null, jobId: null, nextAttemptAt: null });
  expect(rows[0]?.attempts).toMatchObject([{ number: 1, outcome: 'DELIVERED', statusCode: 200 }]);
  expect(await jobCount()).toBe(0);
  expect(await db.prisma.channelHealth.findUnique({ where: { channelId } })).toMatchObject({ consecutiveFailures: 0, failingSince: null, unreachable: 0 });
});

test('a failed attempt that may work later queues the next by the table, as a job in the same transaction', async () => {
  const { projectId, channelId } = await setUp();
  pipeline.dispatch(() => Promise.resolve(BUSY));
  await publish(projectId);
  await until(async () => (await deliveries(projectId))[0]?.attemptCount === 1, 'it was attempted');
  const [row] = await deliveries(projectId);
  expect(row).toMatchObject({ status: 'QUEUED', reason: 'SERVER_ERROR', statusCode: 503, roundAttempts: 1 });
  const waitMs = (row?.nextAttemptAt?.getTime() ?? 0) - Date.now();
  expect(waitMs).toBeGreaterThan(2_500);
  expect(waitMs).toBeLessThan(6_500);
  const jobs = await db.sql.query<{ id: string }>(`SELECT id FROM pgboss.job WHERE name = 'deliver'`);
  expect(jobs).toEqual([{ id: row?.jobId }]);
  expect(await db.prisma.channelHealth.findUnique({ where: { channelId } })).toMatchObject({ consecutiveFailures: 1, lastError: BUSY.error });
});

test('the ninth attempt that does not deliver ends FAILED', async () => {
  const { projectId } = await setUp();
  await publish(projectId);
  await db.prisma.delivery.updateMany({ where: { projectId }, data: { roundAttempts: 8, attemptCount: 8 } });
  pipeline.dispatch(() => Promise.resolve(BUSY));
  await until(statusIs(projectId, 'FAILED'), 'it failed');
  expect((await deliveries(projectId))[0]).toMatchObject({ reason: 'ATTEMPTS_USED_UP', attemptCount: 9 });
});

test('Retry-After holds back the whole channel, without using up attempts of the others', async () => {
  const { projectId } = await setUp();
  let attempts = 0;
  pipeline.dispatch(() => {
    attempts += 1;
    return Promise.resolve({ ...BUSY, reason: 'RATE_LIMITED', statusCode: 429, retryAfterMs: 60_000 });
  }, 1);
  await publish(projectId, 5);
  await until(async () => (await deliveries(projectId)).every((row) => (row.nextAttemptAt?.getTime() ?? 0) > Date.now() + 55_000), 'all wait');
  expect(attempts).toBe(1);
  expect((await deliveries(projectId)).map((row) => row.attemptCount).sort((a, b) => a - b)).toEqual([0, 0, 0, 0, 1]);
});

describe('limits', () => {
  test.each([
    ['4 to a channel that is proven', 0, 4],
    ['16 in all', 7, 16],
  ] as const)('at most %s at once', async (_, moreChannels, most) => {
    const { projectId } = await setUp();
    for (let i = 0; i < moreChannels; i += 1) await addSubscription(db, { projectId, channelIds: [await addChannel(db, { projectId })] });
    await db.prisma.channelHealth.updateMany({ data: { lastSuccessAt: new Date() } });
    let underWay = 0;
    let mostUnderWay = 0;
    const waiting: (() => void)[] = [];
    pipeline.dispatch(async () => {
      underWay += 1;
      mostUnderWay = Math.max(mostUnderWay, underWay);
      await new Promise<void>((resolve) => waiting.push(resolve));
      underWay -= 1;
      return DELIVERED;
    });
    await publish(projectId, 20);
    await until(() => underWay === most, 'the slots are taken');
    await until(async () => {
      for (const resume of waiting.splice(0)) resume();
      return statusIs(projectId, 'SENT')();
    }, 'all are sent');
    expect(mostUnderWay).toBe(most);
  });

  test('channels that hang take only their share, and a proven one is served at once', async () => {
    const { projectId, channelId } = await setUp();
    const hanging = await Promise.all(Array.from({ length: 20 }, () => addChannel(db, { projectId })));
    for (const id of hanging) await addSubscription(db, { projectId, channelIds: [id], taskNamePattern: 'hang' });
    await db.prisma.channelHealth.update({ where: { channelId }, data: { lastSuccessAt: new Date() } });
    let hangs = 0;
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    pipeline.dispatch(async (_, { id }) => {
      if (id === channelId) return DELIVERED;
      hangs += 1;
      await released;
      return SILENT;
    });
    await pipeline.publisher.publish(
      projectId,
      Array.from({ length: 3 }, () => failedTask({ taskName: 'hang' })),
    );
    await until(() => hangs === 8, 'half of the slots hang');
    await publish(projectId, 10);
    await until(async () => (await db.prisma.delivery.count({ where: { channelId, status: 'SENT' } })) === 13, 'the proven one got all of its own');
    expect(hangs).toBe(8);
    release();
  });

  test('after three unreachable attempts in a row the others of a channel wait for its probe', async () => {
    const { projectId, channelId } = await setUp();
    let attempts = 0;
    pipeline.dispatch(() => {
      attempts += 1;
      return Promise.resolve(SILENT);
    });
    await publish(projectId, 12);
    await until(async () => (await db.prisma.channelHealth.findUnique({ where: { channelId } }))?.probeAt !== null, 'it is probed');
    await until(async () => (await deliveries(projectId)).every((row) => (row.nextAttemptAt?.getTime() ?? 0) > Date.now() + 1_000), 'all wait');
    expect(attempts).toBeLessThanOrEqual(4);
    expect((await deliveries(projectId)).filter((row) => row.attemptCount === 0).length).toBeGreaterThanOrEqual(8);
  });
});

describe('given up before it was sent', () => {
  test.each([
    [
      'its subscription is off',
      'NO_SUBSCRIPTION',
      (ids: Ids) => db.prisma.notificationSubscription.update({ where: { id: ids.subscriptionId }, data: { isActive: false } }),
    ],
    ['its subscription is gone', 'NO_SUBSCRIPTION', (ids: Ids) => db.prisma.notificationSubscription.delete({ where: { id: ids.subscriptionId } })],
    ['its channel is off', 'CHANNEL_OFF', (ids: Ids) => db.prisma.channel.update({ where: { id: ids.channelId }, data: { isActive: false } })],
    ['its channel is gone', 'CHANNEL_DELETED', (ids: Ids) => db.prisma.channel.delete({ where: { id: ids.channelId } })],
    [
      'it was not attempted within 24 h',
      'TOO_OLD',
      (ids: Ids) => db.prisma.delivery.updateMany({ where: { projectId: ids.projectId }, data: { queuedAt: new Date(Date.now() - 86_401_000) } }),
    ],
    [
      'it is still queued after 48 h',
      'TOO_OLD',
      (ids: Ids) =>
        db.prisma.delivery.updateMany({ where: { projectId: ids.projectId }, data: { roundAttempts: 3, queuedAt: new Date(Date.now() - 2 * 86_401_000) } }),
    ],
  ] as const)('%s: CANCELLED, %s', async (_, reason, spoil) => {
    const ids = await setUp();
    await publish(ids.projectId);
    await spoil(ids);
    pipeline.dispatch(() => Promise.reject(new Error('it must not be sent')));
    await until(statusIs(ids.projectId, 'CANCELLED'), 'it is cancelled');
    expect((await deliveries(ids.projectId))[0]).toMatchObject({ reason, attemptCount: 0 });
    expect(await jobCount()).toBe(0);
  });

  test('a delivery of several subscriptions is sent while one stands', async () => {
    const { projectId, channelId, subscriptionId } = await setUp();
    const other = await addSubscription(db, { projectId, channelIds: [channelId] });
    await publish(projectId);
    await db.prisma.notificationSubscription.delete({ where: { id: subscriptionId } });
    expect(await db.transaction((tx) => cancelForSubscriptions(tx, pipeline.jobs, projectId, [subscriptionId], Date.now()))).toEqual([]);
    await db.prisma.notificationSubscription.update({ where: { id: other }, data: { isActive: false } });
    const cancelled = await db.transaction((tx) => cancelForSubscriptions(tx, pipeline.jobs, projectId, [other], Date.now()));
    expect(cancelled.map((one) => one.deliveryIds.length)).toEqual([1]);
    expect(await jobCount()).toBe(0);
  });

  test('switching a channel off cancels what waits for it', async () => {
    const { projectId, channelId } = await setUp();
    await publish(projectId, 3);
    await db.transaction((tx) => cancelForChannel(tx, pipeline.jobs, channelId, 'CHANNEL_OFF', Date.now()));
    expect((await deliveries(projectId)).map((row) => [row.status, row.reason])).toEqual(Array.from({ length: 3 }, () => ['CANCELLED', 'CHANNEL_OFF']));
    expect(await jobCount()).toBe(0);
  });

  test('one that is cancelled while it is sent ends SENT where the receiver takes it, and stays CANCELLED otherwise', async () => {
    const { projectId } = await setUp();
    let begun = 0;
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    pipeline.dispatch(async (delivery) => {
      begun += 1;
      await finished;
      return delivery.event?.taskName === 'bad' ? BUSY : DELIVERED;
    });
    await pipeline.publisher.publish(projectId, [failedTask({ taskName: 'good' }), failedTask({ taskName: 'bad' })]);
    await until(() => begun === 2, 'both are under way');
    expect(
      await cancelDeliveries(
        changeDeps(),
        (await deliveries(projectId)).map((row) => row.id),
      ),
    ).toHaveLength(2);
    finish();
    await until(async () => (await deliveries(projectId)).every((row) => row.attemptCount === 1), 'both are settled');
    expect(Object.fromEntries((await deliveries(projectId)).map((row) => [row.taskName, [row.status, row.reason]]))).toEqual({
      good: ['SENT', null],
      bad: ['CANCELLED', 'REQUESTED'],
    });
    expect(await jobCount()).toBe(0);
  });
});

interface Ids {
  projectId: string;
  channelId: string;
  subscriptionId: string;
}

describe('trouble', () => {
  test('the first delivery that ends FAILED is told to the admins once, and again only after a SENT', async () => {
    const { projectId, admin } = await setUp();
    let outcome: Outcome = REJECTED;
    pipeline.dispatch(() => Promise.resolve(outcome));
    const notices = () => db.prisma.inboxItem.findMany({ where: { userId: admin, kind: 'CHANNEL_FAILING' } });
    await publish(projectId);
    await until(statusIs(projectId, 'FAILED'), 'it failed');
    await publish(projectId, 3);
    await until(statusIs(projectId, 'FAILED'), 'all failed');
    expect((await notices()).map((item) => item.notice)).toEqual([{ title: 'Channel failing: ops', body: REJECTED.error }]);
    outcome = DELIVERED;
    await publish(projectId);
    await until(async () => (await deliveries(projectId)).some((row) => row.status === 'SENT'), 'one is sent');
    outcome = REJECTED;
    await publish(projectId);
    await until(async () => (await deliveries(projectId)).filter((row) => row.status === 'FAILED').length === 5, 'another failed');
    expect(await notices()).toHaveLength(2);
    expect(await db.prisma.inbox.findUnique({ where: { userId: admin } })).toMatchObject({ head: 2n, unread: 2 });
  });

  test.each([
    ['410', (): Outcome => ({ ...REJECTED, reason: 'GONE', statusCode: 410, gone: true }), 0],
    ['failures for five days', (): Outcome => REJECTED, 5 * 86_400_000 + 60_000],
  ] as const)('%s switches the channel off, cancels what waits and tells the admins', async (_, outcome, failingForMs) => {
    const { projectId, channelId, admin } = await setUp();
    if (failingForMs > 0)
      await db.prisma.channelHealth.update({ where: { channelId }, data: { failingSince: new Date(Date.now() - failingForMs), consecutiveFailures: 9 } });
    await publish(projectId);
    pipeline.dispatch(() => Promise.resolve(outcome()));
    await until(async () => (await db.prisma.channel.findUnique({ where: { id: channelId } }))?.isActive === false, 'it is off');
    const items = await db.prisma.inboxItem.findMany({ where: { userId: admin, kind: 'CHANNEL_DISABLED' } });
    expect(items).toHaveLength(1);
    expect(await pipeline.publisher.publish(projectId, [failedTask()])).toMatchObject({ deliveries: 0 });
  });
});

test('redeliver queues FAILED and CANCELLED ones again: the schedule begins anew, numbering goes on; clearing deletes finished ones', async () => {
  const { projectId } = await setUp();
  let outcome: Outcome = REJECTED;
  pipeline.dispatch(() => Promise.resolve(outcome));
  await publish(projectId, 2);
  await until(statusIs(projectId, 'FAILED'), 'both failed');
  outcome = DELIVERED;
  const ids = (await deliveries(projectId)).map((row) => row.id);
  expect(await redeliver(changeDeps(), ids)).toHaveLength(2);
  await until(statusIs(projectId, 'SENT'), 'both are sent');
  expect((await deliveries(projectId))[0]?.attempts).toMatchObject([
    { number: 1, outcome: 'FAILED' },
    { number: 2, outcome: 'DELIVERED' },
  ]);
  expect(await redeliver(changeDeps(), ids)).toEqual([]);
  expect(await clearDeliveries({ db }, projectId, new Date())).toBe(2);
  expect(await deliveries(projectId)).toEqual([]);
});

test('the sweep finds nothing to repair in what the pipeline does, and repairs a QUEUED delivery whose job is gone', async () => {
  const { projectId } = await setUp();
  await publish(projectId, 3);
  const deps = { db, jobs: pipeline.jobs, wakeups: pipeline.wakeups, now: Date.now, newId: uuidv7 };
  expect(await sweep(deps)).toMatchObject({ repaired: 0 });
  await db.sql.query(`DELETE FROM pgboss.job WHERE name = 'deliver'`);
  expect(await sweep(deps)).toMatchObject({ repaired: 3 });
  pipeline.dispatch(() => Promise.resolve(DELIVERED));
  await until(statusIs(projectId, 'SENT'), 'all are sent');
});

test('stopping gives back what waits, and what is under way is settled', async () => {
  const { projectId } = await setUp();
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let begun = 0;
  const dispatcher = pipeline.dispatch(async () => {
    begun += 1;
    await finished;
    return DELIVERED;
  });
  await publish(projectId, 10);
  await until(() => begun === 2, 'two are under way');
  const stopped = dispatcher.stop();
  finish();
  await stopped;
  const states = await db.sql.query<{ state: string }>(`SELECT state FROM pgboss.job WHERE name = 'deliver'`);
  expect(states.map((row) => row.state)).toEqual(Array.from({ length: 8 }, () => 'retry'));
  expect((await deliveries(projectId)).filter((row) => row.status === 'SENT')).toHaveLength(2);
});
