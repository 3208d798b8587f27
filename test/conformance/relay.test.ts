import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyOf } from '../../src/lib/global-id.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import type { CreateSubscriptionInput } from '../generated/operations.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { CREATE_CHANNEL, CREATE_SUBSCRIPTION } from '../support/operations.ts';
import { openScenario, type Scenario } from '../support/scenario.ts';

// Relay's cursor connections (https://relay.dev/graphql/connections.htm): a walk meets each row that was there when it began once, while rows are added.

const ROWS = 250;

let app: TestApp;
let scene: Scenario;

beforeAll(async () => {
  app = await openTestApp({ env: { DISPATCH: 'hold' } });
  scene = await openScenario(app);
  const { projectId, people } = scene;
  const { createChannel } = await app.data(
    CREATE_CHANNEL,
    { input: { projectId, name: 'hook', config: { webhook: { url: 'http://127.0.0.1:48999/hook' } } } },
    people.admin.token,
  );
  await addSubscription({ projectId, trigger: 'TASK_FAILED', channelIds: [createChannel.channel.id] });
  for (const list of Object.values(LISTS)) await list.add(ROWS - (await countOf(list)));
}, 120_000);

afterAll(async () => {
  await app.close();
});

interface List {
  /** A selection that ends in the connection, with `ARGS` in the place of its arguments and `EDGES` in that of its fields. */
  query: string;
  path: string[];
  node: string;
  /** Adds rows. */
  add(count: number): Promise<void>;
}

const addEvents = async (count: number): Promise<void> => {
  const events = Array.from({ length: count }, () => ({ id: randomUUID(), trigger: 'task.failed' }));
  if (count > 0) await app.events(events, { token: scene.tokens.agent });
};

const addSubscription = async (input: CreateSubscriptionInput): Promise<void> => {
  await app.data(CREATE_SUBSCRIPTION, { input }, scene.people.admin.token);
};

const each = (add: () => Promise<void>) => async (count: number) => {
  for (let i = 0; i < count; i += 1) await add();
};

const LISTS: Record<string, List> = {
  inbox: { query: '{ viewer { inbox(ARGS) { EDGES } } }', path: ['viewer', 'inbox'], node: 'id', add: addEvents },
  deliveries: { query: '{ project(slug: "demo") { deliveries(ARGS) { EDGES } } }', path: ['project', 'deliveries'], node: 'id', add: addEvents },
  'deliveries of the viewer': { query: '{ viewer { deliveries(ARGS) { EDGES } } }', path: ['viewer', 'deliveries'], node: 'id', add: addEvents },
  subscriptions: {
    query: '{ viewer { subscriptions(ARGS) { EDGES } } }',
    path: ['viewer', 'subscriptions'],
    node: 'id',
    add: each(() => addSubscription({ projectId: scene.projectId, trigger: 'AGENT_ONLINE' })),
  },
  members: {
    query: '{ project(slug: "demo") { members(ARGS) { EDGES } } }',
    path: ['project', 'members'],
    node: 'user { id }',
    add: async (count) => {
      const { prisma } = app.app.api.db;
      const ids = Array.from({ length: count }, () => uuidv7());
      await prisma.user.createMany({ data: ids.map((id) => ({ id, email: `${id}@example.com`, name: 'member' })) });
      // Several of them joined at the same moment.
      const joinedAt = new Date();
      await prisma.membership.createMany({
        data: ids.map((userId) => ({ userId, projectId: keyOf('Project', scene.projectId) ?? '', role: 'MEMBER', joinedAt })),
      });
    },
  },
};

interface Page {
  edges: { cursor: string; node: { id?: string; user?: { id: string } } }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
}

async function read(list: List, args: string): Promise<Page> {
  const query = list.query
    .replace('ARGS', args)
    .replace('EDGES', `edges { cursor node { ${list.node} } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }`);
  let found = await app.data(query, {}, scene.people.admin.token);
  for (const step of list.path) found = (found as Record<string, unknown>)[step];
  return found as Page;
}

const idsOf = (page: Page): string[] => page.edges.map(({ node }) => node.id ?? node.user?.id ?? '');

/** All pages in one direction; `meanwhile` runs before each. Newest first, as the list is. */
async function walk(list: List, size: number, direction: 'forward' | 'backward', meanwhile: () => Promise<void>): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | null = null; ; ) {
    await meanwhile();
    const after: string = cursor === null ? '' : `, ${direction === 'forward' ? 'after' : 'before'}: "${cursor}"`;
    const page: Page = await read(list, `${direction === 'forward' ? 'first' : 'last'}: ${String(size)}${after}`);
    expect(page.pageInfo).toMatchObject({ startCursor: page.edges[0]?.cursor ?? null, endCursor: page.edges.at(-1)?.cursor ?? null });
    if (direction === 'forward') ids.push(...idsOf(page));
    else ids.unshift(...idsOf(page));
    cursor = direction === 'forward' ? page.pageInfo.endCursor : page.pageInfo.startCursor;
    if (!(direction === 'forward' ? page.pageInfo.hasNextPage : page.pageInfo.hasPreviousPage)) return ids;
  }
}

async function countOf(list: List): Promise<number> {
  return (await walk(list, 100, 'forward', () => Promise.resolve())).length;
}

describe.each(Object.keys(LISTS))('%s', (name) => {
  const list = LISTS[name] as List;

  test.each(['forward', 'backward'] as const)(
    '%s over 250 rows and more, while rows are added: each old row once, in order',
    async (direction) => {
      const old = await walk(list, 100, 'forward', () => Promise.resolve());
      expect(old.length).toBeGreaterThanOrEqual(ROWS);
      const met = await walk(list, 33, direction, () => list.add(1));
      expect(met.filter((id) => old.includes(id))).toEqual(old);
      expect(new Set(met).size).toBe(met.length);
    },
    60_000,
  );
});

test('a page holds 20 by default, and the newest first', async () => {
  const page = await read(LISTS['inbox'] as List, 'after: null');
  expect(page.edges).toHaveLength(20);
  expect(page.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
});

test.each([
  ['first: 101', 'first'],
  ['last: -1', 'last'],
  ['first: 1, last: 1', 'last'],
  ['after: "garbage"', 'after'],
  ['before: ""', 'before'],
])('%s is BAD_USER_INPUT at %s', async (args, path) => {
  const { errors } = await app.graphql(`{ viewer { channels(${args}) { edges { cursor } } } }`);
  expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path }] });
});
