import { type App, createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { openStore, pgliteStore } from '../../src/db/store.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { createLog } from '../../src/server/log.ts';
import { openTestDatabase, type TestDatabase } from './database.ts';
import { captureLog, type LogCapture } from './log.ts';

const ADMIN_TOKEN = 'test-admin-token-0123456789';
const ADMIN_EMAIL = 'admin@example.com';

export interface GraphqlAnswer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of an answer.
  data: any;
  errors: { message: string; path?: (string | number)[]; extensions: { code: string; issues?: { path: string; message: string }[]; errorId?: string } }[];
}

/** A whole server on a free port, with an admin. */
export interface TestApp {
  app: App;
  url: string;
  wsUrl: string;
  adminToken: string;
  database: TestDatabase;
  log: LogCapture;
  /** POSTs an operation; `token: null` sends none. */
  graphql(query: string, variables?: Record<string, unknown>, token?: string | null): Promise<GraphqlAnswer>;
  /** The data of an operation that must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  data(query: string, variables?: Record<string, unknown>, token?: string | null): Promise<any>;
  /** POSTs to /v1/events. */
  events(body: unknown, options?: { token?: string | null; query?: string; type?: string }): Promise<{ status: number; json: unknown }>;
  /** Stops the server, and drops the database unless it was given. */
  close(): Promise<void>;
}

interface TestAppOptions {
  env?: Record<string, string>;
  /** Several apps on one stand for replicas, or for a restart (not on PGlite, which closes with its server). */
  database?: TestDatabase;
  clock?: Clock;
}

/** Starts a server on a test database. */
export async function openTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const database = options.database ?? (await openTestDatabase());
  const log = captureLog();
  const config = readConfig({
    PORT: '0',
    PUBLIC_URL: 'http://tocsin.test',
    BOOTSTRAP_ADMIN_EMAIL: ADMIN_EMAIL,
    BOOTSTRAP_ADMIN_TOKEN: ADMIN_TOKEN,
    SECRET_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
    EGRESS_ALLOW_CIDRS: '127.0.0.0/8',
    EGRESS_ALLOW_HTTP: 'true',
    ...options.env,
  });
  if (!config.ok) throw new Error(config.problems.join('; '));
  const store = database.url === null ? pgliteStore(database.pglite) : await openStore({ url: database.url, connectionsMax: 10 }, () => {});
  const app = await createApp(config.config, { clock: options.clock ?? systemClock, log: createLog('debug', log.stream), store });

  async function graphql(query: string, variables: Record<string, unknown> = {}, token: string | null = ADMIN_TOKEN): Promise<GraphqlAnswer> {
    const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json', ...bearer(token) };
    const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
    return { status: response.status, errors: [], data: null, ...((await response.json()) as object) };
  }

  return {
    app,
    url: app.url,
    wsUrl: `${app.url.replace('http', 'ws')}/graphql`,
    adminToken: ADMIN_TOKEN,
    database,
    log,
    graphql,
    data: async (query, variables, token) => {
      const answer = await graphql(query, variables, token);
      if (answer.errors.length > 0) throw new Error(JSON.stringify(answer.errors));
      return answer.data as unknown;
    },
    events: async (body, { token = ADMIN_TOKEN, query = '', type = 'application/json' } = {}) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const response = await fetch(`${app.url}/v1/events${query}`, { method: 'POST', headers: { 'content-type': type, ...bearer(token) }, body: text });
      return { status: response.status, json: await response.json() };
    },
    close: async () => {
      await app.stop();
      if (options.database === undefined) await database.drop();
    },
  };
}

function bearer(token: string | null): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}
