import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SECRET_MASK } from '../../src/lib/secret.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { gql, type VariablesOf } from '../support/gql.ts';
import type { GraphqlAnswer } from '../support/graphql-client.ts';
import { CREATE_CHANNEL } from '../support/operations.ts';
import { openReceiver, type Receiver } from '../support/receiver.ts';
import { openScenario, type Person, type Scenario } from '../support/scenario.ts';
import { openWs, type WsClient } from '../support/ws-client.ts';

let app: TestApp;
let scene: Scenario;
let receiver: Receiver;
let said = '';
let sockets: WsClient[] = [];

beforeAll(async () => {
  // `/400/…` is answered with 400 and `said`; `/hang` never.
  receiver = await openReceiver((res, { path }) => {
    const [, status] = path.split('/');
    if (status !== 'hang') res.writeHead(Number(status), { 'content-type': 'text/plain' }).end(said);
  });
  app = await openTestApp({ env: { TRUST_PROXY: '1' } });
  scene = await openScenario(app);
}, 120_000);

beforeEach(async () => {
  await app.app.api.db.sql.query('DELETE FROM test_throttles');
});

afterEach(() => {
  expect(app.log.takeUnexpectedErrors()).toEqual([]);
  for (const socket of sockets) socket.close();
  sockets = [];
});

afterAll(async () => {
  await receiver.close();
  await app.close();
});

const TEST = gql(`mutation ($i: TestChannelInput!) { testChannel(input: $i) { success statusCode error responseBody durationMs } }`);
const TEST_CONFIG = gql(`mutation ($i: TestChannelConfigInput!) { testChannelConfig(input: $i) { success statusCode error responseBody durationMs } }`);

async function addChannel(path: string, owner: { projectId?: string; token: string | null }, fields: object = {}, at = app): Promise<string> {
  const { token, ...rest } = owner;
  const input = { ...rest, name: `c-${randomUUID()}`, config: { webhook: { url: receiver.url + path, ...fields } } };
  return (await at.data(CREATE_CHANNEL, { input }, token)).createChannel.channel.id;
}

const OWN_LOG = gql(`query ($f: DeliveryFilter) { viewer { deliveries(filter: $f) { edges { node {
  id trigger status statusCode error responseBody eventId project { slug } user { id } channel { id } subscriptions { id } attempts { number outcome }
} } } } }`);
const PROJECT_LOG = gql(`query ($f: DeliveryFilter) { project(slug: "demo") { deliveries(filter: $f) { edges { node {
  id trigger status statusCode error responseBody eventId project { slug } user { id } channel { id } subscriptions { id } attempts { number outcome }
} } } } }`);

/** The test sends of a channel that a person's own list shows. */
async function own(person: Pick<Person, 'token'>, channelId: string) {
  return (await app.data(OWN_LOG, { f: { channelId } }, person.token)).viewer.deliveries.edges.map(({ node }) => node);
}

/** Those that the project's log shows them. */
async function logged(person: Person, channelId: string) {
  return (await app.data(PROJECT_LOG, { f: { channelId } }, person.token)).project?.deliveries?.edges.map(({ node }) => node) ?? [];
}

function refusalOf({ errors }: GraphqlAnswer): [string | undefined, number | undefined] {
  return [errors[0]?.extensions.code, errors[0]?.extensions.retryAfterSeconds];
}

