import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { PublishEventsInput } from '../generated/operations.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { gql } from '../support/gql.ts';
import { CREATE_USER, PUBLISH_EVENTS, REVOKE_TOKEN, VIEWER } from '../support/operations.ts';
import { addPerson, addProject, addToken, type Person } from '../support/scenario.ts';
import { openWs, type WsClient } from '../support/ws-client.ts';

const SECRET = 'canary-4711';
const MEBIBYTE = 1024 * 1024;

let app: TestApp;
let person: Person;
let sockets: WsClient[] = [];

beforeAll(async () => {
  app = await openTestApp();
  person = await addPerson(app, 'person');
}, 120_000);

afterEach(() => {
  for (const socket of sockets) socket.close();
  sockets = [];
});

afterAll(async () => {
  await app.close();
});

async function connect(token: string | null): Promise<WsClient> {
  const socket = await openWs(app.wsUrl, token);
  sockets.push(socket);
  return socket;
}

describe('errors over HTTP', () => {
  test.each<[string, string, Record<string, unknown>, string]>([
    ['a syntax error', `{ viewer(x: "${SECRET}" `, {}, ''],
    ['an unknown field', '{ viewer { nope } }', {}, ''],
    ['a literal of the wrong type', `mutation { createUser(input: { email: 1, name: "${SECRET}" }) { user { id } } }`, {}, 'email'],
    ['an unknown input field', `mutation { createUser(input: { email: "a", name: "b", role: "${SECRET}" }) { user { id } } }`, {}, 'role'],
    [
      'a variable of the wrong type',
      'mutation($i: CreateUserInput!) { createUser(input: $i) { user { id } } }',
      { i: { email: SECRET, name: [SECRET] } },
      'name',
    ],
    ['a variable inside of the input', 'mutation($n: String!) { createUser(input: { email: "a", name: $n }) { user { id } } }', { n: { a: SECRET } }, 'name'],
    ['a missing variable', 'query($s: String!) { project(slug: $s) { id } }', {}, 'slug'],
    ['a variable of a list', 'query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['a', null] }, 'ids.1'],
    ['a date that is none', 'mutation($d: DateTime) { muteSubscriptions(input: { until: $d }) { changed } }', { d: SECRET }, 'until'],
    ['text for a number', 'query($n: Int = 1) { viewer { inbox(first: $n) { edges { cursor } } } }', { n: SECRET }, 'first'],
    ['none of one-of', 'mutation($i: CreateChannelInput!) { createChannel(input: $i) { channel { id } } }', { i: { name: 'x', config: {} } }, 'config'],
  ])('%s is 400, BAD_USER_INPUT at its path, and repeats no value', async (_why, query, variables, path) => {
    const answer = await app.graphql(query, variables);
    expect(answer.status).toBe(400);
    expect(answer.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path }] });
    expect(JSON.stringify(answer)).not.toContain(SECRET);
  });

  test.each([
    ['no token', '{ viewer { user { id } } }', null],
    ['a wrong token', '{ __typename }', 'wrong-token-wrong-token'],
  ])('%s is 401', async (_why, query, token) => {
    const { status, errors } = await app.graphql(query, {}, token);
    expect([status, errors[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
  });

  test.each<[string, PublishEventsInput, string]>([
    ['an id over 200 bytes', { events: [{ id: 'x'.repeat(201), trigger: 'TASK_FAILED' }] }, 'events.0.id'],
    ['1,001 events', { events: Array.from({ length: 1_001 }, () => ({ id: '1', trigger: 'TASK_FAILED' })) }, 'events'],
    ['data that is no object', { events: [{ id: '1', trigger: 'TASK_FAILED', data: SECRET }] }, 'events.0.data'],
    ['a project that is not named', { events: [], projectId: null }, 'projectId'],
  ])('events with %s are refused as a whole', async (_why, input, path) => {
    const projectId = path === 'projectId' ? null : await addProject(app, `p-${randomUUID()}`, person);
    const { errors } = await app.graphql(PUBLISH_EVENTS, { input: { projectId, ...input } }, person.token);
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path }] });
    expect(JSON.stringify(errors)).not.toContain(SECRET);
  });

  test('a bad value in the service has the path of the input, and is not repeated', async () => {
    const { errors } = await app.graphql(CREATE_USER, { input: { email: SECRET, name: '' } });
    expect(errors[0]?.extensions.issues?.map(({ path }) => path)).toEqual(['email', 'name']);
    expect(JSON.stringify(errors)).not.toContain(SECRET);
  });

  test('nothing of it is logged either', () => {
    expect(app.log.text()).not.toContain(SECRET);
    expect(app.log.text()).not.toContain(app.adminToken);
  });

  test('an expired token is 401', async () => {
    const token = await addToken(app, { name: 'short', userId: person.id, expiresAt: new Date(Date.now() + 300).toISOString() });
    const status = async (): Promise<number> => (await app.graphql('{ __typename }', {}, token)).status;
    expect(await status()).toBe(200);
    await expect.poll(status, { timeout: 5_000 }).toBe(401);
  });

  test('a body over 4 MiB is 413', async () => {
    const body = JSON.stringify({ query: '{ __typename }', variables: { x: 'x'.repeat(5 * MEBIBYTE) } });
    const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect([response.status, await response.json()]).toMatchObject([413, { errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] }]);
  });

  test('a body in chunks is taken, and counted', async () => {
    const post = async (bytes: number): Promise<Response> => {
      const chunks = [
        JSON.stringify({ query: '{ __typename }' }).slice(0, -1),
        ',"variables":{"x":"',
        ...Array.from({ length: bytes / 1024 }, () => 'x'.repeat(1024)),
        '"}}',
      ];
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${app.adminToken}` };
      const init = { method: 'POST', headers, body: Readable.toWeb(Readable.from(chunks.map((chunk) => Buffer.from(chunk)))), duplex: 'half' };
      return await fetch(`${app.url}/graphql`, init as RequestInit);
    };
    const small = await post(2048);
    expect([small.status, await small.json()]).toEqual([200, { data: { __typename: 'Query' } }]);
    expect((await post(5 * MEBIBYTE)).status).toBe(413);
  });

  test('batches are not taken', async () => {
    const body = JSON.stringify([{ query: '{ __typename }' }]);
    const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect([response.status, await response.json()]).toMatchObject([400, { errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] }]);
  });

  test('no other site may read answers: there are no CORS headers', async () => {
    const response = await fetch(`${app.url}/graphql?query={__typename}`, { headers: { origin: 'https://evil.example' } });
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('GraphiQL', () => {
  const open = async (): Promise<Response> => await fetch(`${app.url}/graphql`, { headers: { accept: 'text/html' } });

  test('is a page that loads nothing from elsewhere, and needs no token', async () => {
    const response = await open();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'self'/);
    const html = await response.text();
    expect(html).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)=["']https?:/);
    expect(html).not.toContain(app.adminToken);
  });

  test('hands the credentials of its header editor to the websocket too', async () => {
    expect(await (await open()).text()).toMatch(/extensions:\{headers:\w+\?\.headers,connectionParams:\w+\?\.headers\}/);
  });

  test('is off with GRAPHIQL=false', async () => {
    const off = await openTestApp({ env: { GRAPHIQL: 'false', DISPATCH: 'hold' } });
    const response = await fetch(`${off.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(await response.text()).not.toContain('graphiql');
    await off.close();
  }, 60_000);
});

