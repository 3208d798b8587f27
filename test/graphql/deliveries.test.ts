import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/lib/global-id.ts';
import type { DeliveryFilter, RedeliverInput } from '../generated/operations.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { gql, type Operation } from '../support/gql.ts';
import { CREATE_CHANNEL, CREATE_SUBSCRIPTION, REMOVE_MEMBER, VIEWER } from '../support/operations.ts';
import { until } from '../support/pipeline.ts';
import { openReceiver, type Received, type Receiver } from '../support/receiver.ts';
import { addPerson, openScenario, type Person, type Scenario, setMember } from '../support/scenario.ts';
import { openWs, type WsClient } from '../support/ws-client.ts';

let app: TestApp;
let scene: Scenario;
let receiver: Receiver;
let sockets: WsClient[] = [];

beforeAll(async () => {
  receiver = await openReceiver(answerByPath);
  app = await openTestApp();
  scene = await openScenario(app);
}, 120_000);

afterEach(() => {
  for (const socket of sockets) socket.close();
  sockets = [];
});

afterAll(async () => {
  await app.close();
  await receiver.close();
});

/** `/400/…` is answered with 400. */
function answerByPath(res: ServerResponse, { path }: Received): void {
  const status = Number(/^\/(\d{3})\b/.exec(path)?.[1]);
  res.writeHead(status, { 'content-type': 'text/plain' }).end(`answer ${String(status)}`);
}

const LIST = gql(`query ($filter: DeliveryFilter) { project(slug: "demo") { deliveries(filter: $filter, first: 100) { edges { node {
  id status statusCode reason error responseBody channelName channelType eventId trigger taskId taskName agent attemptCount
  channel { name } user { id } project { slug } subscriptions { id } attempts { number outcome statusCode reason error responseBody startedAt durationMs }
} } } } }`);
const OWN = gql(`{ viewer { deliveries { edges { node { id taskName channelName responseBody subscriptions { id } } } } } }`);
const REDELIVER = gql(`mutation ($input: RedeliverInput!) { redeliver(input: $input) { changed deliveries { id status } } }`);
const CANCEL = gql(`mutation ($input: RedeliverInput!) { cancelDeliveries(input: $input) { changed deliveries { id status } } }`);

/** A channel that answers with `status`, subscribed to task.failed of task names like `pattern`; personal with `owner`, else the project's. */
async function addRoute(status: number, pattern: string, owner: Person | null = null): Promise<{ channelId: string; subscriptionId: string }> {
  const { projectId, people } = scene;
  const token = (owner ?? people.admin).token;
  const config = { webhook: { url: `${receiver.url}/${String(status)}/${randomUUID()}` } };
  const channel = { ...(owner === null ? { projectId } : {}), name: `c-${randomUUID()}`, config };
  const { createChannel } = await app.data(CREATE_CHANNEL, { input: channel }, token);
  const channelId = createChannel.channel.id;
  const filters = { taskNamePattern: pattern };
  const { createSubscription } = await app.data(
    CREATE_SUBSCRIPTION,
    { input: { projectId, team: owner === null, trigger: 'TASK_FAILED', channelIds: [channelId], inApp: false, filters } },
    token,
  );
  return { channelId, subscriptionId: createSubscription.subscription.id };
}

async function publish(taskName: string, count = 1): Promise<void> {
  const events = Array.from({ length: count }, () => ({ id: randomUUID(), trigger: 'task.failed', taskName, taskId: 't1', agent: 'w1' }));
  expect((await app.events(events, { token: scene.tokens.agent })).status).toBe(200);
}

async function list(filter: DeliveryFilter) {
  const { project } = await app.data(LIST, { filter }, scene.people.admin.token);
  if (project?.deliveries == null) throw new Error('no list');
  return project.deliveries.edges.map(({ node }) => node);
}

async function settled(taskName: string, status: string): Promise<void> {
  await until(async () => (await list({ taskName })).every((delivery) => delivery.status === status), `${taskName} is ${status}`);
}

