// npm run migrate:new -- <name>   writes prisma/migrations/<UTC time>_<name>/migration.sql, from the migrations to prisma/schema.prisma
// npm run migrate:check           fails where the migrations do not lead to prisma/schema.prisma
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { schemaDiff } from './schema-engine.ts';

const SCHEMA = join(import.meta.dirname, '../prisma/schema.prisma');
const MIGRATIONS = join(import.meta.dirname, '../prisma/migrations');
const NAME = /^[a-z][a-z0-9_]{0,60}$/;

const [command, name] = process.argv.slice(2);
if (command === 'new' && name !== undefined && NAME.test(name)) writeMigration(name, await missingSql());
else if (command === 'check' && name === undefined) report(await missingSql());
else fail('usage: npm run migrate:new -- <name_in_snake_case> | npm run migrate:check');

async function missingSql(): Promise<string> {
  const shadow = new PGlite();
  try {
    return await schemaDiff(readFileSync(SCHEMA, 'utf8'), MIGRATIONS, shadow);
  } finally {
    await shadow.close();
  }
}

function writeMigration(label: string, sql: string): void {
  if (sql === '') {
    fail('the migrations already lead to prisma/schema.prisma');
    return;
  }
  const folder = `${new Date().toISOString().slice(0, 19).replaceAll(/\D/g, '')}_${label}`;
  mkdirSync(join(MIGRATIONS, folder));
  writeFileSync(join(MIGRATIONS, folder, 'migration.sql'), sql);
  process.stdout.write(`prisma/migrations/${folder}/migration.sql: read it before you commit it\n`);
}

function report(sql: string): void {
  if (sql !== '') fail(`prisma/schema.prisma is ahead of the migrations; npm run migrate:new -- <name> would write:\n\n${sql}`);
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
