import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type MigrationConnection, MigrationError, migrate, pgConnection, readMigrations, withMigrationLock } from '../../src/db/migrate.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';
import { MIGRATIONS_DIR } from '../support/template.ts';

const CREATE_A = 'CREATE TABLE a (id int); CREATE INDEX a_id ON a (id);';
const CREATE_B = 'CREATE TABLE b (id int);';

let database: TestDatabase;
let client: pg.Client | null = null;
let connection: MigrationConnection;
let dir: string;

beforeAll(async () => {
  database = await openTestDatabase();
  if (database.url === null) {
    connection = database.pglite;
  } else {
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    connection = pgConnection(client);
  }
});

afterAll(async () => {
  await client?.end();
  await database.drop();
});

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tocsin-migrations-'));
  await connection.exec('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

describe('applying', () => {
  test('runs what is missing, oldest first, and says what it ran', async () => {
    add('20260102000000_second', 'ALTER TABLE a ADD COLUMN name text;');
    add('20260101000000_first', CREATE_A);
    expect(await migrate(connection, dir)).toEqual(['20260101000000_first', '20260102000000_second']);
    expect(await migrate(connection, dir)).toEqual([]);
    add('20260103000000_third', CREATE_B);
    expect(await migrate(connection, dir)).toEqual(['20260103000000_third']);
    expect(await tables()).toEqual(['a', 'b']);
  });

  test('keeps the history as Prisma does', async () => {
    add('20260101000000_first', CREATE_A);
    await migrate(connection, dir);
    expect(await history()).toEqual([
      {
        migration_name: '20260101000000_first',
        checksum: createHash('sha256').update(CREATE_A).digest('hex'),
        applied_steps_count: 1,
        finished: true,
        rolled_back_at: null,
        logs: null,
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    ]);
  });

  test('keeps nothing of a migration that fails, and all of those before it', async () => {
    add('20260101000000_first', CREATE_A);
    add('20260102000000_broken', `${CREATE_B} INSERT INTO nowhere VALUES (1);`);
    await expect(migrate(connection, dir)).rejects.toMatchObject({ name: 'MigrationError', reason: 'BROKEN', migration: '20260102000000_broken' });
    expect(await tables()).toEqual(['a']);
    expect(await history()).toHaveLength(1);
    add('20260102000000_broken', CREATE_B);
    expect(await migrate(connection, dir)).toEqual(['20260102000000_broken']);
  });

  test('a migration and its row in the history stand or fall together', async () => {
    add('20260101000000_first', CREATE_A);
    add('20260102000000_unrecordable', `${CREATE_B} DROP TABLE _prisma_migrations;`);
    await expect(migrate(connection, dir)).rejects.toMatchObject({ reason: 'BROKEN', migration: '20260102000000_unrecordable' });
    expect(await tables()).toEqual(['a']);
    expect(await history()).toHaveLength(1);
  });

  test('says why a migration failed', async () => {
    add('20260101000000_broken', 'INSERT INTO nowhere VALUES (1);');
    const error: unknown = await migrate(connection, dir).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MigrationError);
    expect((error as MigrationError).cause).toMatchObject({ message: 'relation "nowhere" does not exist' });
  });

  test('the migrations of the project run on an empty database', async () => {
    expect(await migrate(connection, MIGRATIONS_DIR)).toEqual(readMigrations(MIGRATIONS_DIR).map(({ name }) => name));
  });
});

describe('refusing', () => {
  beforeEach(async () => {
    add('20260101000000_first', CREATE_A);
    await migrate(connection, dir);
  });

  test.each([
    ['UNKNOWN', 'a migration of a newer server', () => insertHistory('20270101000000_newer', { finished: true })],
    ['UNFINISHED', 'a migration that another tool began', () => insertHistory('20260102000000_second', { finished: false })],
    ['EDITED', 'a migration of another text', () => connection.exec(`UPDATE _prisma_migrations SET checksum = repeat('0', 64)`)],
  ])('%s: %s', async (reason, _why, arrange) => {
    await arrange();
    add('20260102000000_second', CREATE_B);
    await expect(migrate(connection, dir)).rejects.toMatchObject({ name: 'MigrationError', reason });
    expect(await tables()).toEqual(['a']);
  });

  test('one that was rolled back counts as never begun', async () => {
    await insertHistory('20260102000000_second', { finished: false });
    await connection.exec('UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL');
    add('20260102000000_second', CREATE_B);
    expect(await migrate(connection, dir)).toEqual(['20260102000000_second']);
  });

  test('a folder without migration.sql', () => {
    mkdirSync(join(dir, '20260103000000_empty'));
    expect(() => readMigrations(dir)).toThrow('migration.sql');
  });
});

describe('the lock', () => {
  test('may be nested, is given back, and gives the result through', async () => {
    expect(await withMigrationLock(connection, () => withMigrationLock(connection, () => Promise.resolve(7)))).toBe(7);
    expect(await lockCount()).toBe(0);
  });

  test('is given back when what runs under it fails', async () => {
    await expect(withMigrationLock(connection, () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await lockCount()).toBe(0);
  });
});

function add(name: string, sql: string): void {
  mkdirSync(join(dir, name), { recursive: true });
  writeFileSync(join(dir, name, 'migration.sql'), sql);
}

async function insertHistory(name: string, { finished }: { finished: boolean }): Promise<void> {
  await connection.query('INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ($1, $2, $3, $4)', [
    name.slice(0, 36),
    createHash('sha256').update(CREATE_B).digest('hex'),
    name,
    finished ? new Date() : null,
  ]);
}

async function tables(): Promise<unknown[]> {
  const { rows } = await connection.query(`SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname`);
  return rows.map((row) => (row as { relname: string }).relname).filter((name) => name !== '_prisma_migrations');
}

async function history(): Promise<unknown[]> {
  const { rows } = await connection.query(
    `SELECT id, checksum, migration_name, finished_at >= started_at AS finished, rolled_back_at, logs, applied_steps_count FROM _prisma_migrations`,
  );
  return rows;
}

async function lockCount(): Promise<unknown> {
  const { rows } = await connection.query(
    `SELECT count(*)::int AS locks FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return (rows[0] as { locks: number }).locks;
}