describe('a saved channel of a project', () => {
  test('tells what its receiver said, and its user and the admins see one test.dispatch', async () => {
    const { admin, member } = scene.people;
    const channelId = await addChannel('/400', { projectId: scene.projectId, token: admin.token });
    said = 'no such room';
    const { testChannel } = await app.data(TEST, { i: { id: channelId } }, scene.tokens.instanceAdmin);
    expect(testChannel).toEqual({
      success: false,
      statusCode: 400,
      error: expect.stringContaining('400'),
      responseBody: 'no such room',
      durationMs: expect.any(Number),
    });
    const row = {
      id: expect.any(String),
      trigger: 'test.dispatch',
      status: 'FAILED',
      statusCode: 400,
      error: testChannel.error,
      responseBody: 'no such room',
      eventId: null,
      project: { slug: 'demo' },
      user: { id: scene.instanceAdminId },
      channel: { id: channelId },
      subscriptions: [],
      attempts: [{ number: 1, outcome: 'FAILED' }],
    };
    expect(await logged(admin, channelId)).toEqual([{ ...row, user: null }]);
    expect(await own(admin, channelId)).toEqual([]);
    const [seen] = await own({ token: app.adminToken }, channelId);
    expect(seen).toEqual(row);
    expect(await own(member, channelId)).toEqual([]);
    const id = seen?.id ?? '';
    const node = async (token: string | null) => (await app.data(gql(`query ($id: ID!) { node(id: $id) { id } }`), { id }, token)).node;
    expect(await Promise.all([scene.tokens.admin, scene.tokens.instanceAdmin, scene.tokens.member, scene.tokens.otherAdmin].map(node))).toEqual([
      { id },
      { id },
      null,
      null,
    ]);
    const redeliver = gql(`mutation ($i: RedeliverInput!) { redeliver(input: $i) { changed } }`);
    expect(await app.data(redeliver, { i: { ids: [id] } }, admin.token)).toEqual({ redeliver: { changed: 0 } });
  });

  test('is seen live', async () => {
    const { admin } = scene.people;
    const channelId = await addChannel('/204', { projectId: scene.projectId, token: admin.token });
    const socket = await openWs(app.wsUrl, admin.token);
    sockets.push(socket);
    socket.subscribe('log', gql(`subscription ($p: ID!) { deliveries(projectId: $p) { trigger status channel { id } } }`), { p: scene.projectId });
    // The answer to an operation that came after it on the same socket: the subscription stands.
    socket.subscribe('test', TEST, { i: { id: channelId } });
    expect(await socket.payload('test')).toMatchObject({ data: { testChannel: { success: true, statusCode: 204 } } });
    expect(await socket.payload('log')).toEqual({ data: { deliveries: { trigger: 'test.dispatch', status: 'SENT', channel: { id: channelId } } } });
  });
});

test('the test of a personal channel is its owner’s alone, outside of any project', async () => {
  const { member, admin } = scene.people;
  const channelId = await addChannel('/204', { token: member.token });
  expect(await app.data(TEST, { i: { id: channelId } }, member.token)).toMatchObject({ testChannel: { success: true, error: null, responseBody: null } });
  expect(await own(member, channelId)).toEqual([expect.objectContaining({ status: 'SENT', project: null, user: { id: member.id } })]);
  expect(await logged(admin, channelId)).toEqual([]);
  const body = JSON.parse(receiver.received.at(-1)?.body ?? '') as object;
  expect(body).toMatchObject({ trigger: 'z4j.test', project_id: null, project_slug: null, url: 'http://tocsin.test' });
});

test('a receiver that cannot be reached is a result', async () => {
  const input = { i: { config: { webhook: { url: 'http://127.0.0.1:48999/' } } } };
  const { testChannelConfig } = await app.data(TEST_CONFIG, input, scene.tokens.outsider);
  expect(testChannelConfig).toMatchObject({ success: false, statusCode: null, error: expect.any(String), responseBody: null });
  expect(testChannelConfig.error).not.toContain('127.0.0.1');
});

test('a receiver that hangs is answered for in 10 s', async () => {
  const startedAt = performance.now();
  const { testChannelConfig } = await app.data(TEST_CONFIG, { i: { config: { webhook: { url: `${receiver.url}/hang` } } } }, scene.tokens.outsider);
  expect(testChannelConfig).toMatchObject({ success: false, statusCode: null });
  expect(performance.now() - startedAt).toBeGreaterThan(9_000);
  expect(performance.now() - startedAt).toBeLessThan(11_500);
});

