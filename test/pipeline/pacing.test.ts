import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import type { Pace } from '../../src/domain/pacing.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { cancelDeliveries, redeliver } from '../../src/pipeline/deliveries.ts';
import { sweep } from '../../src/pipeline/maintenance.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addChannel, addProject, addSubscription, failedTask } from '../support/fixtures.ts';
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
  const { jobs, wakeups } = pipeline;
  expect((await sweep({ db, jobs, wakeups, now: Date.now, newId: uuidv7 })).repaired).toBe(0);
  await pipeline.reset();
  expect(pipeline.errors).toEqual([]);
});

afterAll(async () => {
  await pipeline.close();
  await database.drop();
});

const DELIVERED: Outcome = { outcome: 'DELIVERED', statusCode: 200 };

function limited(retryAfterMs: number): Outcome {
  const said = { error: 'the receiver answered with status 429', responseBody: null };
  return { outcome: 'RETRY', reason: 'RATE_LIMITED', statusCode: 429, retryAfterMs, unreachable: false, ...said };
}

interface Sent {
  channelId: string;
  at: number;
}

/** Two dispatchers, as of two servers, and when they sent to which channel. */
function dispatchTwice(outcome: (channelId: string, number: number) => Outcome = () => DELIVERED): Sent[] {
  const sent: Sent[] = [];
  for (let server = 0; server < 2; server += 1)
    pipeline.dispatch((_delivery, { id }) => {
      sent.push({ channelId: id, at: Date.now() });
      return Promise.resolve(outcome(id, sent.length));
    });
  return sent;
}

async function addPaced(projectId: string, pace: Pace, destination = uuidv7()): Promise<string> {
  const id = await addChannel(db, { projectId });
  await db.prisma.channel.update({ where: { id }, data: { pace, destination } });
  return id;
}

async function publish(projectId: string, count: number): Promise<void> {
  await pipeline.publisher.publish(
    projectId,
    Array.from({ length: count }, () => failedTask()),
  );
}

/** The rests between sends, in order. */
function rests(sent: readonly Sent[]): number[] {
  const times = sent.map(({ at }) => at).sort((a, b) => a - b);
  return times.slice(1).map((at, index) => at - (times[index] ?? 0));
}

/** A send may be a quarter of a second late, and the next one on time; and clocks are read at different moments. */
const SLACK_MS = 265;

test('one destination of two channels and two servers: one a second, none lost, none twice', async () => {
  const projectId = await addProject(db);
  const destination = uuidv7();
  const channelIds = [await addPaced(projectId, 'SLACK', destination), await addPaced(projectId, 'SLACK', destination)];
  await addSubscription(db, { projectId, channelIds });
  const sent = dispatchTwice();
  await publish(projectId, 2);
  await until(() => sent.length === 4, 'all are sent');
  expect(Math.min(...rests(sent))).toBeGreaterThanOrEqual(1_000 - SLACK_MS);
  expect(Math.max(...rests(sent))).toBeLessThan(1_500);
  await until(async () => (await db.prisma.delivery.count({ where: { projectId, status: 'SENT', attemptCount: 1 } })) === 4, 'all are settled');
  expect(sent).toHaveLength(4);
});

test('Discord: five at once, the sixth two seconds after the first', async () => {
  const projectId = await addProject(db);
  await addSubscription(db, { projectId, channelIds: [await addPaced(projectId, 'DISCORD')] });
  const sent = dispatchTwice();
  await publish(projectId, 6);
  await until(() => sent.length === 6, 'all are sent');
  expect((sent[4]?.at ?? 0) - (sent[0]?.at ?? 0)).toBeLessThan(1_000);
  expect((sent[5]?.at ?? 0) - (sent[0]?.at ?? 0)).toBeGreaterThanOrEqual(2_000 - SLACK_MS);
});

