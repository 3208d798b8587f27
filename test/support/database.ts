import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PGlite } from '@electric-sql/pglite';
import { inject } from 'vitest';
import { administer, databaseUrl } from './template.ts';

/** An empty, migrated database of a test's own: `url` on PostgreSQL (TEST_DATABASE_URL), else `pglite`, in memory. */
export type TestDatabase = { url: string; pglite: null; drop(): Promise<void> } | { url: null; pglite: PGlite; drop(): Promise<void> };

/** Makes a database for a test file (200 to 500 ms). `drop` may be called when it is closed already, and while clients are connected. */
export async function openTestDatabase(): Promise<TestDatabase> {
  const template = inject('databaseTemplate');
  if (template.kind === 'postgres') return createDatabase(template.url, template.prefix);
  const pglite = await PGlite.create({ loadDataDir: new Blob([readFileSync(template.file)]) });
  return {
    url: null,
    pglite,
    drop: async () => {
      if (!pglite.closed) await pglite.close();
    },
  };
}

async function createDatabase(serverUrl: string, prefix: string): Promise<TestDatabase> {
  const name = `${prefix}${randomBytes(4).toString('hex')}`;
  await administer(serverUrl, `CREATE DATABASE "${name}" TEMPLATE "${prefix}template"`);
  return {
    url: databaseUrl(serverUrl, name),
    pglite: null,
    drop: async () => {
      await administer(serverUrl, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    },
  };
}
