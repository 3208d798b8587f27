import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { InboxFilter, InboxSelectionInput } from '../generated/operations.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { gql } from '../support/gql.ts';
import { ARCHIVE, CREATE_SUBSCRIPTION, LEAVE_PROJECT, MARK_READ } from '../support/operations.ts';
import { addPerson, openScenario, type Person, type Scenario, setMember } from '../support/scenario.ts';
import { openWs, type WsClient } from '../support/ws-client.ts';

let app: TestApp;
let scene: Scenario;
let sockets: WsClient[] = [];

beforeAll(async () => {
  app = await openTestApp({ env: { DISPATCH: 'hold' } });
  scene = await openScenario(app);
}, 120_000);

afterEach(() => {
  for (const socket of sockets) socket.close();
  sockets = [];
});

afterAll(async () => {
  await app.close();
});

/** A member whose default subscription brings every task.failed. */
async function addReader(): Promise<Person> {
  const reader = await addPerson(app, `reader-${randomUUID()}`);
  await setMember(app, scene.projectId, reader, 'MEMBER');
  return reader;
}

async function publish(count: number, fields: object = {}): Promise<void> {
  const events = Array.from({ length: count }, () => ({
    id: randomUUID(),
    trigger: 'task.failed',
    taskName: 'billing.run',
    taskId: 't 1',
    exception: 'boom',
    ...fields,
  }));
  const { status } = await app.events(events, { token: scene.tokens.agent });
  expect(status).toBe(200);
}

async function connect(person: Person): Promise<WsClient> {
  const socket = await openWs(app.wsUrl, person.token);
  sockets.push(socket);
  return socket;
}

const FEED = gql(`subscription ($after: String) { inbox(after: $after) { __typename cursor counts { unread unseen }
  ... on InboxItemAdded { item { id title readAt } } ... on InboxItemsUpdated { items { id readAt } } ... on InboxItemsRemoved { ids } } }`);
const STATE = gql(`{ viewer { inboxCursor inboxCounts { unread unseen } inbox(first: 100) { edges { node { id readAt seenAt } } } } }`);

interface FeedEvent {
  __typename: string;
  cursor: string;
  counts: { unread: number; unseen: number };
  item?: { id: string };
  ids?: string[];
}

async function feedPayload(socket: WsClient, id: string): Promise<FeedEvent> {
  const { data, errors } = await socket.payload(id, FEED);
  if (data === null) throw new Error(JSON.stringify(errors));
  return data.inbox;
}

/** The ids of the inbox, newest first. */
async function itemIds(reader: Person): Promise<string[]> {
  const { viewer } = await app.data(STATE, {}, reader.token);
  return viewer.inbox.edges.map(({ node }) => node.id);
}

test('an item says what happened, and leads back to what brought it', async () => {
  const reader = await addReader();
  await publish(1, { queue: 'q', agent: 'worker-3', data: { a: ['ß', null] }, exception: `${'x'.repeat(499)}😀😀` });
  const { viewer } = await app.data(
    gql(`{ viewer { inbox { edges { node { kind reason title body url eventId taskId taskName agent queue trigger suppressedCount data createdAt seenAt
       project { slug } subscription { user { id } } channel { id } } } } } }`),
    {},
    reader.token,
  );
  expect(viewer.inbox.edges[0]?.node).toEqual({
    kind: 'EVENT',
    reason: 'DEFAULT',
    title: 'Task failed: billing.run',
    body: `${'x'.repeat(499)}😀`,
    url: 'http://tocsin.test/projects/demo/tasks/t%201',
    eventId: expect.any(String),
    taskId: 't 1',
    taskName: 'billing.run',
    agent: 'worker-3',
    queue: 'q',
    trigger: 'TASK_FAILED',
    suppressedCount: 0,
    data: { a: ['ß', null] },
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    seenAt: null,
    project: { slug: 'demo' },
    subscription: { user: { id: reader.id } },
    channel: null,
  });
});

