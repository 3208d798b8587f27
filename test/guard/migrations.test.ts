import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readMigrations } from '../../src/db/migrate.ts';
import { MIGRATIONS_DIR } from '../support/template.ts';

const migrations = readMigrations(MIGRATIONS_DIR);

test('there are migrations, and nothing else beside Prisma’s lock file', () => {
  expect(migrations).not.toEqual([]);
  expect(readdirSync(MIGRATIONS_DIR).toSorted()).toEqual([...migrations.map(({ name }) => name), 'migration_lock.toml'].toSorted());
});

test.each(migrations)('$name is named by its UTC time and what it does', ({ name }) => {
  expect(name).toMatch(/^20\d{12}_[a-z][a-z0-9_]*$/);
});

/** What a replica of the version before would trip over while both run, and what cannot run in a transaction. */
const FORBIDDEN: [string, RegExp][] = [
  ['drops a table or a column', /\bDROP\s+(TABLE|COLUMN|TYPE|SCHEMA)\b/i],
  ['renames', /\bRENAME\b/i],
  ['changes a type', /\bALTER\s+COLUMN\s+\S+\s+(SET\s+DATA\s+)?TYPE\b/i],
  ['makes a column required', /\bSET\s+NOT\s+NULL\b/i],
  ['ends its transaction', /^\s*(BEGIN|COMMIT|ROLLBACK)\b(?!\s*\w)/im],
  ['cannot run in a transaction', /\bCONCURRENTLY\b|\bVACUUM\b/i],
];

test.each(FORBIDDEN)('no migration %s: they are additive and run in a transaction', (_what, pattern) => {
  expect(migrations.filter(({ sql }) => pattern.test(withoutBodies(sql))).map(({ name }) => name)).toEqual([]);
});

test('the partial indexes keep their conditions', () => {
  const sql = migrations.map((migration) => migration.sql).join('\n');
  expect(sql).toMatch(/CREATE INDEX "inbox_items_unread" ON [^;]* WHERE \(read_at IS NULL AND archived_at IS NULL\);/);
  expect(sql).toMatch(/CREATE INDEX "deliveries_queued" ON [^;]* WHERE \(status = 'QUEUED'\);/);
});

/** SQL without comments and the $$ bodies of functions, in which BEGIN is a block. */
function withoutBodies(sql: string): string {
  return sql.replaceAll(/\$(\w*)\$.*?\$\1\$/gs, '').replaceAll(/--.*$/gm, '');
}
