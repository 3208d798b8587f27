import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { changeInbox } from '../../src/pipeline/change-inbox.ts';
import { createInboxFeed, type FeedStart, type InboxFeed, type InboxFeedEvent } from '../../src/pipeline/inbox-feed.ts';
import { removeInboxItems } from '../../src/pipeline/inbox-log.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addMember, addProject, addSubscription, failedTask } from '../support/fixtures.ts';
import { openPipeline, type TestPipeline } from '../support/pipeline.ts';

let database: TestDatabase;
let pipeline: TestPipeline;
let db: Database;
let feed: InboxFeed;

beforeAll(async () => {
  database = await openTestDatabase();
  pipeline = await openPipeline(database);
  db = pipeline.db;
  feed = createInboxFeed({ db, wakeups: pipeline.wakeups, clock: systemClock, onError: (error) => pipeline.errors.push(error) });
});

afterAll(async () => {
  feed.close();
  await pipeline.close();
  await database.drop();
  expect(pipeline.errors).toEqual([]);
});

async function reader(): Promise<{ projectId: string; userId: string }> {
  const projectId = await addProject(db);
  const userId = await addMember(db, projectId);
  await addSubscription(db, { projectId, userId });
  return { projectId, userId };
}

async function publish(projectId: string, count: number): Promise<void> {
  await pipeline.publisher.publish(
    projectId,
    Array.from({ length: count }, () => failedTask()),
  );
}

function change(userId: string, operation: Parameters<typeof changeInbox>[2], selection: Parameters<typeof changeInbox>[3]): ReturnType<typeof changeInbox> {
  return changeInbox({ db, wakeups: pipeline.wakeups, now: Date.now }, userId, operation, selection);
}

/** Takes events from a stream until READY, or `count` of them. */
async function take(userId: string, start: FeedStart, count?: number): Promise<InboxFeedEvent[]> {
  const abort = new AbortController();
  const events: InboxFeedEvent[] = [];
  for await (const event of feed.open(userId, start, abort.signal)) {
    events.push(event);
    if (count === undefined ? event.kind === 'READY' : events.length === count) break;
  }
  return events;
}

const kinds = (events: readonly InboxFeedEvent[]): string[] => events.map((event) => `${event.kind} ${String(event.seq)}`);

test('without a position: READY, then what comes', async () => {
  const { projectId, userId } = await reader();
  await publish(projectId, 2);
  const abort = new AbortController();
  const stream = feed.open(userId, null, abort.signal);
  expect((await stream.next()).value).toMatchObject({ kind: 'READY', seq: 2, counts: { unread: 2, unseen: 2 } });
  const next = stream.next();
  await publish(projectId, 1);
  expect((await next).value).toMatchObject({ kind: 'ADDED', seq: 3, counts: { unread: 3 }, items: [{ seq: 3, event: { taskName: 'billing.run' } }] });
  await stream.return();
});

test('after a position: every change since, in order, over several pages, then READY', async () => {
  const { projectId, userId } = await reader();
  await publish(projectId, 250);
  await change(userId, 'READ', { seqs: [1, 2, 3], upToSeq: null });
  const events = await take(userId, 1);
  expect(kinds(events)).toEqual([...Array.from({ length: 249 }, (_, i) => `ADDED ${String(i + 2)}`), 'UPDATED 251', 'READY 251']);
  expect(
    events
      .at(-2)
      ?.items.map((item) => item.seq)
      .sort(),
  ).toEqual([1, 2, 3]);
  expect(events.at(-1)?.counts).toEqual({ unread: 247, unseen: 247 });
  expect(kinds(await take(userId, 251))).toEqual(['READY 251']);
});

test('a position ahead of the head, below the floor or of another database: GAP, READY', async () => {
  const { projectId, userId } = await reader();
  await publish(projectId, 5);
  expect(kinds(await take(userId, 6))).toEqual(['GAP 5', 'READY 5']);
  expect(kinds(await take(userId, 'OTHER_EPOCH'))).toEqual(['GAP 5', 'READY 5']);
  await db.prisma.inbox.update({ where: { userId }, data: { floor: 3 } });
  expect(kinds(await take(userId, 2))).toEqual(['GAP 5', 'READY 5']);
  expect(kinds(await take(userId, 3))).toEqual(['ADDED 4', 'ADDED 5', 'READY 5']);
});

