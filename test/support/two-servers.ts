import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ADMIN_EMAIL, ADMIN_TOKEN, type GraphqlAnswer } from './app.ts';
import type { LogLine } from './log.ts';

/** A server as a process of its own, started as `npm start` does. */
export interface ServerProcess {
  url: string;
  /** POSTs an operation. */
  graphql(query: string, variables?: Record<string, unknown>, token?: string): Promise<GraphqlAnswer>;
  /** The data of an operation that must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of an answer.
  data(query: string, variables?: Record<string, unknown>, token?: string): Promise<any>;
  /** POSTs events of the project `slug`. */
  events(slug: string, events: readonly object[]): Promise<{ status: number; json: EventsAnswer }>;
  /** What it logged at level error and above. */
  errors: LogLine[];
  /** SIGTERM, and waits until it is gone. */
  stop(): Promise<void>;
}

export interface EventsAnswer {
  accepted: number;
  duplicates: number;
  inboxItems: number;
  deliveries: number;
  errors?: unknown;
}

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const ERROR = 50;
/** Start takes 2 s on an idle machine; on one that runs other tests, ten times that was seen. */
const START_MS_MAX = 90_000;

/** Starts two servers on one PostgreSQL, at the same moment. `env`: settings of each. */
export async function startTwoServers(
  databaseUrl: string,
  env: readonly [Record<string, string>, Record<string, string>],
): Promise<[ServerProcess, ServerProcess]> {
  const [a, b] = env.map((settings) => startServer({ DATABASE_URL: databaseUrl, ...settings })) as [Promise<ServerProcess>, Promise<ServerProcess>];
  return await Promise.all([a, b]);
}

/** Starts a server that may send to loopback. `env` adds to its settings: DATABASE_URL or DATA_DIR at least. */
export async function startServer(env: Record<string, string>): Promise<ServerProcess> {
  const settings = {
    PORT: '0',
    SECRET_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
    BOOTSTRAP_ADMIN_EMAIL: ADMIN_EMAIL,
    BOOTSTRAP_ADMIN_TOKEN: ADMIN_TOKEN,
    EGRESS_ALLOW_CIDRS: '127.0.0.0/8',
    EGRESS_ALLOW_HTTP: 'true',
    LOG_LEVEL: 'error',
    ...env,
  };
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], { env: settings, stdio: ['ignore', 'pipe', 'pipe'] });
  const errors: LogLine[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    errors.push(parseLine(line));
  });
  const url = await listening(child, errors).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  return { ...createClient(url), errors, stop: () => stop(child) };
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: ERROR, msg: line };
  }
}

/** The URL that a starting server announces on stdout. */
async function listening(child: ChildProcess, errors: readonly LogLine[]): Promise<string> {
  if (child.stdout === null) throw new Error('stdout is not piped');
  const lines = createInterface({ input: child.stdout });
  const found = Promise.withResolvers<string>();
  lines.on('line', (line) => {
    const url = /^Tocsin listens on (http:\S+)/.exec(line)?.[1];
    if (url !== undefined) found.resolve(url);
  });
  child.once('exit', (code) => {
    found.reject(new Error(`the server ended with ${String(code)}: ${JSON.stringify(errors)}`));
  });
  const timer = setTimeout(() => {
    found.reject(new Error('the server did not start in time'));
  }, START_MS_MAX);
  try {
    return await found.promise;
  } finally {
    clearTimeout(timer);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

function createClient(url: string): Omit<ServerProcess, 'errors' | 'stop'> {
  async function post(path: string, body: unknown, token: string): Promise<{ status: number; json: unknown }> {
    const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json', authorization: `Bearer ${token}` };
    const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, json: await response.json() };
  }

  async function graphql(query: string, variables: Record<string, unknown> = {}, token = ADMIN_TOKEN): Promise<GraphqlAnswer> {
    const { status, json } = await post('/graphql', { query, variables }, token);
    return { status, errors: [], data: null, ...(json as object) };
  }

  return {
    url,
    graphql,
    data: async (query, variables, token) => {
      const answer = await graphql(query, variables, token);
      if (answer.errors.length > 0) throw new Error(JSON.stringify(answer.errors));
      return answer.data as unknown;
    },
    events: async (slug, events) => {
      const { status, json } = await post(`/v1/events?project=${slug}`, events, ADMIN_TOKEN);
      return { status, json: json as EventsAnswer };
    },
  };
}
