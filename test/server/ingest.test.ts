import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AcceptedEvent } from '../../src/domain/event.ts';
import type { Viewer } from '../../src/domain/viewer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { AppError, notFound } from '../../src/lib/error.ts';
import { createHttpServer } from '../../src/server/http.ts';
import { createFindProject, createIngest } from '../../src/server/ingest.ts';
import { createLog } from '../../src/server/log.ts';
import { closeServer, listen } from '../../src/server/serve.ts';
import { captureLog } from '../support/log.ts';

const BODY_BYTES_MAX = 4 * 1024 * 1024;
const PROJECT = 'project-id';
const VIEWERS: Record<string, Viewer> = {
  'agent-token-agent-token': { kind: 'agent', projectId: PROJECT, tokenId: 't1', expiresAt: null },
  'admin-token-admin-token': { kind: 'user', userId: 'u1', isAdmin: false, tokenId: 't2', expiresAt: null },
  'other-token-other-token': { kind: 'user', userId: 'u2', isAdmin: false, tokenId: 't3', expiresAt: null },
};
const EVENT = { id: 'e1', trigger: 'task.failed', taskName: 'billing.run' };

const log = captureLog();
let published: { projectId: string; events: readonly AcceptedEvent[] }[] = [];
let failure: Error | null = null;
let base = '';

const server = createHttpServer({
  log: createLog('info', log.stream),
  health: { livez: () => {}, readyz: () => {} },
  api: {
    graphql: () => {},
    graphiql: false,
    addressOf: () => '192.0.2.1',
    authenticator: { authenticate: (token) => Promise.resolve(VIEWERS[token] ?? null) },
    ingest: createIngest({
      clock: systemClock,
      log: createLog('info', log.stream),
      bodyBytesMax: BODY_BYTES_MAX,
      publisher: {
        publish: (projectId, events) => {
          if (failure !== null) return Promise.reject(failure);
          published.push({ projectId, events });
          return Promise.resolve({ accepted: events.length, duplicates: 0, inboxItems: 0, deliveries: 0 });
        },
      },
      findProject: createFindProject((viewer, slug) => {
        if (slug !== 'demo') return Promise.reject(notFound('project', 'project'));
        return viewer.kind === 'user' && viewer.userId === 'u2' ? Promise.reject(new AppError('FORBIDDEN', 'not allowed')) : Promise.resolve(PROJECT);
      }),
    }),
  },
});

beforeAll(async () => {
  base = `http://127.0.0.1:${String(await listen(server, 0, '127.0.0.1'))}`;
});

beforeEach(() => {
  published = [];
  failure = null;
});

afterAll(async () => {
  await closeServer(server, 100);
});

interface Options {
  token?: string | null;
  type?: string;
  query?: string;
  method?: string;
  headers?: Record<string, string>;
}

async function post(body: string | Uint8Array<ArrayBuffer>, options: Options = {}) {
  const { token = 'agent-token-agent-token', type = 'application/json', query = '', method = 'POST' } = options;
  const headers = { 'content-type': type, ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...options.headers };
  const response = await fetch(`${base}/v1/events${query}`, { method, headers, ...(method === 'GET' ? {} : { body }) });
  return {
    status: response.status,
    headers: response.headers,
    json: (await response.json()) as Record<string, unknown> & { errors?: { extensions: object }[] },
  };
}

const ndjson = (...lines: (string | object)[]): string => lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');

describe('what is taken', () => {
  test('a JSON array, by an agent, for its own project', async () => {
    const { status, json } = await post(JSON.stringify([EVENT, { ...EVENT, id: 'e2' }]));
    expect([status, json]).toEqual([200, { accepted: 2, duplicates: 0, inboxItems: 0, deliveries: 0 }]);
    expect(published).toMatchObject([{ projectId: PROJECT, events: [{ id: 'e1', trigger: 'task.failed' }, { id: 'e2' }] }]);
  });

  test('NDJSON, with blank lines, CRLF and no newline at the end', async () => {
    const { json } = await post(`${JSON.stringify(EVENT)}\r\n\n${JSON.stringify({ ...EVENT, id: 'e2' })}`, { type: 'application/x-ndjson; charset=utf-8' });
    expect(json).toMatchObject({ accepted: 2 });
  });

  test('by a user, who names the project', async () => {
    expect((await post(JSON.stringify([EVENT]), { token: 'admin-token-admin-token', query: '?project=demo' })).status).toBe(200);
  });

  test('none at all', async () => {
    expect((await post('[]')).json).toMatchObject({ accepted: 0 });
    expect((await post('', { type: 'application/x-ndjson' })).json).toMatchObject({ accepted: 0 });
  });

  test('a byte that is no UTF-8 in a traceback does not stop the batch', async () => {
    const bytes = new Uint8Array(Buffer.from(JSON.stringify([{ ...EVENT, traceback: 'a?b' }]), 'latin1').map((byte) => (byte === 0x3f ? 0xff : byte)));
    expect((await post(bytes)).status).toBe(200);
    expect(published[0]?.events[0]?.traceback).toBe('a\ufffdb');
  });

  test('a byte-order mark before the body', async () => {
    expect((await post(`\ufeff${JSON.stringify([EVENT])}`)).status).toBe(200);
  });

  test('1,000 events', async () => {
    const events = Array.from({ length: 1_000 }, (_, i) => ({ ...EVENT, id: `e${String(i)}` }));
    expect((await post(JSON.stringify(events))).json).toMatchObject({ accepted: 1_000 });
  });
});

