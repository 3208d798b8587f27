import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate, pgConnection, withMigrationLock } from '../../src/db/migrate.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let sessions: [pg.Client, pg.Client];
let dir: string;

beforeAll(async () => {
  database = await openTestDatabase();
  if (database.url === null) throw new Error('these tests need TEST_DATABASE_URL');
  const { url } = database;
  sessions = [new pg.Client({ connectionString: url }), new pg.Client({ connectionString: url })];
  await Promise.all(sessions.map((session) => session.connect()));
  dir = mkdtempSync(join(tmpdir(), 'tocsin-migrations-'));
});

afterAll(async () => {
  await Promise.all(sessions.map((session) => session.end()));
  rmSync(dir, { recursive: true });
  await database.drop();
});

test('replicas that start together apply each migration once', async () => {
  await sessions[0].query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  for (const name of ['20260101000000_one', '20260102000000_two']) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'migration.sql'), `CREATE TABLE t${name} (id int); SELECT pg_sleep(0.1);`);
  }
  const applied = await Promise.all(sessions.map((session) => migrate(pgConnection(session), dir)));
  expect(applied.toSorted((a, b) => a.length - b.length)).toEqual([[], ['20260101000000_one', '20260102000000_two']]);
});

test('what one runs under the lock the other runs after it', async () => {
  const steps: string[] = [];
  const [first, second] = sessions;
  let others: Promise<void> | undefined;
  await withMigrationLock(pgConnection(first), async () => {
    others = withMigrationLock(pgConnection(second), () => Promise.resolve(void steps.push('second')));
    // The second session is seen waiting before the first goes on.
    while ((await first.query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)).rowCount === 0);
    steps.push('first');
  });
  await others;
  expect(steps).toEqual(['first', 'second']);
});
