import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';

/** One session of a database: a dedicated `pg.Client` or PGlite, never a pool. */
export interface MigrationConnection {
  /** Runs statements without parameters, several at a time. */
  exec(sql: string): Promise<unknown>;
  query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** Why a server does not start on a database. */
export const MIGRATION_REFUSALS = {
  UNKNOWN: 'was applied by a newer server: an older one never starts on a newer database',
  EDITED: 'was applied with another text: a migration is never edited once it is released',
  UNFINISHED: 'was begun by another tool and never finished',
  BROKEN: 'failed, and nothing of it was kept',
} as const;

export type MigrationRefusal = keyof typeof MIGRATION_REFUSALS;

export class MigrationError extends Error {
  readonly reason: MigrationRefusal;
  readonly migration: string;

  constructor(reason: MigrationRefusal, migration: string, cause?: unknown) {
    super(`migration ${migration} ${MIGRATION_REFUSALS[reason]}`, cause === undefined ? undefined : { cause });
    this.name = 'MigrationError';
    this.reason = reason;
    this.migration = migration;
  }
}

/** One folder of prisma/migrations. */
export interface Migration {
  name: string;
  sql: string;
  /** SHA-256 of migration.sql in hex, as Prisma keeps it. */
  checksum: string;
}

/**
 * Applies what is missing of the migrations in `dir`, oldest first, each in a transaction of its own, and answers with their names. Replicas may start
 * together: each waits for the other. Keeps `_prisma_migrations` as Prisma does. Throws MigrationError where the database is not one that this server may use.
 */
export function migrate(connection: MigrationConnection, dir: string): Promise<string[]> {
  const migrations = readMigrations(dir);
  return withMigrationLock(connection, async () => {
    await connection.exec(HISTORY_TABLE);
    const pending = pendingMigrations(migrations, await readHistory(connection));
    for (const migration of pending) await apply(connection, migration);
    return pending.map(({ name }) => name);
  });
}

/** A dedicated `pg.Client` as migrate() takes it; PGlite is one as it is. */
export function pgConnection(client: pg.Client): MigrationConnection {
  return { exec: (sql) => client.query(sql), query: (sql, values) => client.query(sql, values) };
}

/** Runs `run` while this session alone, of all that migrate or set up the database, holds the lock. May be nested. */
export async function withMigrationLock<T>(connection: MigrationConnection, run: () => Promise<T>): Promise<T> {
  await connection.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
  try {
    return await run();
  } finally {
    // Where the connection is gone, the lock went with it; the error of `run` says more than this one.
    await connection.query(`SELECT pg_advisory_unlock(${MIGRATION_LOCK})`).catch(() => undefined);
  }
}

/** The migrations in `dir`, oldest first. Throws where one has no migration.sql. */
export function readMigrations(dir: string): Migration[] {
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
    .map((name) => {
      const sql = readFileSync(join(dir, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    });
}

/** The advisory lock that Prisma's own engine takes. */
const MIGRATION_LOCK = '72707369';

const HISTORY_TABLE = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                  VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum            VARCHAR(64) NOT NULL,
    finished_at         TIMESTAMPTZ,
    migration_name      VARCHAR(255) NOT NULL,
    logs                TEXT,
    rolled_back_at      TIMESTAMPTZ,
    started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
  )`;

/** A migration that the database has begun; those that were rolled back count as never begun. */
interface HistoryRow {
  name: string;
  checksum: string;
  finished: boolean;
}

async function readHistory(connection: MigrationConnection): Promise<HistoryRow[]> {
  const { rows } = await connection.query(
    `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at, migration_name`,
  );
  return rows as HistoryRow[];
}

function pendingMigrations(migrations: Migration[], history: HistoryRow[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of history) {
    const migration = known.get(row.name);
    if (migration === undefined) throw new MigrationError('UNKNOWN', row.name);
    if (!row.finished) throw new MigrationError('UNFINISHED', row.name);
    if (migration.checksum !== row.checksum) throw new MigrationError('EDITED', row.name);
    known.delete(row.name);
  }
  return [...known.values()];
}

async function apply(connection: MigrationConnection, migration: Migration): Promise<void> {
  await connection.exec('BEGIN');
  try {
    await connection.exec(migration.sql);
    await connection.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await connection.exec('COMMIT');
  } catch (cause) {
    await connection.exec('ROLLBACK').catch(() => undefined);
    throw new MigrationError('BROKEN', migration.name, cause);
  }
}