describe('what is refused, and changes nothing', () => {
  test.each<[string, string, Options, [number, string, object]]>([
    ['no token', '[]', { token: null }, [401, 'UNAUTHENTICATED', {}]],
    ['a wrong token', '[]', { token: 'wrong-token-wrong-token' }, [401, 'UNAUTHENTICATED', {}]],
    ['a user who names no project', '[]', { token: 'admin-token-admin-token' }, [400, 'BAD_USER_INPUT', { path: 'project' }]],
    ['a project that there is not', '[]', { token: 'admin-token-admin-token', query: '?project=nope' }, [404, 'NOT_FOUND', { path: 'project' }]],
    ['a member, who may not publish', '[]', { token: 'other-token-other-token', query: '?project=demo' }, [403, 'FORBIDDEN', {}]],
    ['another method', '', { method: 'GET' }, [405, 'BAD_USER_INPUT', {}]],
    ['another content type', '[]', { type: 'text/plain' }, [415, 'BAD_USER_INPUT', {}]],
    ['a compressed body', '[]', { headers: { 'content-encoding': 'gzip' } }, [415, 'BAD_USER_INPUT', {}]],
    ['broken JSON', '[{', {}, [400, 'BAD_USER_INPUT', { path: '' }]],
    ['JSON that is no array', '{"id":"e1"}', {}, [400, 'BAD_USER_INPUT', { message: 'the body must be a JSON array of events' }]],
    ['an unknown way to treat invalid ones', '[]', { query: '?invalid=ignore' }, [400, 'BAD_USER_INPUT', { path: 'invalid' }]],
    ['an event without id', '[{"trigger":"task.failed"}]', {}, [400, 'BAD_USER_INPUT', { index: 0, path: 'id' }]],
    ['an unknown field', '[{"id":"a","trigger":"task.failed","tasks":1}]', {}, [400, 'BAD_USER_INPUT', { index: 0, path: 'tasks' }]],
    ['__proto__', '[{"id":"a","trigger":"task.failed","__proto__":{"x":1}}]', {}, [400, 'BAD_USER_INPUT', { index: 0 }]],
    [
      'data 1,000 deep',
      `[{"id":"a","trigger":"task.failed","data":${'{"a":'.repeat(1_000)}1${'}'.repeat(1_000)}}]`,
      {},
      [400, 'BAD_USER_INPUT', { index: 0, path: 'data' }],
    ],
    ['an id over 200 bytes', JSON.stringify([{ ...EVENT, id: 'é'.repeat(101) }]), {}, [400, 'BAD_USER_INPUT', { index: 0, path: 'id' }]],
    ['1,001 events', JSON.stringify(Array.from({ length: 1_001 }, () => EVENT)), {}, [400, 'BAD_USER_INPUT', {}]],
  ])('%s', async (_why, body, options, [status, code, issue]) => {
    const { status: answered, json } = await post(body, options);
    const extensions = json.errors?.[0]?.extensions as { code: string; issues?: object[] };
    expect([answered, extensions.code]).toEqual([status, code]);
    expect({ ...extensions.issues?.[0] }).toMatchObject(issue);
    expect(published).toEqual([]);
  });

  test('a wrong token says how to authenticate', async () => {
    expect((await post('[]', { token: null })).headers.get('www-authenticate')).toBe('Bearer');
  });

  test('one bad event refuses the whole call, with index and path of each problem', async () => {
    const { status, json } = await post(JSON.stringify([EVENT, { ...EVENT, id: '' }, { ...EVENT, trigger: 'nope', priority: 'high' }]));
    expect(status).toBe(400);
    expect(json.errors?.[0]?.extensions).toEqual({
      code: 'BAD_USER_INPUT',
      issues: [
        { index: 1, path: 'id', message: expect.any(String) },
        { index: 2, path: 'trigger', message: expect.any(String) },
        { index: 2, path: 'priority', message: expect.any(String) },
      ],
    });
    expect(JSON.stringify(json)).not.toMatch(/nope|high/);
  });

  test('broken NDJSON names the line', async () => {
    const { json } = await post(ndjson(EVENT, '', '{"id": "secret-value', { ...EVENT, id: 'e3', trigger: 1 }), { type: 'application/x-ndjson' });
    expect(json.errors?.[0]?.extensions).toMatchObject({
      issues: [
        { index: 1, line: 3, path: '', message: 'is not JSON' },
        { index: 2, line: 4, path: 'trigger' },
      ],
    });
    expect(JSON.stringify(json)).not.toContain('secret-value');
  });

  test('at most 100 problems are told', async () => {
    const { json } = await post(JSON.stringify(Array.from({ length: 500 }, () => ({}))));
    expect(json.errors?.[0]?.extensions).toMatchObject({ issues: { length: 100 } });
  });
});

