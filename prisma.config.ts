import { defineConfig } from 'prisma/config';

// generate, validate and format need no schema engine; this stops the CLI from downloading one. Never run `prisma migrate`
// or `prisma db push` with it: they would do nothing and exit 0. Migrations are made by tools/migrate.ts.
process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;
// Nor does it ask for newer versions of itself.
process.env['CHECKPOINT_DISABLE'] ??= '1';

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