describe('the websocket', () => {
  test.each<[string, object | undefined]>([
    ['no credentials', undefined],
    ['an empty payload', {}],
    ['a wrong token', { Authorization: 'Bearer wrong-token-wrong-token' }],
    ['another scheme', { Authorization: 'Basic YTpi' }],
    ['no text', { Authorization: 7 }],
  ])('closes with 4403 for %s', async (_why, payload) => {
    const socket = await connect(null);
    socket.send({ type: 'connection_init', ...(payload === undefined ? {} : { payload }) });
    expect(await socket.closed()).toBe(4403);
  });

  test('takes the name of the header in lower case too', async () => {
    const socket = await connect(null);
    socket.send({ type: 'connection_init', payload: { authorization: `bearer ${person.token}` } });
    expect(await socket.next()).toMatchObject({ type: 'connection_ack' });
  });

  test('runs queries and mutations with the same rights and the same errors as HTTP', async () => {
    const socket = await connect(person.token);
    socket.subscribe('a', '{ viewer { user { email } } }');
    expect(await socket.payload('a')).toEqual({ data: { viewer: { user: { email: person.email } } } });
    socket.subscribe('b', '{ users { edges { node { id } } } }');
    const denied = await socket.payload('b');
    expect(denied).toMatchObject({ data: null, errors: [{ path: ['users'], extensions: { code: 'FORBIDDEN' } }] });
    expect(denied.errors?.[0]?.extensions).toEqual({ code: 'FORBIDDEN' });
    socket.subscribe('c', 'query($n: Int!) { users(first: $n) { edges { cursor } } }', { n: SECRET });
    const bad = await socket.payload('c');
    expect(bad).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT', issues: [{ path: 'first' }] } }] });
    expect(JSON.stringify(bad)).not.toMatch(new RegExp(`${SECRET}|http`));
  });

  test.each([
    ['a syntax error', '{ viewer('],
    ['an unknown field', '{ nope }'],
    ['a document of two operations', 'query a { __typename } query b { __typename }'],
  ])('answers %s with an error message of a known code', async (_why, query) => {
    const socket = await connect(person.token);
    socket.subscribe('a', query);
    expect(await socket.next()).toMatchObject({ type: 'error', id: 'a', payload: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
  });

  test("an agent's token may publish, and nothing else", async () => {
    const projectId = await addProject(app, `p-${randomUUID()}`, person);
    const socket = await connect(await addToken(app, { name: 'agent', projectId }));
    socket.subscribe('a', 'mutation { publishEvents(input: { events: [{ id: "1", trigger: TASK_FAILED }] }) { accepted } }');
    expect(await socket.payload('a')).toEqual({ data: { publishEvents: { accepted: 1 } } });
    socket.subscribe('b', 'subscription { inbox { cursor } }');
    expect(await socket.payload('b')).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
  });
});

describe('a right that is taken away closes the socket with 4403 within 1 s', () => {
  test('a token revoked, by its text', async () => {
    const token = await addToken(app, { name: 'leaked', userId: person.id });
    const [revoked, other] = [await connect(token), await connect(person.token)];
    revoked.subscribe('s', 'subscription { inbox { cursor } }');
    await revoked.payload('s');
    await app.data(REVOKE_TOKEN, { input: { token } });
    expect(await revoked.closed(1_000)).toBe(4403);
    other.subscribe('q', '{ __typename }');
    expect(await other.payload('q')).toEqual({ data: { __typename: 'Query' } });
  });

  test('a user deleted', async () => {
    const leaving = await addPerson(app, `leaving-${randomUUID()}`);
    const socket = await connect(leaving.token);
    await app.data(gql(`mutation ($id: ID!) { deleteUser(input: { id: $id }) { id } }`), { id: leaving.id });
    expect(await socket.closed(1_000)).toBe(4403);
  });

  test('a token expired', async () => {
    const socket = await connect(await addToken(app, { name: 'short', userId: person.id, expiresAt: new Date(Date.now() + 1_500).toISOString() }));
    expect(await socket.closed(3_000)).toBe(4403);
  });
});

test('a database that is gone: 503 on /readyz, and INTERNAL with an id to clients', async () => {
  const broken = await openTestApp({ env: { DISPATCH: 'hold' } });
  const ready = async (): Promise<number> => (await fetch(`${broken.url}/readyz`)).status;
  expect(await ready()).toBe(200);
  await broken.app.api.db.close();
  expect(await ready()).toBe(503);
  expect((await fetch(`${broken.url}/livez`)).status).toBe(200);
  const { status, errors } = await broken.graphql(VIEWER, {}, 'some-token-some-token');
  expect([status, errors[0]?.extensions.code]).toEqual([500, 'INTERNAL']);
  const events = await broken.events([{ id: '1', trigger: 'task.failed' }]);
  expect([events.status, events.json]).toMatchObject([500, { errors: [{ extensions: { code: 'INTERNAL', errorId: expect.any(String) } }] }]);
  await broken.close().catch(() => {});
  await broken.database.drop();
}, 60_000);