describe('?invalid=skip', () => {
  test('takes the valid ones and lists the others', async () => {
    const { status, json } = await post(ndjson(EVENT, '{', { ...EVENT, id: 7 }, { ...EVENT, id: 'e4' }), {
      type: 'application/x-ndjson',
      query: '?invalid=skip',
    });
    expect(status).toBe(200);
    expect(json).toEqual({
      accepted: 2,
      duplicates: 0,
      inboxItems: 0,
      deliveries: 0,
      rejected: [
        { index: 1, line: 2, path: '', message: 'is not JSON' },
        { index: 2, line: 3, path: 'id', message: expect.any(String) },
      ],
    });
    expect(published[0]?.events.map((event) => event.id)).toEqual(['e1', 'e4']);
  });

  test('lists none where there is none', async () => {
    expect((await post(JSON.stringify([EVENT]), { query: '?invalid=skip' })).json).toMatchObject({ accepted: 1, rejected: [] });
  });

  test('does not take more than 1,000 either', async () => {
    expect((await post(JSON.stringify(Array.from({ length: 1_001 }, () => EVENT)), { query: '?invalid=skip' })).status).toBe(400);
  });
});

describe('bodies over 4 MiB', () => {
  test('are refused by their length, before they are sent', async () => {
    const answer = await new Promise<string>((resolve) => {
      const { port } = new URL(base);
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(
          `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer agent-token-agent-token\r\ncontent-length: ${String(BODY_BYTES_MAX + 1)}\r\n\r\n`,
        );
      });
      socket.once('data', (data) => {
        socket.destroy();
        resolve(data.toString());
      });
    });
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('are refused when they come in chunks', async () => {
    const chunk = new Uint8Array(1024 * 1024).fill(0x20);
    const body = new ReadableStream({
      pull: (controller) => {
        controller.enqueue(chunk);
        if (++sent === 5) controller.close();
      },
    });
    let sent = 0;
    const headers = { 'content-type': 'application/json', authorization: 'Bearer agent-token-agent-token' };
    const response = await fetch(`${base}/v1/events`, { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
  });

  test('5 MiB of gzip bomb are not unpacked', async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(64 * 1024 * 1024)));
    expect((await post(bomb, { headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
  });
});

describe('when publishing fails', () => {
  test('a bug is INTERNAL with an id that is logged', async () => {
    failure = new Error('the database is gone');
    const { status, json } = await post(JSON.stringify([EVENT]));
    const { errorId = '' } = { ...json.errors?.[0]?.extensions } as { errorId?: string };
    expect([status, json]).toEqual([500, { errors: [{ message: `internal error ${errorId}`, extensions: { code: 'INTERNAL', errorId } }] }]);
    expect(log.lines.at(-1)).toMatchObject({ level: 50, errorId, err: { message: 'the database is gone' } });
  });

  test('too much at once is 429 with Retry-After', async () => {
    failure = new AppError('RATE_LIMITED', 'too much is waiting', { retryAfterSeconds: 3 });
    const { status, headers, json } = await post(JSON.stringify([EVENT]));
    expect([status, headers.get('retry-after')]).toEqual([429, '3']);
    expect(json).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED', retryAfterSeconds: 3 } }] });
  });
});

test('other paths are 404, as JSON', async () => {
  const response = await fetch(`${base}/v1/nothing`);
  expect([response.status, await response.json()]).toMatchObject([404, { errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] }]);
});

test('a path that every object has is no route', async () => {
  expect((await fetch(`${base}/constructor`)).status).toBe(404);
  expect((await fetch(`${base}/__proto__`)).status).toBe(404);
});