describe('the list', () => {
  test('filters by project, trigger, task name, unread and archived', async () => {
    const reader = await addReader();
    await app.data(CREATE_SUBSCRIPTION, { input: { projectId: scene.projectId, trigger: 'TASK_SLOW' } }, reader.token);
    await publish(1, { taskName: 'a' });
    await publish(1, { taskName: 'b', trigger: 'task.slow' });
    await publish(1, { taskName: 'c' });
    const list = async (filter: InboxFilter): Promise<(string | null)[]> => {
      const query = gql(`query ($filter: InboxFilter) { viewer { inbox(filter: $filter) { edges { node { taskName } } } } }`);
      const { viewer } = await app.data(query, { filter }, reader.token);
      return viewer.inbox.edges.map(({ node }) => node.taskName);
    };
    const [c = '', b = ''] = await itemIds(reader);
    await app.data(MARK_READ, { input: { ids: [c] } }, reader.token);
    await app.data(ARCHIVE, { input: { ids: [b] } }, reader.token);
    expect(await list({})).toEqual(['c', 'a']);
    expect(await list({ archived: true })).toEqual(['b']);
    expect(await list({ unreadOnly: true })).toEqual(['a']);
    expect(await list({ taskName: 'c' })).toEqual(['c']);
    expect(await list({ trigger: ['TASK_SLOW'] })).toEqual([]);
    expect(await list({ trigger: ['TASK_SLOW'], archived: true })).toEqual(['b']);
    expect(await list({ projectId: scene.projectId })).toEqual(['c', 'a']);
    expect(await list({ projectId: scene.otherProjectId })).toEqual([]);
  });
});

describe('changing items', () => {
  const change = async (operation: string, input: InboxSelectionInput, token: string) => {
    const { data, errors } = await app.graphql(
      `mutation ($input: InboxSelectionInput!) { ${operation}(input: $input) { changed counts { unread unseen } items { id readAt seenAt archivedAt } } }`,
      { input },
      token,
    );
    return { payload: (data as Record<string, unknown> | null)?.[operation], errors };
  };

  test('by ids and by all, with the counts after it; what alters nothing is no change', async () => {
    const reader = await addReader();
    await publish(3);
    const [newest = ''] = await itemIds(reader);
    const read = await change('markRead', { ids: [newest] }, reader.token);
    expect(read.payload).toMatchObject({
      changed: 1,
      counts: { unread: 2, unseen: 2 },
      items: [{ id: newest, readAt: expect.any(String), seenAt: expect.any(String) }],
    });
    expect((await change('markRead', { ids: [newest] }, reader.token)).payload).toMatchObject({
      changed: 0,
      counts: { unread: 2, unseen: 2 },
      items: [],
    });
    expect((await change('markSeen', { all: true }, reader.token)).payload).toMatchObject({ changed: 2, counts: { unread: 2, unseen: 0 } });
    expect((await change('archive', { all: true, filter: { unreadOnly: true } }, reader.token)).payload).toMatchObject({
      changed: 2,
      counts: { unread: 0, unseen: 0 },
    });
    expect((await change('unarchive', { all: true, filter: { archived: true } }, reader.token)).payload).toMatchObject({
      changed: 2,
      counts: { unread: 2, unseen: 0 },
    });
    expect((await change('markUnread', { ids: [newest] }, reader.token)).payload).toMatchObject({ changed: 1, counts: { unread: 3, unseen: 0 } });
  });

  test('upTo leaves out what was added after that cursor', async () => {
    const reader = await addReader();
    await publish(2);
    const { viewer } = await app.data(STATE, {}, reader.token);
    await publish(1);
    const { payload } = await change('markRead', { all: true, upTo: viewer.inboxCursor }, reader.token);
    expect(payload).toMatchObject({ changed: 2, counts: { unread: 1, unseen: 1 } });
  });

  test.each([
    ['neither ids nor all', {}, 'ids'],
    ['both', { ids: [], all: true }, 'all'],
    ['ids with a filter', { ids: [], filter: {} }, 'filter'],
    ['a cursor that is garbage', { all: true, upTo: 'garbage' }, 'upTo'],
    ['too many ids', { ids: Array.from({ length: 1_001 }, () => 'x') }, 'ids'],
  ])('%s is refused at its path', async (_why, input, path) => {
    const { errors } = await change('markRead', input, scene.people.member.token);
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path }] });
  });

  test("another user's cursor is garbage", async () => {
    const { viewer } = await app.data(STATE, {}, scene.people.admin.token);
    const { errors } = await change('markRead', { all: true, upTo: viewer.inboxCursor }, scene.people.member.token);
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'upTo' }] });
  });
});