test('a delivery tells its attempts, and whose subscription it was for', async () => {
  const { subscriptionId } = await addRoute(400, 'refused');
  await publish('refused');
  await settled('refused', 'FAILED');
  expect(await list({ taskName: 'refused' })).toEqual([
    expect.objectContaining({
      status: 'FAILED',
      statusCode: 400,
      reason: 'REJECTED',
      responseBody: 'answer 400',
      channelType: 'WEBHOOK',
      trigger: 'task.failed',
      taskId: 't1',
      agent: 'w1',
      attemptCount: 1,
      project: { slug: 'demo' },
      user: null,
      subscriptions: [{ id: subscriptionId }],
      attempts: [
        expect.objectContaining({ number: 1, outcome: 'FAILED', statusCode: 400, responseBody: 'answer 400', startedAt: expect.stringMatching(/Z$/) }),
      ],
    }),
  ]);
});

test("sends to a personal channel are their owner's: the project's log shows type, trigger and outcome", async () => {
  const { member } = scene.people;
  const { subscriptionId } = await addRoute(400, 'private', member);
  await publish('private');
  const personal = async () => (await list({})).find(({ channelName }) => channelName === 'personal');
  await until(async () => (await personal())?.status === 'FAILED', 'the personal one failed');
  expect(await list({ taskName: 'private' }), 'asking for what is hidden does not tell it either').toEqual([]);
  const seenByAdmin = await personal();
  if (seenByAdmin === undefined) throw new Error('it is gone');
  expect(seenByAdmin).toMatchObject({
    status: 'FAILED',
    statusCode: 400,
    reason: 'REJECTED',
    channelName: 'personal',
    channelType: 'WEBHOOK',
    trigger: 'task.failed',
  });
  expect(seenByAdmin).toMatchObject({
    channel: null,
    error: null,
    responseBody: null,
    eventId: null,
    taskId: null,
    taskName: null,
    agent: null,
    subscriptions: [],
  });
  expect(seenByAdmin.attempts).toMatchObject([{ number: 1, outcome: 'FAILED', error: null, responseBody: null }]);

  const { viewer } = await app.data(OWN, {}, member.token);
  const own = viewer.deliveries.edges.map(({ node }) => node);
  expect(own).toEqual([
    expect.objectContaining({ id: seenByAdmin.id, taskName: 'private', responseBody: 'answer 400', subscriptions: [{ id: subscriptionId }] }),
  ]);
  expect(own[0]).not.toMatchObject({ channelName: 'personal' });

  const redeliver = (input: RedeliverInput, token: string) => app.graphql(REDELIVER, { input }, token);
  const input = { ids: [seenByAdmin.id] };
  expect((await redeliver(input, scene.people.admin.token)).errors[0]?.extensions.code).toBe('FORBIDDEN');
  const all = await redeliver({ projectId: scene.projectId, filter: { taskName: 'private' } }, scene.people.admin.token);
  expect(all.data?.redeliver.changed).toBe(0);
  expect((await redeliver(input, member.token)).data?.redeliver.changed).toBe(1);
});

test('node shows a delivery to the admins, and to whoever it was for', async () => {
  await addRoute(200, 'node-test');
  await addRoute(200, 'node-test', scene.people.member);
  await publish('node-test');
  await settled('node-test', 'SENT');
  for (const { id, channelName } of await list({ taskName: 'node-test' })) {
    const seen = async (token: string | null) => (await app.data(gql(`query ($id: ID!) { node(id: $id) { id } }`), { id }, token)).node !== null;
    expect([await seen(scene.tokens.admin), await seen(scene.tokens.member), await seen(scene.tokens.outsider), await seen(scene.tokens.otherAdmin)]).toEqual([
      true,
      channelName === 'personal',
      false,
      false,
    ]);
  }
});

