import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Outcome } from '../../src/domain/outcome.ts';
import type { HttpPort } from '../../src/domain/ports.ts';
import type { Viewer } from '../../src/domain/viewer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import type { Keyring } from '../../src/lib/seal.ts';
import { changeInbox } from '../../src/pipeline/change-inbox.ts';
import { cancelDeliveries, clearDeliveries, redeliver } from '../../src/pipeline/deliveries.ts';
import { createFiredLog } from '../../src/pipeline/fired.ts';
import { sweep } from '../../src/pipeline/maintenance.ts';
import { type Settlement, settle } from '../../src/pipeline/settle.ts';
import { createChanges } from '../../src/service/change.ts';
import { type Channels, createChannels } from '../../src/service/channels.ts';
import type { ServiceDeps } from '../../src/service/deps.ts';
import { createMembers, type Members } from '../../src/service/members.ts';
import { createProjects, type Projects } from '../../src/service/projects.ts';
import { createSubscriptions, type Subscriptions } from '../../src/service/subscriptions.ts';
import { createTestSends, type TestSends } from '../../src/service/test-sends.ts';
import { createUsers, type Users } from '../../src/service/users.ts';
import { NO_MAIL } from '../channels/support.ts';
import { createManualClock } from '../support/clock.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addChannel, addMember, addProject, addSubscription, failedTask } from '../support/fixtures.ts';
import { openPipeline, type TestPipeline, until } from '../support/pipeline.ts';
import { administer } from '../support/template.ts';

// Every pair of writers that share rows, in loops against each other and in opposite order of ids, each from a process of its own. The lock order (ARCHITECTURE.md)
// holds where PostgreSQL counts no deadlock: those that its victims' retries would hide count too.

/** One process: a pipeline and the services on its pool. */
interface Side extends TestPipeline, Members, Subscriptions, Channels, Projects, Users {
  http: HttpPort;
  keyring: Keyring;
}

let database: TestDatabase;
let a: Side;
let b: Side;
let root: Viewer;

beforeAll(async () => {
  database = await openTestDatabase();
  [a, b] = [await openSide(), await openSide()];
  const userId = uuidv7();
  await a.db.prisma.user.create({ data: { id: userId, email: 'root@example.com', name: 'Root', isAdmin: true, inbox: { create: {} } } });
  root = { kind: 'user', userId, isAdmin: true, tokenId: null, expiresAt: null };
}, 60_000);

afterAll(async () => {
  await Promise.all([a.close(), b.close()]);
  const deadlocks = await countDeadlocks();
  await database.drop();
  expect(deadlocks).toBe(0);
});

async function openSide(): Promise<Side> {
  const pipeline = await openPipeline(database);
  const { db, jobs, wakeups } = pipeline;
  const deps: ServiceDeps = { db, jobs, clock: systemClock, newId: uuidv7, changes: createChanges({ db, wakeups }) };
  const http = { post: () => Promise.reject(new Error('unused')), check: () => Promise.resolve({ ok: true } as const) };
  const keyring = { seal: (text: string) => text, open: (text: string) => text };
  const services = { ...createMembers(deps), ...createSubscriptions(deps), ...createProjects(deps), ...createUsers(deps) };
  return { ...pipeline, ...services, ...createChannels({ ...deps, http, mail: NO_MAIL, keyring }), http, keyring };
}

/** What PostgreSQL has counted since the database was made; sessions that have ended have told it all. */
async function countDeadlocks(): Promise<number> {
  const { url } = database;
  if (url === null) throw new Error('this file needs PostgreSQL');
  const { rows } = await administer(url, 'SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()');
  return (rows as { n: number }[])[0]?.n ?? -1;
}

const MEMBERS = 8;
const CHANNELS = 3;

interface World {
  projectId: string;
  memberIds: string[];
  channelIds: string[];
  subscriptionIds: string[];
}

/** A project whose members have each a subscription to the inbox and to every channel of the project. */
async function addWorld(): Promise<World> {
  const projectId = await addProject(a.db);
  const memberIds = await times(MEMBERS, () => addMember(a.db, projectId));
  const channelIds = await times(CHANNELS, () => addChannel(a.db, { projectId }));
  const subscriptionIds: string[] = [];
  for (const userId of memberIds) subscriptionIds.push(await addSubscription(a.db, { projectId, userId, channelIds }));
  return { projectId, memberIds, channelIds, subscriptionIds };
}

