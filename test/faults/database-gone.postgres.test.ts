import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Sql } from '../../src/db/database.ts';
import { sqlOf } from '../../src/db/open.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { addChannel, addProject, addSubscription, failedTask } from '../support/fixtures.ts';
import { gql } from '../support/gql.ts';
import { CREATE_CHANNEL, CREATE_PROJECT, CREATE_SUBSCRIPTION, REVOKE_TOKEN } from '../support/operations.ts';
import { openPipeline, until } from '../support/pipeline.ts';
import { openReceiver, type Receiver } from '../support/receiver.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { openWs, type WsClient } from '../support/ws-client.ts';

// A server whose way to the database is lost and comes back, beside one that keeps its own.

let database: TestDatabase;
let proxy: TcpProxy;
/** Reaches the database through the proxy. */
let near: TestApp;
/** Reaches it directly. */
let far: TestApp;
let receiver: Receiver;

beforeAll(async () => {
  database = await openTestDatabase();
  if (database.url === null) throw new Error('this file needs PostgreSQL');
  const url = new URL(database.url);
  proxy = await openTcpProxy(Number(url.port === '' ? 5432 : url.port));
  url.host = `127.0.0.1:${String(proxy.port)}`;
  receiver = await openReceiver();
  far = await openTestApp({ database });
  near = await openTestApp({ database: { ...database, url: url.href } });
  const projectId = (await far.data(CREATE_PROJECT, { input: { slug: 'gone', name: 'Gone' } })).createProject.project.id;
  const { createChannel } = await far.data(CREATE_CHANNEL, { input: { projectId, name: 'hook', config: { webhook: { url: receiver.url } } } });
  await far.data(CREATE_SUBSCRIPTION, { input: { projectId, team: true, trigger: 'TASK_FAILED', channelIds: [createChannel.channel.id] } });
}, 120_000);

afterAll(async () => {
  await Promise.all([near.close(), far.close()]);
  await Promise.all([proxy.close(), receiver.close()]);
  await database.drop();
}, 60_000);

/** A stop of the database's way must be answered, and its return used, within this time: "seconds", with room for a busy machine. */
const NOTICED_MS = 20_000;

async function readiness(): Promise<{ status: number; json: unknown }> {
  const response = await fetch(`${near.url}/readyz`);
  return { status: response.status, json: await response.json() };
}

async function publish(app: TestApp, ids: readonly string[]): Promise<{ status: number; json: unknown }> {
  return await app.events(
    ids.map((id) => ({ id, trigger: 'task.failed', taskName: 'billing.run' })),
    { query: '?project=gone' },
  );
}

