import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { schemaDiff } from '../../tools/schema-engine.ts';
import { MIGRATIONS_DIR, pgliteTemplate } from '../support/template.ts';

const SCHEMA = readFileSync(join(MIGRATIONS_DIR, '../schema.prisma'), 'utf8');

let shadow: PGlite;

beforeAll(async () => {
  shadow = await PGlite.create({ loadDataDir: new Blob([readFileSync(await pgliteTemplate())]) });
}, 120_000);

beforeEach(async () => {
  await shadow.exec('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
});

afterAll(async () => {
  await shadow.close();
});

test('the migrations lead to prisma/schema.prisma', async () => {
  expect(await schemaDiff(SCHEMA, MIGRATIONS_DIR, shadow), 'run npm run migrate:new -- <name>').toBe('');
}, 120_000);

test.each([
  ['a column', /^model User \{$/m, 'model User {\n  nickname String?', 'ADD COLUMN     "nickname" TEXT'],
  ['an index', /@@index\(\[eventRef\]\)/, '', 'DROP INDEX'],
  ['the condition of a partial index', /status = 'QUEUED'/, "status = 'SENT'", "WHERE (status = 'SENT')"],
])(
  'a change of %s would be seen',
  async (_what, pattern, replacement, sql) => {
    const changed = SCHEMA.replace(pattern, replacement);
    expect(changed).not.toBe(SCHEMA);
    expect(await schemaDiff(changed, MIGRATIONS_DIR, shadow)).toContain(sql);
  },
  120_000,
);