async function times<T>(count: number, run: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let n = 0; n < count; n += 1) results.push(await run());
  return results;
}

let world: World;
beforeEach(async () => {
  world = await addWorld();
});

afterEach(async () => {
  await Promise.all([a.reset(), b.reset()]);
  expect([...a.errors, ...b.errors]).toEqual([]);
});

const ROUNDS = 30;

/** Runs each writer `ROUNDS` times in a row, all of them at once, and expects none to fail. */
async function contend(...writers: ((round: number) => Promise<unknown>)[]): Promise<void> {
  await Promise.all(
    writers.map(async (write) => {
      for (let round = 0; round < ROUNDS; round += 1) await write(round);
    }),
  );
}

/** Every user's numbers 1 … head are there once each, in items and log together, and the counters say what the items say. */
async function expectWholeInboxes(): Promise<void> {
  const rows = await a.db.sql.query(
    `SELECT b.user_id FROM inboxes AS b
     LEFT JOIN LATERAL (SELECT count(*) AS n, count(DISTINCT seq) AS distinct_n, coalesce(max(seq), 0) AS top
       FROM (SELECT seq FROM inbox_items WHERE user_id = b.user_id UNION ALL SELECT seq FROM inbox_changes WHERE user_id = b.user_id) AS s) AS log ON true
     LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE read_at IS NULL AND archived_at IS NULL) AS unread, count(*) FILTER (WHERE seen_at IS NULL AND archived_at IS NULL) AS unseen
       FROM inbox_items WHERE user_id = b.user_id) AS c ON true
     WHERE log.n <> b.head OR log.distinct_n <> b.head OR log.top <> b.head OR c.unread <> b.unread OR c.unseen <> b.unseen`,
  );
  expect(rows).toEqual([]);
}

/** Nothing of a project is left with somebody who is no member, and no delivery waits for one alone. */
async function expectNothingForStrangers(): Promise<void> {
  const rows = await a.db.sql.query(
    `SELECT i.user_id FROM inbox_items AS i WHERE i.kind = 'EVENT' AND NOT EXISTS (SELECT 1 FROM memberships AS m WHERE m.project_id = i.project_id AND m.user_id = i.user_id)
     UNION ALL
     SELECT d.id FROM deliveries AS d WHERE d.status = 'QUEUED' AND NOT EXISTS (SELECT 1 FROM subscriptions AS s WHERE s.id = ANY(d.subscription_ids))`,
  );
  expect(rows).toEqual([]);
}

/** No delivery that waits lacks its job (spec 5), and no job waits for a delivery that needs none. */
async function expectJobsToMatch(): Promise<void> {
  expect((await sweep({ db: a.db, jobs: a.jobs, wakeups: a.wakeups, now: Date.now, newId: uuidv7 })).repaired).toBe(0);
  const stale = await a.db.sql.query(
    `SELECT j.id FROM pgboss.job AS j WHERE j.name = 'deliver' AND j.state = 'created' AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.job_id = j.id AND d.status = 'QUEUED')`,
  );
  expect(stale).toEqual([]);
}

function tasks(ids: readonly string[]): ReturnType<typeof failedTask>[] {
  return ids.map((id) => failedTask({ id }));
}

function freshIds(round: number, count: number): string[] {
  return Array.from({ length: count }, (_, place) => `${String(round)}-${String(place)}`);
}

function publish(side: Side, ids: readonly string[]): Promise<unknown> {
  return side.publisher.publish(world.projectId, tasks(ids));
}

async function deliveryIds(): Promise<string[]> {
  const rows = await a.db.prisma.delivery.findMany({ where: { projectId: world.projectId }, select: { id: true }, orderBy: { id: 'asc' } });
  return rows.map(({ id }) => id);
}

function member(userId: string): Viewer {
  return { kind: 'user', userId, isAdmin: false, tokenId: null, expiresAt: null };
}

const DELIVERED: Outcome = { outcome: 'DELIVERED', statusCode: 200 };
const REJECTED: Outcome = { outcome: 'FAILED', reason: 'REJECTED', statusCode: 400, error: 'no', responseBody: null, gone: false };
const GONE: Outcome = { ...REJECTED, reason: 'GONE', statusCode: 410, gone: true };

