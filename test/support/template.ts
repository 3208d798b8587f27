import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { migrate, pgConnection, readMigrations } from '../../src/db/migrate.ts';

const ROOT = join(import.meta.dirname, '../..');
export const MIGRATIONS_DIR = join(ROOT, 'prisma/migrations');
const CACHE_DIR = join(ROOT, 'node_modules/.cache/tocsin');

/** Small buffers and WAL segments: to open a copy takes 0.4 s with these and 1.2 s with PostgreSQL's defaults. */
const SMALL = { postgresqlconf: ['shared_buffers=16MB'], initDbStartParams: ['--wal-segsize=1'] };

/** The file of a migrated PGlite as a tar. It is made when the migrations or PGlite have changed since the last time. */
export async function pgliteTemplate(): Promise<string> {
  const file = join(CACHE_DIR, `pglite-${templateHash()}.tar`);
  if (existsSync(file)) return file;
  mkdirSync(CACHE_DIR, { recursive: true });
  dropOldTemplates();
  const part = `${file}.${String(process.pid)}.part`;
  writeFileSync(part, await dumpMigrated());
  renameSync(part, file);
  return file;
}

/** Makes the migrated database `name` on the server of `url`. */
export async function createPostgresTemplate(url: string, name: string): Promise<void> {
  await administer(url, `CREATE DATABASE "${name}"`);
  const client = new pg.Client({ connectionString: databaseUrl(url, name) });
  await client.connect();
  try {
    await migrate(pgConnection(client), MIGRATIONS_DIR);
  } finally {
    await client.end();
  }
}

/** Drops every database on the server of `url` whose name starts with `prefix`, whoever is connected to it. */
export async function dropPostgresDatabases(url: string, prefix: string): Promise<void> {
  const { rows } = await administer(url, 'SELECT datname FROM pg_database');
  for (const { datname } of rows as { datname: string }[]) {
    if (datname.startsWith(prefix)) await administer(url, `DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`);
  }
}

/** One statement on the server of `url`, outside of a transaction. */
export async function administer(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

/** `url` with the database `name` in the place of its own. */
export function databaseUrl(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${name}`;
  return other.href;
}

/** What was made over an hour ago is in no run's use. */
function dropOldTemplates(): void {
  for (const path of readdirSync(CACHE_DIR).map((name) => join(CACHE_DIR, name))) {
    if (Date.now() - statSync(path).mtimeMs > 3_600_000) rmSync(path, { force: true });
  }
}

async function dumpMigrated(): Promise<Uint8Array> {
  const pglite = new PGlite(SMALL);
  try {
    await migrate(pglite, MIGRATIONS_DIR);
    await pglite.exec('CHECKPOINT');
    return new Uint8Array(await (await pglite.dumpDataDir('none')).arrayBuffer());
  } finally {
    await pglite.close();
  }
}

function templateHash(): string {
  const hash = createHash('sha256').update(JSON.stringify(SMALL));
  hash.update(readFileSync(join(ROOT, 'node_modules/@electric-sql/pglite/package.json')));
  for (const { name, checksum } of readMigrations(MIGRATIONS_DIR)) hash.update(name).update(checksum);
  return hash.digest('hex').slice(0, 16);
}