test('an item removed meanwhile comes as REMOVED at the number of its addition, and once more when it was removed', async () => {
  const { projectId, userId } = await reader();
  await publish(projectId, 3);
  await change(userId, 'READ', { seqs: [2], upToSeq: null });
  expect(await db.transaction((tx) => removeInboxItems(tx, { projectId, userIds: [userId] }, Date.now()))).toEqual([userId]);
  const events = await take(userId, 0);
  expect(kinds(events)).toEqual(['REMOVED 1', 'REMOVED 2', 'REMOVED 3', 'REMOVED 4', 'REMOVED 5', 'READY 5']);
  expect(events.map((event) => event.seqs)).toEqual([[1], [2], [3], [2], [1, 2, 3], []]);
  expect(events.at(-1)?.counts).toEqual({ unread: 0, unseen: 0 });
});

test('marking: reading also marks seen, what is so already is no change, one change per 100 items', async () => {
  const { projectId, userId } = await reader();
  await publish(projectId, 210);
  expect(await change(userId, 'SEEN', { seqs: [1, 2], upToSeq: null })).toMatchObject({ changed: 2, counts: { unread: 210, unseen: 208 }, seqs: [2, 1] });
  expect(await change(userId, 'SEEN', { seqs: [1, 2], upToSeq: null })).toMatchObject({ changed: 0, counts: { unread: 210, unseen: 208 } });
  expect(await change(userId, 'READ', { filter: {}, upToSeq: 205 })).toMatchObject({ changed: 205, counts: { unread: 5, unseen: 5 } });
  expect(await change(userId, 'ARCHIVE', { seqs: [1, 206], upToSeq: null })).toMatchObject({ changed: 2, counts: { unread: 4, unseen: 4 } });
  expect(await change(userId, 'UNREAD', { seqs: [1, 2], upToSeq: null })).toMatchObject({ changed: 2, counts: { unread: 5, unseen: 4 } });
  expect(await change(userId, 'UNARCHIVE', { filter: { archived: true }, upToSeq: null })).toMatchObject({ changed: 2, counts: { unread: 7, unseen: 5 } });
  const events = await take(userId, 210);
  expect(kinds(events)).toEqual(['UPDATED 211', 'UPDATED 212', 'UPDATED 213', 'UPDATED 214', 'UPDATED 215', 'UPDATED 216', 'UPDATED 217', 'READY 217']);
  expect(events.slice(1, 4).map((event) => event.items.length)).toEqual([100, 100, 5]);
  const [counted] = await db.sql.query(
    `SELECT (count(*) FILTER (WHERE read_at IS NULL AND archived_at IS NULL))::int AS unread, (count(*) FILTER (WHERE seen_at IS NULL AND archived_at IS NULL))::int AS unseen
     FROM inbox_items WHERE user_id = $1::uuid`,
    [userId],
  );
  expect(events.at(-1)?.counts).toEqual(counted);
});

test('filters select: project, trigger, task name, unread, archived', async () => {
  const { projectId, userId } = await reader();
  await addSubscription(db, { projectId, userId, trigger: 'task.slow' });
  await pipeline.publisher.publish(projectId, [
    failedTask({ taskName: 'a' }),
    failedTask({ taskName: 'b' }),
    failedTask({ trigger: 'task.slow', taskName: 'a' }),
  ]);
  expect(await change(userId, 'READ', { filter: { taskName: 'a', trigger: ['task.failed'] }, upToSeq: null })).toMatchObject({ changed: 1, seqs: [1] });
  expect(await change(userId, 'ARCHIVE', { filter: { unreadOnly: true, trigger: ['task.slow'] }, upToSeq: null })).toMatchObject({ changed: 1, seqs: [3] });
  expect(await change(userId, 'READ', { filter: { projectId: '01890000-0000-7000-8000-000000000000' }, upToSeq: null })).toMatchObject({ changed: 0 });
  expect(await change(userId, 'READ', { filter: { projectId }, upToSeq: null })).toMatchObject({ changed: 1, seqs: [2] });
});

test('a user cannot change the items of another', async () => {
  const mine = await reader();
  const other = await reader();
  await publish(other.projectId, 1);
  expect(await change(mine.userId, 'READ', { seqs: [1], upToSeq: null })).toMatchObject({ changed: 0 });
  expect(await db.prisma.inboxItem.count({ where: { userId: other.userId, readAt: null } })).toBe(1);
});

test('two devices marking at once give every number once', async () => {
  const { projectId, userId } = await reader();
  await publish(projectId, 40);
  const all = Array.from({ length: 40 }, (_, i) => i + 1);
  await Promise.all([
    ...all.map((seq) => change(userId, 'READ', { seqs: [seq], upToSeq: null })),
    ...all.map((seq) => change(userId, 'ARCHIVE', { seqs: [seq], upToSeq: null })),
  ]);
  const events = await take(userId, 0);
  expect(events.map((event) => event.seq)).toEqual([...Array.from({ length: 120 }, (_, i) => i + 1), 120]);
});