test('publish × publish of the same ids, reversed: each is taken once', async () => {
  const sum = { accepted: 0, duplicates: 0, inboxItems: 0 };
  const publisher = (side: Side, order: (ids: string[]) => string[]) => async (round: number) => {
    const result = await side.publisher.publish(world.projectId, tasks(order(freshIds(round, 50))));
    for (const name of ['accepted', 'duplicates', 'inboxItems'] as const) sum[name] += result[name];
  };
  await contend(
    publisher(a, (ids) => ids),
    publisher(b, (ids) => ids.toReversed()),
  );
  expect(sum).toEqual({ accepted: 50 * ROUNDS, duplicates: 50 * ROUNDS, inboxItems: 50 * ROUNDS * MEMBERS });
  await expectWholeInboxes();
});

test('publish × publish with cooldowns by task name, in opposite order: each fires once', async () => {
  const quiet = await addProject(a.db);
  const names = freshIds(0, 20);
  for (let n = 0; n < 3; n += 1)
    await addSubscription(a.db, { projectId: quiet, userId: await addMember(a.db, quiet), cooldownSeconds: 300, cooldownBy: 'TASK_NAME' });
  let inboxItems = 0;
  const publisher = (side: Side, order: (ids: string[]) => string[]) => async () => {
    const result = await side.publisher.publish(
      quiet,
      order(names).map((taskName) => failedTask({ id: uuidv7(), taskName })),
    );
    inboxItems += result.inboxItems;
  };
  await contend(
    publisher(a, (ids) => ids),
    publisher(b, (ids) => ids.toReversed()),
  );
  expect(inboxItems).toBe(3 * names.length);
  const rows = await a.db.prisma.cooldown.findMany({ where: { subscription: { projectId: quiet } } });
  expect(rows.reduce((total, { suppressed }) => total + suppressed, 0)).toBe(2 * ROUNDS * 3 * names.length - inboxItems);
});

test('publish to two projects × the same, reversed', async () => {
  const other = await addWorld();
  // Members of both, so that their inboxes are shared too.
  for (const userId of world.memberIds) {
    await a.setMember(root, { projectId: other.projectId, userId, role: 'MEMBER' });
    await addSubscription(a.db, { projectId: other.projectId, userId });
  }
  const publisher = (side: Side, projectIds: string[], which: string) => async (round: number) =>
    await Promise.all(projectIds.map((projectId) => side.publisher.publish(projectId, tasks(freshIds(round, 10).map((id) => which + id)))));
  await contend(publisher(a, [world.projectId, other.projectId], 'a'), publisher(b, [other.projectId, world.projectId], 'b'));
  await expectWholeInboxes();
});

test('publish × marking, archiving and restoring by every member', async () => {
  const change = (side: Side, operation: 'READ' | 'UNREAD' | 'ARCHIVE' | 'UNARCHIVE', memberIds: readonly string[]) => async () =>
    await Promise.all(
      memberIds.map((userId) =>
        changeInbox({ db: side.db, wakeups: side.wakeups, now: Date.now }, userId, operation, {
          filter: operation === 'UNARCHIVE' ? { archived: true } : {},
          upToSeq: null,
        }),
      ),
    );
  await contend(
    (round) =>
      publish(
        a,
        freshIds(round, 5).map((id) => `a${id}`),
      ),
    (round) =>
      publish(
        b,
        freshIds(round, 5).map((id) => `b${id}`),
      ),
    change(a, 'READ', world.memberIds),
    change(b, 'UNREAD', world.memberIds.toReversed()),
    change(a, 'ARCHIVE', world.memberIds.slice(0, 2)),
    change(b, 'UNARCHIVE', world.memberIds.slice(0, 2).toReversed()),
  );
  await expectWholeInboxes();
});

test('publish × changes of subscriptions and channels', async () => {
  const { subscriptionIds, channelIds, memberIds } = world;
  const mine = [...subscriptionIds.slice(0, 3).entries()];
  const owner = (index: number): Viewer => member(memberIds[index] ?? '');
  await contend(
    (round) => publish(a, freshIds(round, 20)),
    (round) => publish(b, freshIds(round, 20).toReversed()),
    async (round) => {
      for (const [index, id] of mine) await a.updateSubscription(owner(index), { id, isActive: round % 2 === 0 });
    },
    async (round) => {
      for (const [index, id] of mine.toReversed()) await b.updateSubscription(owner(index), { id, filters: { cooldownSeconds: round % 3 } });
    },
    async (round) => {
      for (const id of channelIds) await a.updateChannel(root, { id, isActive: round % 2 === 1 });
    },
    async (round) => {
      for (const id of channelIds.toReversed()) await b.updateChannel(root, { id, name: `${id} ${String(round)}` });
    },
  );
  await expectWholeInboxes();
  await expectJobsToMatch();
});

