import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Outcome } from '../../src/domain/outcome.ts';
import { openTestApp } from '../support/app.ts';
import { openTestDatabase } from '../support/database.ts';
import { failedTask, addChannel as insertChannel, addProject as insertProject, addSubscription as insertSubscription } from '../support/fixtures.ts';
import { CREATE_CHANNEL, CREATE_PROJECT, CREATE_SUBSCRIPTION } from '../support/operations.ts';
import { openPipeline, until } from '../support/pipeline.ts';
import { accept, openReceiver, type Received, type Receiver } from '../support/receiver.ts';
import { openServerPlace, type ServerPlace } from '../support/server-process.ts';
import { type Server, startTwoServers } from '../support/two-servers.ts';

// Receivers that take a request and never answer must not slow another channel (spec 5).

const HANGING = 20;
/** OUTBOUND_CONCURRENCY's default, and the part of it that suspects may hold together. */
const SLOTS = 16;
const SUSPECTS_MAX = SLOTS / 4;

type Data = Server['data'];

async function addProject(data: Data): Promise<string> {
  return (await data(CREATE_PROJECT, { input: { slug: 'hanging', name: 'Hanging' } })).createProject.project.id;
}

/** A project channel that gets the failures of tasks of this name. */
async function addWebhook(data: Data, projectId: string, url: string, taskNamePattern: string): Promise<void> {
  const { createChannel } = await data(CREATE_CHANNEL, { input: { projectId, name: url, config: { webhook: { url } } } });
  const channelIds = [createChannel.channel.id];
  await data(CREATE_SUBSCRIPTION, { input: { projectId, team: true, trigger: 'TASK_FAILED', filters: { taskNamePattern }, channelIds } });
}

let number = 0;

function failures(taskName: string, count: number): { id: string; trigger: string; taskName: string }[] {
  return Array.from({ length: count }, () => {
    number += 1;
    return { id: `${taskName}-${String(number)}`, trigger: 'task.failed', taskName };
  });
}

// Two servers as processes of their own, so that what the hanging receivers cost the one does not slow the other: the one without them says what the machine does now.
let places: [ServerPlace, ServerPlace];
let quiet: Server;
let troubled: Server;
let healthy: Receiver;
let hanging: Receiver[];
/** By event id, told when the healthy receiver has it. */
const waiting = new Map<string, (received: Received) => void>();

beforeAll(async () => {
  places = [await openServerPlace(), await openServerPlace()];
  [quiet, troubled] = await startTwoServers(places);
  healthy = await openReceiver((res, request) => {
    accept(res);
    waiting.get((JSON.parse(request.body) as { event_id: string }).event_id)?.(request);
  });
  hanging = await Promise.all(Array.from({ length: HANGING }, () => openReceiver(() => {})));
  for (const { data } of [quiet, troubled]) {
    const projectId = await addProject(data);
    await addWebhook(data, projectId, healthy.url, 'healthy');
    for (const { url } of hanging) await addWebhook(data, projectId, url, 'hanging');
  }
}, 150_000);

afterAll(async () => {
  await Promise.all([quiet, troubled].map((server) => server.stop()));
  await Promise.all([healthy, ...hanging].map((receiver) => receiver.close()));
  await Promise.all(places.map((place) => place.remove()));
}, 60_000);

const DELIVERED_WITHIN_MS = 30_000;

/** Milliseconds from the POST of an event to its arrival at the healthy receiver. */
async function deliveryMs(server: Server): Promise<number> {
  const [event = { id: '' }] = failures('healthy', 1);
  const arrival = Promise.withResolvers<Received>();
  waiting.set(event.id, arrival.resolve);
  const timer = setTimeout(() => {
    arrival.reject(new Error('a delivery to the healthy receiver did not arrive in time'));
  }, DELIVERED_WITHIN_MS);
  const startedAt = performance.now();
  const { status } = await server.events('hanging', [event]);
  expect(status).toBe(200);
  const { atMs } = await arrival.promise;
  clearTimeout(timer);
  waiting.delete(event.id);
  return atMs - startedAt;
}

const SAMPLES = 120;
/** What a timer or a collection of garbage may add to single samples. */
const ALLOWANCE_MS = 5;
/** Noise of other processes can lift the p99 of either side in any round; what hanging receivers cost is there in every round. */
const ROUNDS_MAX = 5;

