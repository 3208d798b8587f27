import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { until } from './support/pipeline.ts';

const MAIN = join(import.meta.dirname, '../src/main.ts');

let dataDir: string;
let running: ChildProcess[] = [];

beforeAll(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tocsin-main-'));
});

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running = [];
});

afterAll(() => {
  rmSync(dataDir, { recursive: true });
});

interface Started {
  child: ChildProcess;
  output(): { stdout: string; stderr: string };
  exitCode: Promise<number | null>;
}

function start(env: Record<string, string>): Started {
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env['PATH'] ?? '', ...env } });
  running.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  return { child, output: () => output, exitCode: new Promise((resolve) => child.once('exit', resolve)) };
}

async function startEmbedded(): Promise<Started & { url: string }> {
  const started = start({ DATA_DIR: dataDir, PORT: '0' });
  await until(() => started.output().stdout.includes('Tocsin listens on'), `it listens: ${started.output().stderr}`, 60_000);
  return { ...started, url: /listens on (\S+)/.exec(started.output().stdout)?.[1] ?? '' };
}

test('settings that are wrong: every problem in one line, and exit 1', async () => {
  const { output, exitCode } = start({ PORT: 'x', ROLE: 'worker', DATABASE_URL: 'mysql://secret-host/x', BOOTSTRAP_ADMIN_TOKEN: 'short' });
  expect(await exitCode).toBe(1);
  const { stderr, stdout } = output();
  expect(stderr).toMatch(/^tocsin: the settings are not valid: .*SECRET_KEYS .*BOOTSTRAP_ADMIN_EMAIL .*PORT .*DATABASE_URL .*BOOTSTRAP_ADMIN_TOKEN .*\n$/);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr + stdout).not.toMatch(/secret-host|short/);
}, 120_000);

test('a database that cannot be reached: one clear line without the password, and exit 1', async () => {
  const url = 'postgres://tocsin:hunter2hunter2@127.0.0.1:1/tocsin';
  const { output, exitCode } = start({ DATABASE_URL: url, SECRET_KEYS: `k:${Buffer.alloc(32).toString('base64')}`, LOG_LEVEL: 'silent' });
  expect(await exitCode).toBe(1);
  expect(output().stderr).toMatch(/^tocsin: cannot go on: .*ECONNREFUSED.*\n$/);
  expect(output().stderr).not.toContain('hunter2');
}, 120_000);

test('embedded: makes a first admin, serves, lets nobody else into its directory, stops on SIGTERM, and starts again as it was', async () => {
  const first = await startEmbedded();
  const tokenFile = join(dataDir, 'admin-token');
  expect(first.output().stdout).toContain(`the token is in ${tokenFile}`);
  expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
  const token = readFileSync(tokenFile, 'utf8').trim();
  expect(token).toMatch(/^tsn_\w+$/);
  // Shown only where stdout is a terminal.
  expect(first.output().stdout + first.output().stderr).not.toContain(token);

  const ask = async (url: string): Promise<unknown> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: '{"query":"{ viewer { user { isAdmin } } }"}' });
    return await response.json();
  };
  expect(await ask(first.url)).toEqual({ data: { viewer: { user: { isAdmin: true } } } });

  const second = start({ DATA_DIR: dataDir, PORT: '0' });
  expect(await second.exitCode).toBe(1);
  expect(second.output().stderr).toMatch(/^tocsin: cannot go on: DATA_DIR is in use by another process/);

  first.child.kill('SIGTERM');
  expect(await first.exitCode).toBe(0);

  const again = await startEmbedded();
  expect(again.output().stdout).not.toContain('first admin');
  expect(await ask(again.url)).toEqual({ data: { viewer: { user: { isAdmin: true } } } });
  again.child.kill('SIGINT');
  expect(await again.exitCode).toBe(0);
}, 120_000);

test('a port that is taken: one clear line, and exit 1', async () => {
  const holder = await startEmbedded();
  const dir = mkdtempSync(join(tmpdir(), 'tocsin-main-'));
  const { output, exitCode } = start({ DATA_DIR: dir, PORT: new URL(holder.url).port, LOG_LEVEL: 'silent' });
  expect(await exitCode).toBe(1);
  expect(output().stderr).toMatch(/^tocsin: cannot go on: .*EADDRINUSE.*\n$/);
  rmSync(dir, { recursive: true });
}, 120_000);