test('publish × members who leave and join: nothing of a project stays with who is gone', async () => {
  const { projectId, memberIds } = world;
  const leaveAndJoin = (side: Side, userIds: readonly string[]) => async () => {
    for (const userId of userIds) {
      await side.removeMember(root, { projectId, userId });
      await expectNothingForStrangers();
      await side.setMember(root, { projectId, userId, role: 'MEMBER' });
      await addSubscription(side.db, { projectId, userId });
    }
  };
  await contend(
    (round) => publish(a, freshIds(round, 20)),
    (round) => publish(b, freshIds(round, 20).toReversed()),
    leaveAndJoin(a, memberIds.slice(0, 2)),
    leaveAndJoin(b, memberIds.slice(2, 4).toReversed()),
  );
  for (const userId of memberIds) await a.removeMember(root, { projectId, userId });
  await expectNothingForStrangers();
  await expectWholeInboxes();
  await expectJobsToMatch();
});

test('settling × cancelling and redelivering the same deliveries, reversed', async () => {
  await publish(a, freshIds(0, 40));
  const ids = await deliveryIds();
  expect(ids).toHaveLength(40 * CHANNELS);
  for (const side of [a, b]) side.dispatch((delivery) => Promise.resolve(delivery.attemptCount % 2 === 0 ? REJECTED : DELIVERED));
  const changeDeps = (side: Side) => ({ db: side.db, jobs: side.jobs, wakeups: side.wakeups, now: Date.now, newId: uuidv7 });
  await contend(
    () => cancelDeliveries(changeDeps(a), ids),
    () => cancelDeliveries(changeDeps(b), ids.toReversed()),
    () => redeliver(changeDeps(a), ids),
    () => redeliver(changeDeps(b), ids.toReversed()),
  );
  await until(async () => (await a.db.prisma.delivery.count({ where: { projectId: world.projectId, status: 'QUEUED' } })) === 0, 'nothing is queued');
  await expectJobsToMatch();
});

test('settling × switching channels off by 410 and on again × publish', async () => {
  const { channelIds, projectId } = world;
  await a.setMember(root, { projectId, userId: world.memberIds[0] ?? '', role: 'ADMIN' });
  for (const side of [a, b]) side.dispatch(() => Promise.resolve(GONE));
  await contend(
    (round) => publish(a, freshIds(round, 10)),
    (round) => publish(b, freshIds(round, 10).toReversed()),
    async () => {
      for (const id of channelIds) await a.updateChannel(root, { id, isActive: true });
    },
    async () => {
      for (const id of channelIds.toReversed()) await b.updateChannel(root, { id, isActive: true });
    },
  );
  await until(async () => (await a.db.prisma.delivery.count({ where: { projectId, status: 'QUEUED' } })) === 0, 'nothing is queued');
  await expectWholeInboxes();
  await expectJobsToMatch();
});

/** Claims all that waits, and ends an attempt of each. */
async function endAttempts(outcome: Outcome): Promise<Settlement[]> {
  const ended = { number: 1, roundNumber: 1, startedAt: Date.now(), endedAt: Date.now(), unreachable: 0, probeAt: null };
  return (await a.jobs.claim(1_000, [])).map((job) => ({ job, kind: 'ATTEMPT', attempt: { ...ended, outcome } }));
}

function settleDeps(side: Side): Parameters<typeof settle>[0] {
  return { db: side.db, jobs: side.jobs, wakeups: side.wakeups, now: Date.now, newId: uuidv7, random: Math.random };
}

