import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseSecretKeys, type SealKey } from './lib/seal.ts';
import type { Secret } from './lib/secret.ts';

/** The path of a file in DATA_DIR, which is made if it is missing, for its owner only. */
export function dataFile(dataDir: string, name: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  return join(resolve(dataDir), name);
}

/** The embedded default's key for secrets: made once, in `secret.key`, readable by its owner only. Throws where the file is there but holds none. */
export function loadSecretKeys(dataDir: string): SealKey[] {
  const file = dataFile(dataDir, 'secret.key');
  try {
    writeFileSync(file, `k1:${randomBytes(32).toString('base64')}\n`, { mode: OWNER_ONLY, flag: 'wx' });
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  }
  const parsed = parseSecretKeys(readFileSync(file, 'utf8').trim());
  if (!parsed.ok) throw new Error(`${file}: ${parsed.problem}`);
  return parsed.keys;
}

export const ADMIN_TOKEN_FILE = 'admin-token';

/** Writes the first admin's token to `admin-token`, readable by its owner only. */
export function writeAdminToken(dataDir: string, token: Secret): void {
  const file = dataFile(dataDir, ADMIN_TOKEN_FILE);
  writeFileSync(file, `${token.reveal()}\n`, { mode: OWNER_ONLY });
  chmodSync(file, OWNER_ONLY);
}

/**
 * Keeps a second process off the embedded database, which serves one only and would be ruined by two. A socket in DATA_DIR, and no file with a process id,
 * since what answers is alive: after kill -9 the file is left behind, but nobody answers. The returned function gives the directory free.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  const path = lockPath(dataFile(dataDir, 'server.lock'));
  if (await answers(path)) throw new Error(`DATA_DIR is in use by another process: ${resolve(dataDir)}`);
  rmSync(path, { force: true });
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(path, done);
  });
  server.unref();
  return () =>
    new Promise((done) => {
      server.close(() => {
        done();
      });
    });
}

const OWNER_ONLY = 0o600;
/** sun_path of Linux and macOS holds 108 and 104 bytes. */
const SOCKET_PATH_BYTES_MAX = 100;

function lockPath(path: string): string {
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
  return join(tmpdir(), `tocsin-${createHash('sha256').update(path).digest('hex').slice(0, 24)}.lock`);
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => {
      done(false);
    });
  });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