describe('filters', () => {
  test('by status, channel, type, subscription, event, trigger, task and time', async () => {
    const { channelId, subscriptionId } = await addRoute(200, 'filtered');
    await publish('filtered', 2);
    await settled('filtered', 'SENT');
    const [newest, oldest] = await list({ taskName: 'filtered' });
    const count = async (filter: DeliveryFilter): Promise<number> => (await list({ taskName: 'filtered', ...filter })).length;
    expect(await count({ status: ['SENT'] })).toBe(2);
    expect(await count({ status: ['QUEUED', 'FAILED'] })).toBe(0);
    expect(await count({ channelId })).toBe(2);
    expect(await count({ channelId: globalId('Channel', randomUUID()) })).toBe(0);
    expect(await count({ channelType: ['WEBHOOK'] })).toBe(2);
    expect(await count({ subscriptionId })).toBe(2);
    expect(await count({ eventId: oldest?.eventId })).toBe(1);
    expect(await count({ trigger: ['TASK_FAILED'] })).toBe(2);
    expect(await count({ trigger: ['TASK_SLOW'] })).toBe(0);
    expect(await count({ taskId: 't1' })).toBe(2);
    expect(await count({ taskId: 't2' })).toBe(0);
    expect(await count({ since: '2026-01-01T00:00:00Z' })).toBe(2);
    expect(await count({ until: '2026-01-01T00:00:00Z' })).toBe(0);
    expect(await count({ projectId: scene.otherProjectId })).toBe(0);
    expect(newest?.id).not.toBe(oldest?.id);
  });
});

describe('queueing again, cancelling, clearing', () => {
  const change = <Data>(operation: Operation<Data, { input: RedeliverInput }>, input: RedeliverInput) =>
    app.graphql(operation, { input }, scene.people.admin.token);

  test('failed ones are sent anew, numbering goes on; sent ones are left alone', async () => {
    await addRoute(400, 'again');
    await publish('again');
    await settled('again', 'FAILED');
    const [{ id } = { id: '' }] = await list({ taskName: 'again' });
    expect((await change(REDELIVER, { ids: [id] })).data?.redeliver).toEqual({ changed: 1, deliveries: [{ id, status: expect.any(String) }] });
    await until(async () => (await list({ taskName: 'again' }))[0]?.attempts.length === 2, 'a second attempt');
    await addRoute(200, 'once');
    await publish('once');
    await settled('once', 'SENT');
    expect((await change(REDELIVER, { projectId: scene.projectId, filter: { taskName: 'once' } })).data?.redeliver.changed).toBe(0);
  });

  test('queued ones are cancelled, by filter; then they can be queued again', async () => {
    await addRoute(500, 'waiting');
    await publish('waiting', 3);
    await until(async () => (await list({ taskName: 'waiting' })).every((delivery) => delivery.attempts.length === 1), 'first attempts');
    const selection = { projectId: scene.projectId, filter: { taskName: 'waiting' } };
    expect((await change(CANCEL, selection)).data?.cancelDeliveries).toMatchObject({
      changed: 3,
      deliveries: [{ status: 'CANCELLED' }, { status: 'CANCELLED' }, { status: 'CANCELLED' }],
    });
    expect((await list({ taskName: 'waiting' })).map(({ reason }) => reason)).toEqual(['REQUESTED', 'REQUESTED', 'REQUESTED']);
    expect((await change(CANCEL, selection)).data?.cancelDeliveries.changed).toBe(0);
  });

  test('finished ones are cleared, and the others stay', async () => {
    await addRoute(200, 'done');
    await publish('done');
    await settled('done', 'SENT');
    const before = new Date(Date.now() + 1_000).toISOString();
    const { clearDeliveries } = await app.data(
      gql(`mutation ($input: ClearDeliveriesInput!) { clearDeliveries(input: $input) { deleted } }`),
      { input: { projectId: scene.projectId, before } },
      scene.people.admin.token,
    );
    expect(clearDeliveries.deleted).toBeGreaterThan(0);
    expect(await list({ taskName: 'done' })).toEqual([]);
  });

  test.each<[string, () => RedeliverInput, string, string]>([
    ['neither ids nor filter', () => ({}), 'BAD_USER_INPUT', 'ids'],
    ['both', () => ({ ids: [], filter: {} }), 'BAD_USER_INPUT', 'ids'],
    ['a filter without project', () => ({ filter: {} }), 'BAD_USER_INPUT', 'projectId'],
    ['101 ids', () => ({ ids: Array.from({ length: 101 }, () => globalId('Delivery', randomUUID())) }), 'BAD_USER_INPUT', 'ids'],
    ['an id of nothing', () => ({ ids: [globalId('Delivery', randomUUID())] }), 'NOT_FOUND', 'ids.0'],
    ['an id of another type', () => ({ ids: [scene.projectId] }), 'NOT_FOUND', 'ids.0'],
  ])('%s is refused', async (_why, input, code, path) => {
    const { errors } = await change(REDELIVER, input());
    expect(errors[0]?.extensions).toMatchObject({ code, issues: [{ path }] });
  });
});