test('settling × settling of the same jobs, reversed, as after a claim that expired: one attempt each', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    await publish(a, freshIds(round, 10));
    const settlements = await endAttempts(round % 2 === 0 ? DELIVERED : REJECTED);
    expect(settlements).toHaveLength(10 * CHANNELS);
    await Promise.all([settle(settleDeps(a), settlements), settle(settleDeps(b), settlements.toReversed())]);
  }
  const rows = await a.db.prisma.delivery.groupBy({
    by: ['attemptCount', 'status'],
    where: { projectId: world.projectId },
    _count: true,
    orderBy: { status: 'asc' },
  });
  const each = (ROUNDS / 2) * 10 * CHANNELS;
  expect(rows).toEqual([
    { attemptCount: 1, status: 'FAILED', _count: each },
    { attemptCount: 1, status: 'SENT', _count: each },
  ]);
  await expectJobsToMatch();
});

test('settling × cancelling of the same jobs, reversed: what a receiver took is SENT', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    await publish(a, freshIds(round, 20));
    const settlements = await endAttempts(DELIVERED);
    const ids = settlements.map(({ job }) => job.deliveryId);
    const cancel = (side: Side, order: readonly string[]) => cancelDeliveries({ ...settleDeps(side), newId: uuidv7 }, order);
    await Promise.all([settle(settleDeps(a), settlements.toReversed()), cancel(b, ids), cancel(a, ids.toReversed())]);
  }
  const rows = await a.db.prisma.delivery.groupBy({ by: ['attemptCount', 'status'], where: { projectId: world.projectId }, _count: true });
  expect(rows).toEqual([{ attemptCount: 1, status: 'SENT', _count: ROUNDS * 20 * CHANNELS }]);
  await expectJobsToMatch();
});

test("a user's mute of all projects × the notes of what fired × publish", async () => {
  const userId = world.memberIds[0] ?? '';
  const viewer = member(userId);
  const ids = await times(50, () => addSubscription(a.db, { projectId: world.projectId, userId }));
  const mute = (side: Side) => async (round: number) => await side.muteSubscriptions(viewer, { until: new Date(Date.UTC(2099, 0, 1 + round)) });
  const note = (side: Side, order: readonly string[]) => async () => {
    const fired = createFiredLog({ sql: side.db.sql, clock: systemClock, onError: (error) => side.errors.push(error) });
    fired.note(order);
    await fired.close();
  };
  await contend(mute(a), mute(b), note(a, ids), note(b, ids.toReversed()), (round) => publish(a, freshIds(round, 2)));
});

test('a note of what fired leaves a row alone that is being changed, and writes it next time', async () => {
  const [id = ''] = world.subscriptionIds;
  const lastFiredAt = async (): Promise<Date | null> => (await a.db.prisma.notificationSubscription.findUniqueOrThrow({ where: { id } })).lastFiredAt;
  const clock = createManualClock();
  const asked = Promise.withResolvers<void>();
  const sql: Side['db']['sql'] = {
    query: async <Row>(text: string, values?: readonly unknown[]) => {
      const rows = await a.db.sql.query<Row>(text, values);
      asked.resolve();
      return rows;
    },
  };
  const fired = createFiredLog({ sql, clock, onError: (error) => a.errors.push(error) });
  await b.db.transaction(async (tx) => {
    await tx.query('SELECT id FROM subscriptions WHERE id = $1::uuid FOR NO KEY UPDATE', [id]);
    fired.note([id]);
    clock.advance(1_000);
    await asked.promise;
  });
  expect(await lastFiredAt()).toBeNull();
  await until(() => clock.pending() > 0, 'it is due again');
  clock.advance(1_000);
  await until(async () => (await lastFiredAt()) !== null, 'it is written');
  await fired.close();
});

test('forgetting cooldown keys that are over × publish', async () => {
  const quiet = await addProject(a.db);
  const names = freshIds(0, 100);
  await addSubscription(a.db, { projectId: quiet, userId: await addMember(a.db, quiet), cooldownSeconds: 1, cooldownBy: 'TASK_NAME' });
  const publisher = (side: Side, order: readonly string[]): Promise<unknown> =>
    side.publisher.publish(
      quiet,
      order.map((taskName) => failedTask({ id: uuidv7(), taskName })),
    );
  const forget = (side: Side): Promise<unknown> => sweep({ db: side.db, jobs: side.jobs, wakeups: side.wakeups, now: Date.now, newId: uuidv7 });
  for (let round = 0; round < ROUNDS; round += 1) {
    await publisher(
      a,
      names.toSorted(() => (round % 2) - 0.5),
    );
    await a.db.sql.query(`UPDATE cooldowns SET last_fired_at = now() - interval '2 days', suppressed = 0`);
    await Promise.all([publisher(a, names), forget(b), publisher(b, names.toReversed()), forget(a)]);
  }
});

