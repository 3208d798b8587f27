import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { inject } from 'vitest';
import { openTestDatabase } from './database.ts';
import { type GraphqlClient, graphqlClient } from './graphql-client.ts';
import type { LogLine } from './log.ts';

/** One statement, its rows. */
export type Query = <Row>(sql: string, values?: unknown[]) => Promise<Row[]>;

/** A database for servers in processes of their own: it outlives each of them. PGlite's is a DATA_DIR. */
export interface ServerPlace {
  /** Settings of a server on it. */
  env: Record<string, string>;
  /** Looks into the database while no server runs on it. */
  inspect<T>(look: (query: Query) => Promise<T>): Promise<T>;
  remove(): Promise<void>;
}

/** `node src/main.ts`, and nothing of it in this process. */
export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** What it has logged. */
  readonly log: readonly LogLine[];
  /** kill -9. Resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves with the exit code when it is gone. */
  stop(): Promise<number | null>;
}

/** The first admin of every server here. */
export const ADMIN_TOKEN = 'test-admin-token-0123456789';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const PRELOAD = join(import.meta.dirname, 'server-preload.process.ts');
const EGRESS_TO_HERE = { EGRESS_ALLOW_CIDRS: '127.0.0.0/8', EGRESS_ALLOW_HTTP: 'true' };
/** Compiled code, written by those that stop by themselves, for those that come after: loading takes a quarter less. */
const COMPILE_CACHE = join(import.meta.dirname, '../../node_modules/.cache/tocsin-compiled');
/** A start takes 2 s where nothing else runs. */
const START_MS = 90_000;
const LOOK_MS = 20;

/** Makes a migrated, empty database on what this run of the tests uses. */
export async function openServerPlace(): Promise<ServerPlace> {
  const template = inject('databaseTemplate');
  const shared = { ...EGRESS_TO_HERE, BOOTSTRAP_ADMIN_EMAIL: 'admin@example.com', BOOTSTRAP_ADMIN_TOKEN: ADMIN_TOKEN };
  return template.kind === 'pglite' ? await pglitePlace(template.file, shared) : await postgresPlace(shared);
}

async function pglitePlace(templateFile: string, shared: Record<string, string>): Promise<ServerPlace> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tocsin-test-'));
  const databaseDir = join(dataDir, 'pglite');
  await (await PGlite.create({ dataDir: databaseDir, loadDataDir: new Blob([readFileSync(templateFile)]) })).close();
  return {
    env: { ...shared, DATA_DIR: dataDir },
    inspect: async (look) => {
      const pglite = await PGlite.create(databaseDir);
      try {
        return await look(async <Row>(sql: string, values: unknown[] = []) => (await pglite.query<Row>(sql, values)).rows);
      } finally {
        await pglite.close();
      }
    },
    remove: () => {
      rmSync(dataDir, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

async function postgresPlace(shared: Record<string, string>): Promise<ServerPlace> {
  const database = await openTestDatabase();
  const url = database.url ?? '';
  return {
    env: { ...shared, DATABASE_URL: url, SECRET_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}` },
    inspect: async (look) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        return await look(async <Row>(sql: string, values: unknown[] = []) => (await client.query(sql, values)).rows as Row[]);
      } finally {
        await client.end();
      }
    },
    remove: () => database.drop(),
  };
}

/** A process that has loaded all of the server's modules, the larger part of a start, and waits to be told to start it. */
export interface PreparedServer {
  /** Starts the server on a free port and waits until it is ready. Throws, with what it said, where it ends before. */
  start(): Promise<ServerProcess>;
  discard(): Promise<void>;
}

/** Makes a process ready while another one still serves. It has touched nothing of the place before it is told to start. */
export function prepareServer(place: ServerPlace): PreparedServer {
  const env = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILE_CACHE, PORT: '0', PUBLIC_URL: 'http://tocsin.test', ...place.env };
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', PRELOAD, MAIN], { env, stdio: 'pipe' });
  const output = collect(child);
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  void exit.then(() => process.off('exit', killWithUs));

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    child.kill(signal);
    return await exit;
  }

  async function kill(): Promise<void> {
    await end('SIGKILL');
  }

  return {
    start: async () => {
      child.stdin.end('start\n');
      try {
        return { url: await readyUrl(child, output), pid: child.pid ?? 0, log: output.log, kill, stop: () => end('SIGTERM') };
      } catch (error) {
        await kill();
        throw error;
      }
    },
    discard: kill,
  };
}

/** Prepares a server and starts it at once. */
export function startServer(place: ServerPlace): Promise<ServerProcess> {
  return prepareServer(place).start();
}

interface Output {
  stdout: string;
  /** What is no line of the log. */
  stderr: string;
  log: LogLine[];
}

function collect(child: ChildProcess): Output {
  const output: Output = { stdout: '', stderr: '', log: [] };
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('{')) output.log.push(JSON.parse(line) as LogLine);
      else output.stderr += `${line}\n`;
    }
  });
  return output;
}

/** Where it says that it listens, as soon as /readyz agrees. */
async function readyUrl(child: ChildProcess, output: Output): Promise<string> {
  const end = Date.now() + START_MS;
  while (Date.now() < end && child.exitCode === null && child.signalCode === null) {
    const url = /listens on (\S+)/.exec(output.stdout)?.[1];
    const status =
      url === undefined
        ? 0
        : await fetch(`${url}/readyz`).then(
            (response) => response.status,
            () => 0,
          );
    if (url !== undefined && status === 200) return url;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`the server did not get ready: ${output.stderr}${JSON.stringify(output.log.slice(-5))}`);
}

/** A client of the server at `url`, as its admin unless a token is given. */
export function clientOf(url: string): GraphqlClient {
  return graphqlClient(url, ADMIN_TOKEN);
}
