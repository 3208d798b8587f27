import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dataFile, loadSecretKeys, lockDataDir, writeAdminToken } from '../src/data-dir.ts';
import { Secret } from '../src/lib/secret.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tocsin-data-'));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function modeOf(file: string): number {
  return statSync(file).mode & 0o777;
}

test('the key for secrets is made once, for its owner only', () => {
  const dir = join(root, 'data');
  const [first] = loadSecretKeys(dir);
  expect(first?.key).toHaveLength(32);
  expect(loadSecretKeys(dir)).toEqual([first]);
  expect(modeOf(join(dir, 'secret.key'))).toBe(0o600);
  expect(modeOf(dir)).toBe(0o700);
});

test('a key file that holds no key is an error, and is not written over', () => {
  writeFileSync(join(root, 'secret.key'), 'k1:broken');
  expect(() => loadSecretKeys(root)).toThrow(/secret\.key: key 1 /);
  expect(readFileSync(join(root, 'secret.key'), 'utf8')).toBe('k1:broken');
});

test("the first admin's token is for its owner only, even where the file was there before", () => {
  writeFileSync(join(root, 'admin-token'), 'old', { mode: 0o644 });
  writeAdminToken(root, new Secret('tsn_new'));
  expect(readFileSync(dataFile(root, 'admin-token'), 'utf8')).toBe('tsn_new\n');
  expect(modeOf(join(root, 'admin-token'))).toBe(0o600);
});

test('one process has the directory at a time', async () => {
  const release = await lockDataDir(root);
  await expect(lockDataDir(root)).rejects.toThrow(/in use by another process/);
  await release();
  await (await lockDataDir(root))();
});

test('what a killed process left behind does not lock', async () => {
  writeFileSync(join(root, 'server.lock'), '');
  await (await lockDataDir(root))();
});

test('a path too long for a socket is locked elsewhere', async () => {
  const deep = join(root, 'd'.repeat(120));
  const release = await lockDataDir(deep);
  await expect(lockDataDir(deep)).rejects.toThrow(/in use/);
  await release();
});
