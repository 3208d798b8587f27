import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';
import { gql } from '../support/gql.ts';
import { CREATE_CHANNEL, CREATE_DEFAULT_SUBSCRIPTION, CREATE_SUBSCRIPTION, CREATE_TOKEN } from '../support/operations.ts';
import { openScenario, type Scenario } from '../support/scenario.ts';
import { queriesOf } from '../support/statements.ts';

// Lists must not cost a statement a row: as many statements for 12 rows as for 2.

let app: TestApp;
let scene: Scenario;

beforeAll(async () => {
  app = await openTestApp({ env: { DISPATCH: 'hold' } });
  scene = await openScenario(app);
  const { projectId, people } = scene;
  const { token } = people.admin;
  const trigger = 'TASK_FAILED';
  for (let i = 0; i < 12; i += 1) {
    const channel = { projectId, name: `c${String(i)}`, config: { webhook: { url: 'http://127.0.0.1:48999/hook' } } };
    const channelIds = [(await app.data(CREATE_CHANNEL, { input: channel }, token)).createChannel.channel.id];
    const filters = { cooldownSeconds: 1, cooldownBy: 'TASK_NAME' } as const;
    await app.data(CREATE_SUBSCRIPTION, { input: { projectId, trigger, channelIds, filters } }, token);
    await app.data(CREATE_SUBSCRIPTION, { input: { projectId, team: true, trigger, channelIds } }, token);
    await app.data(CREATE_DEFAULT_SUBSCRIPTION, { input: { projectId, trigger, channelIds } }, token);
    await app.data(CREATE_TOKEN, { input: { projectId, name: `t${String(i)}` } }, token);
  }
  const events = Array.from({ length: 2 }, () => ({ id: randomUUID(), trigger: 'task.failed', taskName: randomUUID() }));
  await app.events(events, { token: scene.tokens.agent });
  for (let i = 0; i < 12; i += 1) await app.events([{ id: randomUUID(), trigger: 'task.failed', taskName: randomUUID() }], { token: scene.tokens.agent });
}, 120_000);

afterAll(async () => {
  await app.close();
});

const CHANNEL = 'id name type isActive lastSuccessAt lastError consecutiveFailures queuedDeliveries project { slug } owner { name } config { __typename }';

test.each<[string, string]>([
  ['channels', `{ project(slug: "demo") { channels(first: N) { edges { node { ${CHANNEL} } } } } }`],
  [
    'personal subscriptions',
    `{ viewer { subscriptions(first: N) { edges { node { name project { slug } user { name } channels { ${CHANNEL} } filters { queue } lastFiredAt suppressedCount } } } } }`,
  ],
  [
    'team subscriptions',
    `{ project(slug: "demo") { subscriptions(first: N) { edges { node { channels { name project { slug } } lastFiredAt suppressedCount } } } } }`,
  ],
  ['tokens', '{ project(slug: "demo") { tokens(first: N) { edges { node { name project { slug } user { name } } } } } }'],
  ['members', '{ project(slug: "demo") { members(first: N) { edges { node { role user { name email } } } } } }'],
  [
    'deliveries',
    `{ project(slug: "demo") { deliveries(first: N) { edges { node { status project { slug } channel { ${CHANNEL} } subscriptions { id project { slug } } user { name } attempts { number } } } } } }`,
  ],
  ['deliveries of the viewer', '{ viewer { deliveries(first: N) { edges { node { status channel { name } subscriptions { id channels { name } } } } } } }'],
  ['inbox', `{ viewer { inbox(first: N) { edges { node { title body url project { slug } subscription { name channels { name } } channel { name } } } } } }`],
])('%s', async (_what, query) => {
  const read = (rows: number) => queriesOf(app.database, () => app.data(query.replace('N', String(rows)), {}, scene.people.admin.token));
  await read(2);
  const few = await read(2);
  const many = await read(12);
  expect(few.length).toBeGreaterThan(0);
  expect(many.length, many.join('\n')).toBe(few.length);
  expect(many.length).toBeLessThan(20);
});

test('an inbox with its cursor and counts is one transaction', async () => {
  const statements = await queriesOf(app.database, () =>
    app.data(gql(`{ viewer { inboxCursor inboxCounts { unread } inbox(first: 20) { edges { node { title } } } } }`), {}, scene.people.admin.token),
  );
  // What a transaction asks is seen on PostgreSQL only; outside of it nothing is asked.
  expect(statements.length, statements.join('\n')).toBe(app.database.pglite === null ? 3 : 0);
});
