import type { PGlite } from '@electric-sql/pglite';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { type MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { readMigrations } from '../src/db/migrate.ts';

/**
 * SQL that leads from what the migrations in `migrationsDir` make to the Prisma schema `schema`; '' where there is nothing to do. Prisma's own schema engine
 * works it out, as WebAssembly: the binary that the Prisma CLI would download is not needed. The migrations run in `shadow`, an empty database.
 */
export async function schemaDiff(schema: string, migrationsDir: string, shadow: PGlite): Promise<string> {
  const file = { path: 'schema.prisma', content: schema };
  const engine = await SchemaEngine.new({ datamodels: [[file.path, file.content]] }, () => undefined, shadowOnly(shadow));
  const diff = await engine.diff({
    from: { tag: 'migrations', ...migrationList(migrationsDir) },
    to: { tag: 'schemaDatamodel', files: [file] },
    script: true,
    exitCode: true,
    filters: { externalTables: [], externalEnums: [] },
  });
  return diff.exitCode === CHANGED ? (diff.stdout ?? '') : '';
}

/** The engine's exit code for "there is a difference". */
const CHANGED = 2;

/** The engine asks for a database and for a shadow database to run the migrations in. A diff uses the second alone, so one does for both. */
function shadowOnly(shadow: PGlite): object {
  const factory = new PrismaPGlite(shadow);
  factory.connectToShadowDb = () => factory.connect();
  return bindMigrationAwareSqlAdapterFactory(factory);
}

function migrationList(dir: string): MigrationList {
  return {
    baseDir: dir,
    shadowDbInitScript: '',
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    migrationDirectories: readMigrations(dir).map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  };
}
