import { configDefaults, defineConfig } from 'vitest/config';

// Tests named *.postgres.test.ts need what PGlite has not: two sessions at once. They run where TEST_DATABASE_URL names a PostgreSQL.
const isPostgres = process.env['TEST_DATABASE_URL'] !== undefined;
// Those of test/faults kill servers and cut connections for minutes: npm run test:faults.
const isFaults = process.env['FAULTS'] !== undefined;
const excluded = [...configDefaults.exclude, ...(isPostgres ? [] : ['test/**/*.postgres.test.ts']), ...(isFaults ? [] : ['test/faults/**'])];

export default defineConfig({
  // Vite would take graphql's ES modules where Node, and with it every dependency, takes its CommonJS ones: two graphql-js refuse each other's schemas.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: excluded,
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    execArgv: ['--disable-warning=ExperimentalWarning'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    restoreMocks: true,
    unstubEnvs: true,
  },
});
