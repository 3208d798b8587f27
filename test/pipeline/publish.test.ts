import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addChannel, addMember, addProject, addSubscription, bumpRules, failedTask } from '../support/fixtures.ts';
import { openPipeline, type TestPipeline } from '../support/pipeline.ts';

let database: TestDatabase;
let pipeline: TestPipeline;
let db: Database;

beforeAll(async () => {
  database = await openTestDatabase();
  pipeline = await openPipeline(database);
  db = pipeline.db;
});

afterAll(async () => {
  await pipeline.close();
  await database.drop();
  expect(pipeline.errors).toEqual([]);
});

async function team(): Promise<{ projectId: string; admin: string; member: string; channelId: string }> {
  const projectId = await addProject(db);
  return { projectId, admin: await addMember(db, projectId, 'ADMIN'), member: await addMember(db, projectId), channelId: await addChannel(db, { projectId }) };
}

describe('recording', () => {
  test('one event gives each user one item and each channel one delivery, however many subscriptions match', async () => {
    const { projectId, admin, member, channelId } = await team();
    const personal = await addSubscription(db, { projectId, userId: member, channelIds: [channelId] });
    const again = await addSubscription(db, { projectId, userId: member, channelIds: [channelId], taskNamePattern: 'billing.*' });
    const ofTeam = await addSubscription(db, { projectId, channelIds: [channelId] });
    await addSubscription(db, { projectId, userId: admin, isDefaultCopy: true });

    expect(await pipeline.publisher.publish(projectId, [failedTask()])).toEqual({ accepted: 1, duplicates: 0, inboxItems: 2, deliveries: 1 });

    const [delivery] = await db.prisma.delivery.findMany({ where: { projectId } });
    expect(new Set(delivery?.subscriptionIds)).toEqual(new Set([personal, again, ofTeam]));
    expect(await db.prisma.deliveryViewer.findMany({ where: { deliveryId: delivery?.id ?? '' } })).toEqual([{ userId: member, deliveryId: delivery?.id }]);
    const items = await db.prisma.inboxItem.findMany({ where: { projectId } });
    expect(Object.fromEntries(items.map((item) => [item.userId, item.reason]))).toEqual({ [member]: 'SUBSCRIBED', [admin]: 'DEFAULT' });
  });

  test('numbers of an inbox have no gap, and head and counts move with them', async () => {
    const { projectId, member } = await team();
    await addSubscription(db, { projectId, userId: member });
    await Promise.all(Array.from({ length: 30 }, () => pipeline.publisher.publish(projectId, [failedTask(), failedTask()])));
    const items = await db.prisma.inboxItem.findMany({ where: { userId: member }, orderBy: { seq: 'asc' } });
    expect(items.map((item) => Number(item.seq))).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    const inbox = await db.prisma.inbox.findUnique({ where: { userId: member } });
    expect(inbox).toMatchObject({ head: 60n, unread: 60, unseen: 60 });
  });

  test('an event whose id is known counts as duplicate and does nothing again, in one call, another, and for a cooldown', async () => {
    const { projectId, member } = await team();
    const subscriptionId = await addSubscription(db, { projectId, userId: member, cooldownSeconds: 300 });
    const event = failedTask();
    expect(await pipeline.publisher.publish(projectId, [event, event])).toMatchObject({ accepted: 1, duplicates: 1, inboxItems: 1 });
    expect(await pipeline.publisher.publish(projectId, [event])).toMatchObject({ accepted: 0, duplicates: 1, inboxItems: 0 });
    expect(await db.prisma.cooldown.findMany({ where: { subscriptionId } })).toMatchObject([{ suppressed: 0 }]);
    const other = await team();
    expect(await pipeline.publisher.publish(other.projectId, [event])).toMatchObject({ accepted: 1, duplicates: 0 });
  });

  test('a change of rules is in force with the next event', async () => {
    const { projectId, member, channelId } = await team();
    const id = await addSubscription(db, { projectId, userId: member, channelIds: [channelId] });
    expect(await pipeline.publisher.publish(projectId, [failedTask()])).toMatchObject({ inboxItems: 1, deliveries: 1 });
    await db.prisma.channel.update({ where: { id: channelId }, data: { isActive: false } });
    await bumpRules(db, projectId);
    expect(await pipeline.publisher.publish(projectId, [failedTask()])).toMatchObject({ inboxItems: 1, deliveries: 0 });
    await db.prisma.notificationSubscription.update({ where: { id }, data: { isActive: false } });
    await bumpRules(db, projectId);
    expect(await pipeline.publisher.publish(projectId, [failedTask()])).toMatchObject({ inboxItems: 0, deliveries: 0 });
  });

  test('events of a project that does not exist are NOT_FOUND', async () => {
    await expect(pipeline.publisher.publish('01890000-0000-7000-8000-000000000000', [failedTask()])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('texts with quotes, newlines and non-ASCII, and the data, are kept as they are', async () => {
    const { projectId, member } = await team();
    await addSubscription(db, { projectId, userId: member });
    const data = { b: 1, a: [null, 'é"\\\n', { deep: '🦊' }], big: 1e21 };
    await pipeline.publisher.publish(projectId, [failedTask({ id: 'odd', exception: `Error('it\\'s "bad"')\n\t🦊`, traceback: '{a,"b"}', data })]);
    const [row] = await db.prisma.event.findMany({ where: { projectId } });
    expect(row).toMatchObject({ eventId: 'odd', exception: `Error('it\\'s "bad"')\n\t🦊`, traceback: '{a,"b"}', isThin: false });
    expect(JSON.stringify(row?.data)).toBe(JSON.stringify(data));
  });
});

describe('event history', () => {
  test.each([
    ['problems', 'task.failed', 1],
    ['problems', 'task.succeeded', 0],
    ['all', 'task.succeeded', 1],
    ['matched', 'task.failed', 0],
  ] as const)('%s: an unmatched %s leaves %i thin rows', async (history, trigger, rows) => {
    const projectId = await addProject(db);
    const own = await import('../../src/pipeline/record.ts');
    const { results } = await own.recordEvents({ ...pipeline.record, history }, [{ projectId, event: failedTask({ trigger, exception: 'text' }) }]);
    expect(results).toEqual([{ fate: 'ACCEPTED', inboxItems: 0, deliveries: 0 }]);
    const events = await db.prisma.event.findMany({ where: { projectId } });
    expect(events.map((event) => [event.isThin, event.exception])).toEqual(Array.from({ length: rows }, () => [true, null]));
  });
});

describe('cooldown', () => {
  test('after a match fires, those within it are dropped and counted, and the next that fires tells how many', async () => {
    const { projectId, member, channelId } = await team();
    const subscriptionId = await addSubscription(db, { projectId, userId: member, cooldownSeconds: 300, channelIds: [channelId] });
    expect(await pipeline.publisher.publish(projectId, [failedTask(), failedTask(), failedTask()])).toMatchObject({
      accepted: 3,
      inboxItems: 1,
      deliveries: 1,
    });
    expect(await pipeline.publisher.publish(projectId, [failedTask()])).toMatchObject({ inboxItems: 0, deliveries: 0 });
    const [before] = await db.prisma.cooldown.findMany({ where: { subscriptionId } });
    expect(before?.suppressed).toBe(3);

    await db.sql.query(`UPDATE cooldowns SET last_fired_at = last_fired_at - interval '301 s' WHERE subscription_id = $1::uuid`, [subscriptionId]);
    expect(await pipeline.publisher.publish(projectId, [failedTask(), failedTask()])).toMatchObject({ inboxItems: 1, deliveries: 1 });
    const items = await db.prisma.inboxItem.findMany({ where: { userId: member }, orderBy: { seq: 'asc' } });
    expect(items.map((item) => item.suppressedCount)).toEqual([0, 3]);
    const deliveries = await db.prisma.delivery.findMany({ where: { projectId }, orderBy: { id: 'asc' } });
    expect(deliveries.map((delivery) => [delivery.suppressedCount, delivery.suppressedSince === null])).toEqual([
      [0, true],
      [3, false],
    ]);
    expect(await db.prisma.cooldown.findMany({ where: { subscriptionId } })).toMatchObject([{ suppressed: 1 }]);
  });

  test('by TASK_NAME one failing task does not hide another', async () => {
    const { projectId, member } = await team();
    await addSubscription(db, { projectId, userId: member, cooldownSeconds: 300, cooldownBy: 'TASK_NAME' });
    const events = ['a', 'a', 'b', 'b', 'b'].map((taskName) => failedTask({ taskName }));
    expect(await pipeline.publisher.publish(projectId, events)).toMatchObject({ inboxItems: 2 });
    expect(
      await pipeline.publisher.publish(
        projectId,
        ['a', 'c'].map((taskName) => failedTask({ taskName })),
      ),
    ).toMatchObject({ inboxItems: 1 });
  });

  test('single posts at once fire once', async () => {
    const { projectId, member } = await team();
    const subscriptionId = await addSubscription(db, { projectId, userId: member, cooldownSeconds: 300 });
    const results = await Promise.all(Array.from({ length: 50 }, () => pipeline.publisher.publish(projectId, [failedTask()])));
    expect(results.reduce((sum, result) => sum + result.inboxItems, 0)).toBe(1);
    expect(await db.prisma.cooldown.findMany({ where: { subscriptionId } })).toMatchObject([{ suppressed: 49 }]);
  });

  test('beyond 10,000 keys new ones share one', async () => {
    const { projectId, member } = await team();
    const subscriptionId = await addSubscription(db, { projectId, userId: member, cooldownSeconds: 300, cooldownBy: 'TASK_NAME' });
    await db.sql.query(
      `INSERT INTO cooldowns (subscription_id, key, last_fired_at, suppressed, claim) SELECT $1::uuid, 'key ' || n, now() - interval '1 h', 0, gen_random_uuid() FROM generate_series(1, 10000) AS n`,
      [subscriptionId],
    );
    expect(
      await pipeline.publisher.publish(
        projectId,
        ['key 1', 'new 1', 'new 2'].map((taskName) => failedTask({ taskName })),
      ),
    ).toMatchObject({ inboxItems: 2 });
    expect(await db.prisma.cooldown.count({ where: { subscriptionId } })).toBe(10_001);
  });
});

test('a call of many events for many members is cut into transactions by the rules in force, and still answered as one', async () => {
  const projectId = await addProject(db);
  await db.sql.query(
    `WITH u AS (INSERT INTO users (id, email, name) SELECT gen_random_uuid(), 'm' || n || '@many.example.com', 'm' FROM generate_series(1, 2000) AS n RETURNING id),
       i AS (INSERT INTO inboxes (user_id) SELECT id FROM u), m AS (INSERT INTO memberships (project_id, user_id, role) SELECT $1::uuid, id, 'MEMBER' FROM u)
     INSERT INTO subscriptions (id, project_id, user_id, owner_id, trigger, in_app) SELECT gen_random_uuid(), $1::uuid, id, id, 'task.failed', true FROM u`,
    [projectId],
  );
  await bumpRules(db, projectId);
  expect(
    await pipeline.publisher.publish(
      projectId,
      Array.from({ length: 12 }, () => failedTask()),
    ),
  ).toEqual({ accepted: 12, duplicates: 0, inboxItems: 24_000, deliveries: 0 });
  const sizes = await db.sql.query('SELECT count(*) AS rows FROM inbox_items WHERE project_id = $1::uuid GROUP BY xmin::text ORDER BY rows', [projectId]);
  expect(sizes).toEqual([{ rows: 4_000 }, { rows: 10_000 }, { rows: 10_000 }]);
}, 60_000);

test('a call is answered when its own events are committed, whatever becomes of a larger one in the same batch', async () => {
  const projectId = await addProject(db);
  await db.sql.query(
    `WITH u AS (INSERT INTO users (id, email, name) SELECT gen_random_uuid(), 'l' || n || '@large.example.com', 'l' FROM generate_series(1, 2000) AS n RETURNING id),
       m AS (INSERT INTO memberships (project_id, user_id, role) SELECT $1::uuid, id, 'MEMBER' FROM u), i AS (INSERT INTO inboxes (user_id) SELECT id FROM u)
     INSERT INTO subscriptions (id, project_id, user_id, owner_id, trigger, in_app) SELECT gen_random_uuid(), $1::uuid, id, id, 'task.failed', true FROM u`,
    [projectId],
  );
  await bumpRules(db, projectId);
  const small = await addProject(db);
  const { transaction } = db;
  let transactions = 0;
  db.transaction = async (run) => {
    transactions += 1;
    // The first two are of the calls that come alone, the third holds the beginning of the batch.
    if (transactions === 4) throw new Error('the database is gone');
    return await transaction(run);
  };
  try {
    const publish = (project: string, count: number) =>
      pipeline.publisher.publish(
        project,
        Array.from({ length: count }, () => failedTask()),
      );
    const calls = await Promise.allSettled([publish(small, 1), publish(small, 1), publish(small, 1), publish(projectId, 12)]);
    expect(calls.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
  } finally {
    db.transaction = transaction;
  }
}, 60_000);