test('what waits for its slot shows when that is, and holds up nobody else', async () => {
  const projectId = await addProject(db);
  const [slack, hook] = [await addPaced(projectId, 'SLACK'), await addChannel(db, { projectId })];
  await addSubscription(db, { projectId, channelIds: [slack], taskNamePattern: 'slack' });
  await addSubscription(db, { projectId, channelIds: [hook], taskNamePattern: 'hook' });
  const sent = dispatchTwice();
  const startedAt = Date.now();
  await pipeline.publisher.publish(
    projectId,
    Array.from({ length: 100 }, () => failedTask({ taskName: 'slack' })),
  );
  await pipeline.publisher.publish(projectId, [failedTask({ taskName: 'hook' })]);
  await until(() => sent.some(({ channelId }) => channelId === hook), 'the other is sent');
  expect(Date.now() - startedAt).toBeLessThan(1_000);
  const waiting = () => db.prisma.delivery.findMany({ where: { channelId: slack, status: 'QUEUED' }, orderBy: { nextAttemptAt: 'asc' } });
  await until(async () => (await waiting()).filter(({ nextAttemptAt }) => (nextAttemptAt?.getTime() ?? 0) < Date.now()).length <= 1, 'all know when to ask');
  const times = (await waiting()).map(({ nextAttemptAt }) => nextAttemptAt?.getTime() ?? 0);
  expect(Math.min(...times.slice(1).map((at, index) => at - (times[index] ?? 0)))).toBeGreaterThanOrEqual(990);
  expect((times.at(-1) ?? 0) - startedAt).toBeLessThan(110_000);
  // What is booked is what is near: the rest asks again when its time comes.
  expect((await waiting()).filter(({ hasSlot }) => hasSlot).length).toBeLessThanOrEqual(30);
  expect(await db.prisma.delivery.count({ where: { channelId: slack, attemptCount: { gt: 0 } } })).toBeLessThan(5);
});

describe('a 429', () => {
  test('holds the destination, not just its channel, without using up attempts of the others; then they go in turn', async () => {
    const projectId = await addProject(db);
    const destination = uuidv7();
    const [first, second] = [await addPaced(projectId, 'SLACK', destination), await addPaced(projectId, 'SLACK', destination)];
    await addSubscription(db, { projectId, channelIds: [first, second] });
    const sent = dispatchTwice((_id, number) => (number === 1 ? limited(2_500) : DELIVERED));
    await publish(projectId, 1);
    await until(() => sent.length === 1, 'the first is sent');
    const limitedAt = sent[0]?.at ?? 0;
    await until(() => sent.length === 3, 'all are sent', 15_000);
    expect((sent[1]?.at ?? 0) - limitedAt).toBeGreaterThanOrEqual(2_500 - SLACK_MS);
    expect(rests(sent.slice(1))[0]).toBeGreaterThanOrEqual(1_000 - SLACK_MS);
    await until(async () => (await db.prisma.delivery.count({ where: { projectId, status: 'SENT' } })) === 2, 'all are settled');
    const counts = await db.prisma.delivery.findMany({ where: { projectId }, select: { attemptCount: true }, orderBy: { attemptCount: 'asc' } });
    expect(counts).toEqual([{ attemptCount: 1 }, { attemptCount: 2 }]);
  });
});

test('what was cancelled and is delivered again, or repaired, is paced as before', async () => {
  const projectId = await addProject(db);
  await addSubscription(db, { projectId, channelIds: [await addPaced(projectId, 'SLACK')] });
  const sent = dispatchTwice();
  await publish(projectId, 6);
  const slotted = () => db.prisma.delivery.findMany({ where: { projectId, hasSlot: true, status: 'QUEUED' } });
  await until(async () => (await slotted()).length === 5, 'five wait for slots');
  const [orphan, ...others] = (await slotted()).map(({ id }) => id);
  const { jobs, wakeups } = pipeline;
  const deps = { db, jobs, wakeups, now: Date.now, newId: uuidv7 };
  await cancelDeliveries(deps, others);
  await redeliver(deps, others);
  await db.sql.query(`DELETE FROM pgboss.job WHERE data->>'deliveryId' = $1`, [orphan]);
  expect((await sweep(deps)).repaired).toBe(1);
  await until(() => sent.length === 6, 'all are sent', 20_000);
  expect(Math.min(...rests(sent))).toBeGreaterThanOrEqual(1_000 - SLACK_MS);
}, 60_000);