test('a server that stops does not hang on a receiver that does', async () => {
  const stopping = await openTestApp();
  const id = await addChannel('/hang', { token: stopping.adminToken }, {}, stopping);
  const test = stopping.graphql(TEST, { i: { id } }).catch(() => 'cut off');
  const hanging = receiver.received.length;
  await expect.poll(() => receiver.received.length).toBe(hanging + 1);
  const startedAt = performance.now();
  await stopping.close();
  expect(performance.now() - startedAt).toBeLessThan(13_000);
  expect(await test).toBe('cut off');
  const { atMs, endedAtMs } = receiver.received.at(-1) ?? { atMs: 0, endedAtMs: null };
  expect((endedAtMs ?? 0) - atMs, 'the send was let come to its end, which is written').toBeGreaterThan(9_500);
  expect(stopping.log.takeUnexpectedErrors()).toEqual([]);
});

describe('secrets', () => {
  test('of stored and edited configs are in no answer, log line or row', async () => {
    const { admin } = scene.people;
    const headers = (value: string) => [{ name: 'authorization', value: `Bearer ${value}` }];
    const stored = { hmacSecret: 'canary-stored-hmac', headers: headers('canary-stored-token') };
    const edited = { hmacSecret: 'canary-edited-hmac', headers: headers('canary-edited-token') };
    const channelId = await addChannel('/400', { projectId: scene.projectId, token: admin.token }, stored);
    const testEdited = (input: VariablesOf<typeof TEST_CONFIG>['i']) => app.graphql(TEST_CONFIG, { i: input }, admin.token);
    said = 'I know canary-stored-hmac and canary-stored-token';
    const answers = [
      await app.graphql(TEST, { i: { id: channelId } }, admin.token),
      await testEdited({ channelId, config: { webhook: { hmacSecret: SECRET_MASK } } }),
    ];
    said += ', canary-edited-hmac and canary-edited-token';
    answers.push(await testEdited({ channelId, config: { webhook: edited } }));
    for (const { data } of answers) expect(JSON.stringify(data)).toContain('I know');
    answers.push(await testEdited({ config: { webhook: { url: `${receiver.url}/400`, ...edited, hmacSecret: SECRET_MASK } } }));
    expect(answers.at(-1)?.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'config.webhook.hmacSecret' }] });
    const sent = receiver.received.slice(-3).map((request) => request.headers['authorization']);
    expect(sent).toEqual(['Bearer canary-stored-token', 'Bearer canary-stored-token', 'Bearer canary-edited-token']);

    expect(JSON.stringify(answers)).not.toContain('canary-');
    expect(app.log.text()).not.toContain('canary-');
    const rows = await app.app.api.db.sql.query<{ text: string }>(
      `SELECT c::text AS text FROM channels AS c UNION ALL SELECT d::text FROM deliveries AS d UNION ALL SELECT h::text FROM channel_health AS h
       UNION ALL SELECT t::text FROM test_throttles AS t`,
    );
    const dump = rows.map(({ text }) => text).join('\n');
    expect(dump).toContain('I know');
    expect(dump).not.toContain('canary-');
  });
});