/** Measures both servers in turn, event by event, until a round shows that the troubled one is as fast as it must be; gives the rounds. */
async function compare(): Promise<{ quietMs: number; troubledMs: number; holds: boolean }[]> {
  const rounds: { quietMs: number; troubledMs: number; holds: boolean }[] = [];
  while (rounds.length < ROUNDS_MAX && rounds.at(-1)?.holds !== true) {
    const samples: Record<'quiet' | 'troubled', number[]> = { quiet: [], troubled: [] };
    for (let n = 0; n < SAMPLES; n += 1) {
      samples.quiet.push(await deliveryMs(quiet));
      samples.troubled.push(await deliveryMs(troubled));
    }
    const [quietMs, troubledMs] = [p99(samples.quiet), p99(samples.troubled)];
    rounds.push({ quietMs, troubledMs, holds: troubledMs <= 1.5 * quietMs + ALLOWANCE_MS });
  }
  return rounds;
}

function p99(samples: readonly number[]): number {
  return Math.round(samples.toSorted((a, b) => a - b)[Math.ceil(samples.length * 0.99) - 1] ?? Number.NaN);
}

/** Requests that a hanging receiver holds at this moment. */
function held(): number {
  return hanging.flatMap(({ received }) => received.filter(({ endedAtMs }) => endedAtMs === null)).length;
}

test('20 hanging receivers leave the p99 of a healthy one within 1.5 times of idle, before and after they are known as suspects', async () => {
  // The first deliveries compile much, and make the healthy channels known as such.
  for (let n = 0; n < 30; n += 1) await Promise.all([deliveryMs(quiet), deliveryMs(troubled)]);
  expect((await troubled.events('hanging', failures('hanging', 25))).json.deliveries).toBe(25 * HANGING);
  await until(() => held() >= SUSPECTS_MAX, 'they hold slots');
  const whileNew = await compare();
  expect(whileNew.at(-1)?.holds, JSON.stringify(whileNew)).toBe(true);
  await until(() => hanging.some(({ received }) => received.some(({ endedAtMs }) => endedAtMs !== null)), 'the first have timed out', 20_000);
  const whileSuspect = await compare();
  expect(whileSuspect.at(-1)?.holds, JSON.stringify(whileSuspect)).toBe(true);
}, 180_000);

/** A timer, or the news of a connection that ended, may be this late: sends that follow an ending closer than that prove nothing. */
const LATE_MS = 1_000;

/** Requests of a receiver from when its server must know that it hangs. */
function asSuspect({ received }: Receiver): Received[] {
  const firstEnd = Math.min(...received.map(({ endedAtMs }) => endedAtMs ?? Infinity));
  return received.filter(({ atMs }) => atMs > firstEnd + LATE_MS);
}

/** How many of these requests were held at the same time. */
function together(requests: readonly Received[]): number {
  return Math.max(
    0,
    ...requests.map((one) => requests.filter(({ atMs, endedAtMs }) => atMs <= one.atMs && (endedAtMs ?? Infinity) > one.atMs + LATE_MS).length),
  );
}

test.concurrent('channels that hang get one send at a time, four in all, and a delivery is not tried again before its time', async () => {
  await until(() => hanging.flatMap(asSuspect).length > SUSPECTS_MAX, 'suspects have been tried again', 60_000);
  expect(Math.max(...hanging.map((receiver) => together(asSuspect(receiver))))).toBe(1);
  expect(together(hanging.flatMap(asSuspect))).toBeLessThanOrEqual(SUSPECTS_MAX);
  for (const requests of Map.groupBy(
    hanging.flatMap(({ received }) => received),
    ({ headers }) => headers['webhook-id'],
  ).values()) {
    for (const [place, { atMs }] of requests.entries()) {
      const before = requests[place - 1]?.endedAtMs;
      if (before !== undefined) expect(atMs - (before ?? Infinity)).toBeGreaterThan(place === 1 ? 4_000 - 50 : 24_000 - 50);
    }
  }
}, 90_000);

const TIMEOUT_MS = 10_000;
/** From the third attempt in a row that did not reach a channel on, its deliveries wait for a probe (spec 5): at first for 5 s, then for twice that. */
const PROBE_MS = 5_000;

