import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

// Tests named *.postgres.test.ts need what PGlite has not: two sessions at once. They run where TEST_DATABASE_URL names a PostgreSQL.
const isPostgres = process.env['TEST_DATABASE_URL'] !== undefined;
const exclude = [...configDefaults.exclude, ...(isPostgres ? [] : ['test/**/*.postgres.test.ts'])];

const PURE = 'test/{domain,lib,channels,net,guard,support}/**/*.test.ts';
const FAULTS = 'test/faults/**/*.test.ts';
/** For these any database will do: CI runs them once. */
const ONCE = 'test/faults/{hanging.test.ts,inbox/*.test.ts}';

/** Many of them wait more than they work. */
const together = { maxWorkers: availableParallelism() + 2, sequence: { groupOrder: 0 } };
/** They kill servers, cut connections and measure: one at a time, with nothing beside them. */
const alone = { maxWorkers: 1, sequence: { groupOrder: 1 } };

export default defineConfig({
  // Vite would take graphql's ES modules where Node, and with it every dependency, takes its CommonJS ones: two graphql-js refuse each other's schemas.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    execArgv: ['--disable-warning=ExperimentalWarning'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    restoreMocks: true,
    unstubEnvs: true,
    projects: [
      { extends: true, test: { name: 'pure', include: [PURE], exclude, ...together } },
      { extends: true, test: { name: 'database', include: ['test/**/*.test.ts'], exclude: [...exclude, PURE, FAULTS], ...together } },
      { extends: true, test: { name: 'faults', include: [FAULTS], exclude: [...exclude, ONCE], ...alone } },
      { extends: true, test: { name: 'once', include: [ONCE], exclude, ...alone } },
    ],
  },
});
