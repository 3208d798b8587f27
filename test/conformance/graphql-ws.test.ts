import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';

// A black-box probe of graphql-transport-ws, written from its PROTOCOL.md and not from any server's code.
const PROBE = join(import.meta.dirname, 'graphql-transport-ws-probe.mjs');
const INIT_WAIT_MS = '5000';

let app: TestApp;

beforeAll(async () => {
  app = await openTestApp();
});

afterAll(async () => {
  await app.close();
});

test('all 24 checks of the protocol hold', async () => {
  const init = JSON.stringify({ Authorization: `Bearer ${app.adminToken}` });
  const args = [PROBE, app.wsUrl, init, 'subscription { inbox { cursor } }', '{ __typename }', INIT_WAIT_MS];
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((error: unknown) => error as { stdout: string });
  expect(stdout.split('\n').filter((line) => line.startsWith('FAIL'))).toEqual([]);
  expect(stdout).toContain('24 passed, 0 failed');
}, 60_000);