test.concurrent('after three such in a row the others wait for a probe, 5 s and then 10 s, without using up attempts', async () => {
  const receiver = await openReceiver(() => {});
  await using stack = new AsyncDisposableStack();
  const app = await openTestApp();
  stack.defer(() => app.close());
  stack.defer(() => receiver.close());
  const { sql } = app.app.api.db;
  await addWebhook(app.data, await addProject(app.data), receiver.url, 'hanging');
  await sql.query('UPDATE channel_health SET unreachable = 2');
  const attempts = async (): Promise<number[]> =>
    (await sql.query<{ n: number }>('SELECT attempt_count AS n FROM deliveries ORDER BY attempt_count DESC, id')).map(({ n }) => n);

  await app.events(failures('hanging', 3), { query: '?project=hanging' });
  await until(async () => (await attempts())[0] === 1, 'the first has timed out', 2 * TIMEOUT_MS + 10_000);
  const [first] = await sql.query<{ reason: string; durationMs: number; waitMs: number }>(
    `SELECT reason, (attempts->0->>'durationMs')::int AS "durationMs",
       extract(epoch FROM next_attempt_at - (attempts->0->>'startedAt')::timestamptz) * 1000 - (attempts->0->>'durationMs')::int AS "waitMs" FROM deliveries WHERE attempt_count = 1`,
  );
  expect(first?.reason).toBe('TIMEOUT');
  expect(first?.durationMs).toBeGreaterThanOrEqual(TIMEOUT_MS - 1);
  expect(Number(first?.waitMs)).toBeGreaterThanOrEqual(4_000 - 1);
  expect(Number(first?.waitMs)).toBeLessThanOrEqual(6_000 + 1);

  await until(() => receiver.received.length === 2, 'the probe is sent', PROBE_MS + 15_000);
  expect(await attempts()).toEqual([1, 0, 0]);
  const [trial, probe] = receiver.received;
  expect((probe?.atMs ?? 0) - (trial?.endedAtMs ?? Infinity)).toBeGreaterThan(PROBE_MS - 50);
  await until(async () => (await attempts()).reduce((sum, n) => sum + n) === 2, 'the probe has timed out', 2 * TIMEOUT_MS);
  const [health] = await sql.query<{ unreachable: number; waitMs: number }>(
    `SELECT h.unreachable, extract(epoch FROM h.probe_at - h.last_failure_at) * 1000 AS "waitMs" FROM channel_health AS h`,
  );
  expect({ unreachable: health?.unreachable, waitMs: Number(health?.waitMs) }).toEqual({ unreachable: 4, waitMs: 2 * PROBE_MS });
  expect(receiver.received).toHaveLength(2);
}, 150_000);

test('deliveries that have no slot stay in the queue, instead of being claimed and given back over and over', async () => {
  await using stack = new AsyncDisposableStack();
  const database = await openTestDatabase();
  stack.defer(() => database.drop());
  const pipeline = await openPipeline(database);
  stack.defer(() => pipeline.close());
  const { db, jobs } = pipeline;
  const projectId = await insertProject(db);
  const channelIds: string[] = [];
  for (let n = 0; n < HANGING; n += 1) channelIds.push(await insertChannel(db, { projectId }));
  await insertSubscription(db, { projectId, channelIds });
  await pipeline.publisher.publish(
    projectId,
    Array.from({ length: 25 }, () => failedTask()),
  );

  const asked: number[] = [];
  const { claim } = jobs;
  jobs.claim = async (limit, ignored) => {
    const claimed = await claim(limit, ignored);
    asked.push(claimed.length);
    return claimed;
  };
  const answer = Promise.withResolvers<Outcome>();
  let sends = 0;
  pipeline.dispatch(() => {
    sends += 1;
    return answer.promise;
  }, SLOTS);
  // It asks at least twice a second.
  await until(() => asked.length >= 12, 'the queue has been asked a dozen times', 30_000);
  answer.resolve({ outcome: 'DELIVERED', statusCode: 200 });
  expect(sends).toBeLessThanOrEqual(SLOTS);
  expect(asked.reduce((sum, n) => sum + n) / asked.length).toBeLessThan(16);
}, 90_000);
