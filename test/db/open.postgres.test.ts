import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { openPostgres } from '../../src/db/open.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await openTestDatabase();
  db = openPostgres(database.url ?? '', 2, () => {});
});

afterAll(async () => {
  await db.close();
  await database.drop();
});

test('a transaction in which a statement failed is no success, even where its error was swallowed', async () => {
  const swallowed = db.transaction(async (tx) => {
    await tx.query('CREATE TABLE made (n int)');
    await tx.query('SELECT 1 / 0').catch(() => {});
    return 'done';
  });
  await expect(swallowed).rejects.toThrow('rolled back');
  expect(await db.sql.query(`SELECT to_regclass('made') AS made`)).toEqual([{ made: null }]);
});

test('statements of one turn leave together, and each gets its own answer', async () => {
  const answers = await db.transaction((tx) => Promise.all([1, 2, 3].map((n) => tx.query<{ n: number }>('SELECT $1::int AS n', [n]))));
  expect(answers).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]]);
});

test('sessions take indexes, and compile nothing', async () => {
  const settings = await db.sql.query(`SELECT current_setting('enable_seqscan') AS scan, current_setting('jit') AS jit`);
  expect(settings).toEqual([{ scan: 'off', jit: 'off' }]);
});
