import { type App, createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { openStore, pgliteStore } from '../../src/db/store.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { createLog } from '../../src/server/log.ts';
import { openTestDatabase, type TestDatabase } from './database.ts';
import { bearer, type GraphqlClient, graphqlClient } from './graphql-client.ts';
import { captureLog, type LogCapture } from './log.ts';

const ADMIN_TOKEN = 'test-admin-token-0123456789';
const ADMIN_EMAIL = 'admin@example.com';

/** A whole server on a free port, and what a client does with it, as its admin unless a token is given. */
export interface TestApp extends GraphqlClient {
  app: App;
  url: string;
  wsUrl: string;
  adminToken: string;
  database: TestDatabase;
  log: LogCapture;
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

  return {
    ...graphqlClient(app.url, ADMIN_TOKEN),
    app,
    url: app.url,
    wsUrl: `${app.url.replace('http', 'ws')}/graphql`,
    adminToken: ADMIN_TOKEN,
    database,
    log,
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
