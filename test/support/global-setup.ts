import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import { createPostgresTemplate, dropPostgresDatabases, pgliteTemplate } from './template.ts';

/** Where the tests of this run get their databases from: TEST_DATABASE_URL's server, or else PGlite. */
export type DatabaseTemplate = { kind: 'pglite'; file: string } | { kind: 'postgres'; url: string; prefix: string };

declare module 'vitest' {
  interface ProvidedContext {
    databaseTemplate: DatabaseTemplate;
  }
}

/** Runs once before all test files; the function it returns runs after them. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env['TEST_DATABASE_URL'];
  if (url === undefined) {
    project.provide('databaseTemplate', { kind: 'pglite', file: await pgliteTemplate() });
    return () => Promise.resolve();
  }
  const prefix = `tocsin_test_${randomBytes(4).toString('hex')}_`;
  await createPostgresTemplate(url, `${prefix}template`);
  project.provide('databaseTemplate', { kind: 'postgres', url, prefix });
  return () => dropPostgresDatabases(url, prefix);
}