test('a crowd that was cancelled holds up who comes after it by two minutes at most', async () => {
  const projectId = await addProject(db);
  const channelId = await addPaced(projectId, 'SLACK');
  await addSubscription(db, { projectId, channelIds: [channelId] });
  dispatchTwice();
  await publish(projectId, 300);
  const queued = () => db.prisma.delivery.findMany({ where: { channelId, status: 'QUEUED' } });
  await until(async () => (await queued()).filter(({ nextAttemptAt }) => (nextAttemptAt?.getTime() ?? 0) < Date.now()).length <= 1, 'all know when to ask');
  const { jobs, wakeups } = pipeline;
  const ids = (await queued()).map(({ id }) => id);
  await cancelDeliveries({ db, jobs, wakeups, now: Date.now, newId: uuidv7 }, ids);
  await publish(projectId, 1);
  const inMs = async (): Promise<number> => ((await queued())[0]?.nextAttemptAt?.getTime() ?? 0) - Date.now();
  await until(async () => (await inMs()) > 1_000, 'it knows when to ask');
  expect(await inMs()).toBeLessThan(121_000);
});

test('a hold that another server wrote is heeded, and ends with a config that leads elsewhere', async () => {
  const projectId = await addProject(db);
  const destination = uuidv7();
  const channelId = await addPaced(projectId, 'SLACK', destination);
  await addSubscription(db, { projectId, channelIds: [channelId] });
  const sent = dispatchTwice();
  await publish(projectId, 2);
  await until(() => sent.length === 2, 'both servers, or one twice, know the channel');
  await db.prisma.destination.update({ where: { key: destination }, data: { heldUntil: new Date(Date.now() + 60_000) } });
  await publish(projectId, 1);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(sent).toHaveLength(2);
  await db.prisma.channel.update({ where: { id: channelId }, data: { destination: uuidv7(), version: { increment: 1 } } });
  await publish(projectId, 1);
  await until(() => sent.length === 3, 'the new place is sent to');
}, 60_000);

test('slots that passed while no server ran are booked anew: no burst', async () => {
  const projectId = await addProject(db);
  await addSubscription(db, { projectId, channelIds: [await addPaced(projectId, 'SLACK')] });
  await publish(projectId, 3);
  await db.prisma.delivery.updateMany({ where: { projectId }, data: { hasSlot: true, nextAttemptAt: new Date(Date.now() - 3_600_000) } });
  const sent = dispatchTwice();
  await until(() => sent.length === 3, 'all are sent');
  expect(Math.min(...rests(sent))).toBeGreaterThanOrEqual(1_000 - SLACK_MS);
});

test('the sweep forgets destinations at rest, and no others', async () => {
  await db.sql.query('DELETE FROM destinations');
  const day = 86_400_000;
  const rows = [
    { key: 'busy', booked: [Date.now() - day / 2] },
    { key: 'held', booked: [], heldUntil: new Date(Date.now() + 60_000) },
    { key: 'rest', booked: [Date.now() - 2 * day] },
    { key: 'freed', booked: [], heldUntil: new Date(Date.now() - 60_000) },
  ];
  await db.prisma.destination.createMany({ data: rows });
  const { jobs, wakeups } = pipeline;
  expect((await sweep({ db, jobs, wakeups, now: Date.now, newId: uuidv7 })).destinations).toBe(2);
  expect((await db.prisma.destination.findMany({ orderBy: { key: 'asc' } })).map(({ key }) => key)).toEqual(['busy', 'held']);
});