test('deleting users × publish × their own changes × settling of their own channels', async () => {
  const other = await addWorld();
  for (const side of [a, b]) side.dispatch(() => Promise.resolve(REJECTED));
  for (const userId of world.memberIds) {
    const channelId = await addChannel(a.db, { userId });
    await a.setMember(root, { projectId: other.projectId, userId, role: 'MEMBER' });
    for (const projectId of [world.projectId, other.projectId]) await addSubscription(a.db, { projectId, userId, channelIds: [channelId] });
  }
  const publisher = (side: Side, projectId: string) => (round: number) =>
    side.publisher.publish(projectId, tasks(freshIds(round, 5).map((id) => (side === a ? `a${id}` : `b${id}`))));
  const mark = (side: Side, userIds: readonly string[]) => async () => {
    for (const userId of userIds) await changeInbox({ db: side.db, wakeups: side.wakeups, now: Date.now }, userId, 'READ', { filter: {}, upToSeq: null });
  };
  const remove = (side: Side, userIds: readonly string[]) => async (round: number) => {
    const userId = userIds[round / 4];
    if (userId !== undefined) await side.deleteUser(root, { id: userId });
  };
  await contend(
    publisher(a, world.projectId),
    publisher(b, other.projectId),
    mark(a, world.memberIds),
    mark(b, world.memberIds.toReversed()),
    remove(a, world.memberIds.slice(0, 4)),
    remove(b, world.memberIds.slice(4, 7)),
  );
  expect(await a.db.prisma.user.count({ where: { id: { in: world.memberIds } } })).toBe(1);
  expect(await a.db.prisma.inboxItem.count({ where: { userId: { in: world.memberIds.slice(0, 7) } } })).toBe(0);
  await expectNothingForStrangers();
  await expectWholeInboxes();
  await until(async () => (await a.db.prisma.delivery.count({ where: { projectId: world.projectId, status: 'QUEUED' } })) === 0, 'nothing is queued');
  await expectJobsToMatch();
});

test('clearing the log of deliveries × members who leave × redelivering', async () => {
  const { projectId, memberIds } = world;
  for (const side of [a, b]) side.dispatch(() => Promise.resolve(DELIVERED));
  const leaveAndJoin = (side: Side, userIds: readonly string[]) => async () => {
    for (const userId of userIds) {
      await side.removeMember(root, { projectId, userId });
      await side.setMember(root, { projectId, userId, role: 'MEMBER' });
      await addSubscription(side.db, { projectId, userId, channelIds: world.channelIds });
    }
  };
  await contend(
    (round) => publish(a, freshIds(round, 20)),
    leaveAndJoin(a, memberIds.slice(0, 2)),
    leaveAndJoin(b, memberIds.slice(2, 4)),
    () => clearDeliveries(a, projectId, new Date(Date.now() + 1_000)),
    () => clearDeliveries(b, projectId, new Date(Date.now() + 1_000)),
  );
  await until(async () => (await a.db.prisma.delivery.count({ where: { projectId, status: 'QUEUED' } })) === 0, 'nothing is queued');
  await clearDeliveries(a, projectId, new Date(Date.now() + 1_000));
  expect(await a.db.prisma.deliveryViewer.count({ where: { userId: { in: memberIds } } })).toBe(0);
  await expectJobsToMatch();
});