test('cursor, counts and page of one operation are of one snapshot, whatever changes meanwhile', async () => {
  const reader = await addReader();
  await publish(40);
  const socket = await connect(reader);
  // Every state that there was, by its cursor: the unread that its changes leave.
  const unreadAt = new Map<string, number>();
  socket.subscribe('feed', FEED, { after: (await app.data(STATE, {}, reader.token)).viewer.inboxCursor });
  const first = await feedPayload(socket, 'feed');
  unreadAt.set(first.cursor, first.counts.unread);

  const ids = await itemIds(reader);
  const progress = { isDone: false };
  const changing = (async () => {
    for (const id of ids) await app.data(MARK_READ, { input: { ids: [id] } }, reader.token);
    progress.isDone = true;
  })();
  let reads = 0;
  while (!progress.isDone) {
    const { viewer: seen } = await app.data(STATE, {}, reader.token);
    const unread = seen.inbox.edges.filter(({ node }) => node.readAt === null).length;
    expect(seen.inboxCounts.unread).toBe(unread);
    reads += 1;
  }
  await changing;
  expect(reads).toBeGreaterThan(3);
}, 60_000);

describe('the live stream', () => {
  test('begins with InboxReady, then gives each change of any device', async () => {
    const reader = await addReader();
    const socket = await connect(reader);
    socket.subscribe('feed', FEED);
    expect(await feedPayload(socket, 'feed')).toMatchObject({ __typename: 'InboxReady', counts: { unread: 0, unseen: 0 } });
    await publish(1);
    const added = await feedPayload(socket, 'feed');
    expect(added).toMatchObject({ __typename: 'InboxItemAdded', counts: { unread: 1, unseen: 1 }, item: { title: 'Task failed: billing.run', readAt: null } });
    await app.data(MARK_READ, { input: { all: true } }, reader.token);
    expect(await feedPayload(socket, 'feed')).toMatchObject({
      __typename: 'InboxItemsUpdated',
      counts: { unread: 0, unseen: 0 },
      items: [{ id: added.item?.id }],
    });
  });

  test('after a cursor: what was missed, in order, then InboxReady', async () => {
    const reader = await addReader();
    const { viewer } = await app.data(STATE, {}, reader.token);
    await publish(2);
    await app.data(gql(`mutation { markSeen(input: { all: true }) { changed } }`), {}, reader.token);
    const socket = await connect(reader);
    socket.subscribe('feed', FEED, { after: viewer.inboxCursor });
    const kinds: string[] = [];
    while (kinds.at(-1) !== 'InboxReady') kinds.push((await feedPayload(socket, 'feed')).__typename);
    expect(kinds).toEqual(['InboxItemAdded', 'InboxItemAdded', 'InboxItemsUpdated', 'InboxReady']);
  });

  test('leaving a project removes its items, as one change', async () => {
    const reader = await addReader();
    await publish(2);
    const socket = await connect(reader);
    socket.subscribe('feed', FEED);
    await feedPayload(socket, 'feed');
    await app.data(LEAVE_PROJECT, { input: { projectId: scene.projectId } }, reader.token);
    const removed = await feedPayload(socket, 'feed');
    expect(removed).toMatchObject({ __typename: 'InboxItemsRemoved', counts: { unread: 0, unseen: 0 } });
    expect(removed.ids).toHaveLength(2);
  });

  test('the same operation again on one socket is a stream of its own, and ends with the client’s complete', async () => {
    const reader = await addReader();
    const socket = await connect(reader);
    socket.subscribe('a', FEED);
    socket.subscribe('b', FEED);
    await feedPayload(socket, 'a');
    await feedPayload(socket, 'b');
    socket.send({ id: 'a', type: 'complete' });
    await publish(1);
    expect(await feedPayload(socket, 'b')).toMatchObject({ __typename: 'InboxItemAdded' });
    socket.subscribe('a', FEED);
    expect(await feedPayload(socket, 'a')).toMatchObject({ __typename: 'InboxReady', counts: { unread: 1 } });
  });

  test.each([
    ['garbage', () => 'garbage'],
    ["another user's", async () => (await app.data(STATE, {}, scene.people.admin.token)).viewer.inboxCursor],
  ])('a cursor that is %s is BAD_USER_INPUT', async (_what, cursor) => {
    const socket = await connect(scene.people.member);
    socket.subscribe('feed', FEED, { after: await cursor() });
    expect(await socket.payload('feed')).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT', issues: [{ path: 'after' }] } }] });
    expect(await socket.next()).toEqual({ type: 'complete', id: 'feed' });
  });

  test('is not served over HTTP', async () => {
    const { errors } = await app.graphql('subscription { inbox { cursor } }');
    expect(errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });
});