describe('statistics', () => {
  test('count by time, type and status', async () => {
    await addRoute(200, 'stats');
    await publish('stats', 2);
    await settled('stats', 'SENT');
    const query = gql(
      `query ($s: DateTime!, $b: Int!) { project(slug: "demo") { deliveryStats(since: $s, bucketSeconds: $b) { start channelType status count } } }`,
    );
    const since = new Date(Date.now() - 3_600_000).toISOString();
    const { project } = await app.data(query, { s: since, b: 7_200 }, scene.people.admin.token);
    const sent = project?.deliveryStats?.filter(({ status }) => status === 'SENT');
    expect(sent).toEqual([{ start: since, channelType: 'WEBHOOK', status: 'SENT', count: expect.any(Number) }]);
    for (const bucketSeconds of [0, 1]) {
      const { errors, data } = await app.graphql(query, { s: since, b: bucketSeconds }, scene.people.admin.token);
      expect([data?.project?.deliveryStats, errors[0]?.extensions.issues?.[0]?.path]).toEqual([null, 'bucketSeconds']);
    }
  });
});

describe('the live stream', () => {
  const WATCH = gql(`subscription ($p: ID!) { deliveries(projectId: $p) { id status taskName } }`);

  async function watch(token: string): Promise<WsClient> {
    const socket = await openWs(app.wsUrl, token);
    sockets.push(socket);
    socket.subscribe('d', WATCH, { p: scene.projectId });
    // Answered after the subscription is: what is published from now on is seen.
    socket.subscribe('q', VIEWER);
    await socket.payload('q');
    return socket;
  }

  test('gives deliveries as they are queued and finished', async () => {
    await addRoute(200, 'live');
    const socket = await watch(scene.people.admin.token);
    await publish('live');
    const statuses: string[] = [];
    while (statuses.at(-1) !== 'SENT') {
      const { data } = await socket.payload('d', WATCH);
      if (data?.deliveries.taskName === 'live') statuses.push(data.deliveries.status);
    }
    expect(['QUEUED', 'SENT']).toEqual(expect.arrayContaining(statuses));
  });

  test.each([
    ['a member', 'member', 'FORBIDDEN'],
    ['who is no member', 'outsider', 'NOT_FOUND'],
  ] as const)('is not for %s', async (_who, actor, code) => {
    const socket = await watch(scene.people[actor].token);
    expect(await socket.payload('d')).toMatchObject({ errors: [{ extensions: { code } }] });
  });

  test.each<[string, (person: Person) => Promise<unknown>]>([
    ['a role too low', (person) => setMember(app, scene.projectId, person, 'MEMBER')],
    ['a membership that is gone', ({ id }) => app.data(REMOVE_MEMBER, { input: { projectId: scene.projectId, userId: id } })],
  ])('ends with FORBIDDEN, then complete, for %s; the inbox stays', async (_why, change) => {
    const person = await addPerson(app, `admin-${randomUUID()}`);
    await setMember(app, scene.projectId, person, 'ADMIN');
    const socket = await watch(person.token);
    socket.subscribe('inbox', 'subscription { inbox { __typename } }');
    await socket.payload('inbox');
    const startMs = Date.now();
    await change(person);
    let last = await socket.payload('d');
    while (last.errors === undefined) last = await socket.payload('d');
    expect(last).toMatchObject({ data: null, errors: [{ extensions: { code: 'FORBIDDEN' } }] });
    expect(Date.now() - startMs).toBeLessThan(1_000);
    socket.subscribe('q', '{ __typename }');
    const ended: string[] = [];
    while (!ended.includes('next q')) {
      const message = await socket.next();
      ended.push(`${message.type} ${message.id ?? ''}`);
    }
    expect(ended).toContain('complete d');
    expect(ended).not.toContain('complete inbox');
  });
});