describe('the throttle', () => {
  const config = () => ({ webhook: { url: `${receiver.url}/204` } });

  async function post(token: string | null, headers: Record<string, string>): Promise<string | null> {
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${String(token)}`, ...headers },
      body: JSON.stringify({ query: TEST_CONFIG.text, variables: { i: { config: config() } } }),
    });
    const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
    return errors?.[0]?.extensions.code ?? null;
  }

  test('answers the 21st of a user within a minute with RATE_LIMITED and retryAfterSeconds, over the websocket too', async () => {
    const { outsider } = scene.people;
    for (let i = 0; i < 20; i += 1)
      expect(refusalOf(await app.graphql(TEST_CONFIG, { i: { config: config() } }, outsider.token))).toEqual([undefined, undefined]);
    const [code, seconds] = refusalOf(await app.graphql(TEST_CONFIG, { i: { config: config() } }, outsider.token));
    expect(code).toBe('RATE_LIMITED');
    expect(seconds).toBeGreaterThan(30);
    expect(seconds).toBeLessThanOrEqual(60);
    const socket = await openWs(app.wsUrl, outsider.token);
    sockets.push(socket);
    socket.subscribe('test', TEST_CONFIG, { i: { config: config() } });
    expect(await socket.payload('test')).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) } }] });
  });

  test('counts by the address that a trusted proxy tells, and not by what clients claim', async () => {
    const tokens = [scene.tokens.outsider, scene.tokens.member];
    for (let i = 0; i < 20; i += 1) {
      const forwarded = `203.0.113.${String(i)}, 198.51.100.7`;
      expect(await post(tokens[i % 2] ?? null, { 'x-forwarded-for': forwarded })).toBeNull();
    }
    expect(await post(scene.tokens.admin, { 'x-forwarded-for': '198.51.100.7' })).toBe('RATE_LIMITED');
    expect(await post(scene.tokens.admin, { 'x-forwarded-for': '198.51.100.8' })).toBeNull();
    expect(await post(scene.tokens.admin, {})).toBeNull();
    const keys = await app.app.api.db.sql.query<{ key: string }>(`SELECT key FROM test_throttles WHERE key LIKE 'address:%' ORDER BY key`);
    expect(keys.map(({ key }) => key)).toEqual(['address:127.0.0.1', 'address:198.51.100.7', 'address:198.51.100.8']);
  });

  test('of a websocket counts the address of its upgrade', async () => {
    const socket = await openWs(app.wsUrl, scene.tokens.outsider);
    sockets.push(socket);
    socket.subscribe('test', TEST_CONFIG, { i: { config: config() } });
    await socket.payload('test');
    const keys = await app.app.api.db.sql.query<{ key: string }>(`SELECT key FROM test_throttles WHERE key LIKE 'address:%'`);
    expect(keys).toEqual([{ key: 'address:127.0.0.1' }]);
  });
});

test('copyChannel gives a channel that works, and shows its secrets to nobody', async () => {
  const { admin, member } = scene.people;
  const id = await addChannel('/204/copied', { token: admin.token }, { headers: [{ name: 'authorization', value: 'Bearer canary-copied' }] });
  const copy = gql(
    `mutation ($i: CopyChannelInput!) { copyChannel(input: $i) { channel { id name project { slug } owner { id } config { ... on WebhookConfig { headers { name value } } } } } }`,
  );
  const answer = await app.data(copy, { i: { id, projectId: scene.projectId, name: 'copied' } }, admin.token);
  expect(answer.copyChannel.channel).toEqual({
    id: expect.any(String),
    name: 'copied',
    project: { slug: 'demo' },
    owner: null,
    config: { headers: [{ name: 'authorization', value: SECRET_MASK }] },
  });
  expect(refusalOf(await app.graphql(copy, { i: { id, projectId: scene.projectId, name: 'copied' } }, admin.token))[0]).toBe('CONFLICT');
  expect(refusalOf(await app.graphql(copy, { i: { id: answer.copyChannel.channel.id, name: 'mine' } }, member.token))[0]).toBe('FORBIDDEN');
  await app.data(TEST, { i: { id: answer.copyChannel.channel.id } }, admin.token);
  expect(receiver.received.at(-1)).toMatchObject({ path: '/204/copied', headers: { authorization: 'Bearer canary-copied' } });
});

test('channelTypes says what each kind asks for', async () => {
  const { channelTypes } = await app.data(
    gql(`{ channelTypes { type title docsUrl fields { name label kind required secret hint pattern maxLength defaultValue choices } } }`),
    {},
    scene.tokens.outsider,
  );
  const webhook = channelTypes.find(({ type }) => type === 'WEBHOOK');
  const none = { hint: expect.any(String), label: expect.any(String), pattern: null, maxLength: null, defaultValue: null, choices: null };
  expect(webhook).toMatchObject({ title: 'Webhook', docsUrl: expect.stringMatching(/^https:/) });
  expect(webhook?.fields).toEqual([
    { ...none, name: 'url', kind: 'URL', required: true, secret: false },
    { ...none, name: 'headers', kind: 'HEADERS', required: false, secret: true, maxLength: 1_024 },
    { ...none, name: 'hmacSecret', kind: 'SECRET', required: false, secret: true },
  ]);
});