/** Posts events to the near server one after the other until it is stopped; gives the ids that were answered with 200. */
function startProducer(prefix: string): { accepted: string[]; stop(): Promise<void> } {
  const accepted: string[] = [];
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  const running = (async () => {
    for (let n = 0; !isStopping(); n += 1) {
      const id = `${prefix}-${String(n)}`;
      // A producer that got no good answer posts the same again.
      while ((await publish(near, [id])).status !== 200 && !isStopping());
      if (!isStopping()) accepted.push(id);
    }
  })();
  return {
    accepted,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** Follows the admin's inbox on a socket to the near server: the event ids in the order in which they came. */
async function follow(token: string): Promise<{ ws: WsClient; eventIds: string[] }> {
  const ws = await openWs(near.wsUrl, token);
  const feed = gql(`subscription { inbox { __typename ... on InboxItemAdded { item { eventId } } } }`);
  ws.subscribe('1', feed);
  expect((await ws.payload('1', feed)).data?.inbox.__typename).toBe('InboxReady');
  const eventIds: string[] = [];
  ws.socket.on('message', (bytes: Buffer) => {
    const eventId = (JSON.parse(bytes.toString('utf8')) as { payload?: { data?: { inbox?: { item?: { eventId: string } } } } }).payload?.data?.inbox?.item
      ?.eventId;
    if (eventId !== undefined) eventIds.push(eventId);
  });
  return { ws, eventIds };
}

async function addToken(): Promise<{ id: string; token: string }> {
  const { createToken } = await far.data(gql(`mutation { createToken(input: { name: "second" }) { token apiToken { id } } }`));
  return { id: createToken.apiToken.id, token: createToken.token };
}

test.each(['transaction', 'prismaTransaction'] as const)('a %s that loses its connection between two statements fails, and nothing with it', async (kind) => {
  const { db } = near.app.api;
  const between = async (tx: Sql): Promise<void> => {
    const [backend] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    proxy.cut();
    const isThere = async (): Promise<boolean> =>
      (await far.app.api.db.sql.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1::int', [backend?.pid])).length > 0;
    await until(async () => !(await isThere()), 'the connection is gone');
    await tx.query('SELECT 1');
  };
  await expect(kind === 'transaction' ? db.transaction(between) : db.prismaTransaction((tx) => between(sqlOf(tx)))).rejects.toThrow();
  proxy.open();
  await until(async () => (await readiness()).status === 200, 'it is ready again', NOTICED_MS);
  expect(await db.transaction((tx) => tx.query('SELECT 1 AS one'))).toEqual([{ one: 1 }]);
});

test('jobs that were claimed when the way was lost are given back, and do not wait for their claims to expire', async () => {
  await using stack = new AsyncDisposableStack();
  const other = await openTestDatabase();
  stack.defer(() => other.drop());
  const pipeline = await openPipeline(other);
  stack.defer(() => pipeline.close());
  const { db } = pipeline;
  const projectId = await addProject(db);
  await addSubscription(db, { projectId, channelIds: [await addChannel(db, { projectId })] });
  const query = db.sql.query.bind(db.sql);
  let lost = 0;
  db.sql.query = (text, values) => {
    if (lost > 2 || !text.includes('AS j(delivery_id, job_id)')) return query(text, values);
    lost += 1;
    return Promise.reject(new Error('the way was lost'));
  };
  pipeline.dispatch(() => Promise.resolve({ outcome: 'DELIVERED', statusCode: 200 }));
  await pipeline.publisher.publish(projectId, [failedTask()]);
  await until(async () => (await db.prisma.delivery.count({ where: { status: 'SENT' } })) === 1, 'it is sent', 15_000);
  expect(lost).toBe(3);
  expect(await db.prisma.delivery.findFirst()).toMatchObject({ attemptCount: 1 });
});

test.each([
  ['cut', () => proxy.cut()],
  ['silent', () => proxy.silence()],
])(
  'a way to the database that is %s: told at once, nothing accepted is lost, and all goes on without a restart',
  async (name, lose) => {
    const second = await addToken();
    const followed = await follow(near.adminToken);
    const revoked = await openWs(near.wsUrl, second.token);
    const producer = startProducer(name);
    await until(() => producer.accepted.length >= 20, 'events are accepted', 30_000);

    lose();
    await until(async () => (await readiness()).status === 503, 'it says that it is not ready', NOTICED_MS);
    expect((await readiness()).json).toEqual({ status: 'unavailable', reason: 'DATABASE' });
    expect((await fetch(`${near.url}/livez`)).status).toBe(200);
    const startedAt = performance.now();
    const [answer, events] = await Promise.all([near.graphql(gql(`{ viewer { inboxCounts { unread } } }`)), publish(near, [`${name} refused`])]);
    expect(performance.now() - startedAt).toBeLessThan(NOTICED_MS);
    for (const { extensions } of [...answer.errors, ...(events.json as typeof answer).errors]) {
      expect(extensions).toMatchObject({ code: 'INTERNAL', errorId: expect.any(String) });
      expect(near.log.text()).toContain(extensions.errorId);
    }
    expect([answer.errors.length, events.status]).toEqual([1, 500]);

    const missed = Array.from({ length: 20 }, (_, n) => `${name} missed ${String(n)}`);
    expect((await publish(far, missed)).status).toBe(200);
    await far.data(REVOKE_TOKEN, { input: { id: second.id } });

    proxy.open();
    await until(async () => (await readiness()).status === 200, 'it is ready again', NOTICED_MS);
    const acceptedBefore = producer.accepted.length;
    await until(() => producer.accepted.length > acceptedBefore + 5, 'events are accepted again', NOTICED_MS);
    await producer.stop();
    expect(await revoked.closed(NOTICED_MS)).toBe(4403);

    const accepted = [...producer.accepted, ...missed];
    await until(() => accepted.every((id) => followed.eventIds.includes(id)), 'the stream has caught up', NOTICED_MS);
    expect(followed.eventIds).toEqual([...new Set(followed.eventIds)]);
    const { sql } = far.app.api.db;
    const [listeners] = await sql.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tocsin listener'`,
    );
    expect(listeners?.n).toBeGreaterThanOrEqual(2);
    const live = `${name} live`;
    await publish(far, [live]);
    await until(() => followed.eventIds.includes(live), 'the stream is live', 10_000);

    const unsent = (): Promise<{ event_id: string }[]> =>
      sql.query(`SELECT event_id FROM deliveries WHERE event_id = ANY($1::text[]) AND status <> 'SENT'`, [accepted]);
    await until(async () => (await unsent()).length === 0, 'all is sent', 60_000);
    const received = new Set(receiver.received.map(({ body }) => (JSON.parse(body) as { event_id: string }).event_id));
    expect(accepted.filter((id) => !received.has(id))).toEqual([]);
    followed.ws.close();
  },
  180_000,
);