test('test sends × deleting channels × admins who leave × deleting users × clearing the log × the sweep', async () => {
  const { projectId, memberIds } = world;
  const [first = '', second = '', ...others] = memberIds;
  for (const userId of memberIds) await a.setMember(root, { projectId, userId, role: 'ADMIN' });
  // Each call is a minute later: no test is one too many.
  let laterMs = 0;
  const now = (): number => {
    laterMs += 60_000;
    return Date.now() + laterMs;
  };
  const clock = { ...systemClock, now };
  const senderOf = (side: Side): TestSends => {
    const { db, jobs, wakeups, keyring, http } = side;
    const deps = { db, jobs, clock, newId: uuidv7, changes: createChanges({ db, wakeups }), keyring, http, mail: NO_MAIL };
    return createTestSends({ ...deps, send: () => Promise.resolve(DELIVERED), publicUrl: 'http://tocsin.test', isHeld: false });
  };
  let asked = 0;
  let sent = 0;
  const sends = (side: Side, userIds: readonly string[], address: string) => async () => {
    const sender = senderOf(side);
    for (const userId of userIds) {
      const viewer: Viewer = { kind: 'user', userId, isAdmin: false, tokenId: null, expiresAt: null };
      const id = world.channelIds[asked % world.channelIds.length] ?? '';
      asked += 1;
      const result = await sender.testChannel({ viewer, address }, { id }).catch(allowNotFound);
      if (result?.success === false) sent += 1;
    }
  };
  const replaceChannels = (side: Side, at: number) => async () => {
    const id = world.channelIds[at] ?? '';
    world.channelIds[at] = await addChannel(side.db, { projectId });
    await side.deleteChannel(root, { id });
  };
  const leaveAndJoin = (side: Side, userId: string) => async () => {
    await side.removeMember(root, { projectId, userId });
    await side.setMember(root, { projectId, userId, role: 'ADMIN' });
  };
  const removeUser = (side: Side, userIds: readonly string[]) => async (round: number) => {
    const userId = userIds[round / 8];
    if (userId !== undefined) await side.deleteUser(root, { id: userId });
  };
  await contend(
    sends(a, memberIds, '192.0.2.1'),
    sends(b, memberIds.toReversed(), '192.0.2.1'),
    replaceChannels(a, 0),
    replaceChannels(b, 1),
    leaveAndJoin(a, first),
    leaveAndJoin(b, second),
    removeUser(a, others.slice(0, 3)),
    removeUser(b, others.slice(3, 5)),
    () => clearDeliveries(a, projectId, new Date('2100-01-01')),
    () => sweep({ db: b.db, jobs: b.jobs, wakeups: b.wakeups, now, newId: uuidv7 }),
    () => sweep({ db: a.db, jobs: a.jobs, wakeups: a.wakeups, now, newId: uuidv7 }),
  );
  expect(sent).toBeGreaterThan(ROUNDS);
  const orphans = await a.db.sql.query('SELECT 1 FROM delivery_viewers AS v WHERE NOT EXISTS (SELECT 1 FROM memberships AS m WHERE m.user_id = v.user_id)');
  expect(orphans).toEqual([]);
});

/** What is written into a project that is gone by then is refused. */
function allowNotFound(error: unknown): void {
  if (!(error instanceof Error) || !error.message.includes('not found')) throw error;
}

test('deleting a project × everything that writes into it', async () => {
  const { projectId } = world;
  const { slug } = await a.db.prisma.project.findUniqueOrThrow({ where: { id: projectId } });
  // Somebody to be told of what fails.
  await a.setMember(root, { projectId, userId: world.memberIds[0] ?? '', role: 'ADMIN' });
  await publish(a, freshIds(-1, 100));
  const ids = await deliveryIds();
  for (const side of [a, b]) side.dispatch(() => Promise.resolve(REJECTED));
  const changeDeps = (side: Side) => ({ db: side.db, jobs: side.jobs, wakeups: side.wakeups, now: Date.now, newId: uuidv7 });
  let isGone = false;
  const whileItStands = (write: (round: number) => Promise<unknown>) => async (round: number) => {
    if (!isGone) await write(round).catch(allowNotFound);
  };
  await contend(
    whileItStands((round) => publish(a, freshIds(round, 10))),
    whileItStands((round) => publish(b, freshIds(round, 10).toReversed())),
    whileItStands(() => redeliver(changeDeps(a), ids)),
    whileItStands(() => redeliver(changeDeps(b), ids.toReversed())),
    whileItStands(() => cancelDeliveries(changeDeps(b), ids.toReversed())),
    whileItStands(() => changeInbox({ db: b.db, wakeups: b.wakeups, now: Date.now }, world.memberIds[0] ?? '', 'READ', { filter: {}, upToSeq: null })),
    async (round) => {
      if (round !== 2) return;
      await a.deleteProject(root, { id: projectId, slug });
      isGone = true;
    },
  );
  await until(async () => (await a.db.prisma.delivery.count({ where: { projectId } })) === 0, 'no delivery is left', 5_000);
  expect(await a.db.prisma.event.count({ where: { projectId } })).toBe(0);
  expect(await a.db.prisma.inboxItem.count({ where: { projectId } })).toBe(0);
  await expectWholeInboxes();
  await expectJobsToMatch();
});
