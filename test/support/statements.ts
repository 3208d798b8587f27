import pg from 'pg';
import { vi } from 'vitest';
import type { TestDatabase } from './database.ts';

/** Runs `run` and gives the queries that were made on this database meanwhile, without the queue's and the look-up of the token. */
export async function queriesOf(database: TestDatabase, run: () => Promise<unknown>): Promise<string[]> {
  const statements: string[] = [];
  const note = (statement: unknown): void => {
    const text = typeof statement === 'string' ? statement : (statement as { text?: string }).text;
    if (text !== undefined && /^\s*SELECT/.test(text) && !/pgboss|api_tokens AS t|pg_notify/.test(text)) statements.push(text);
  };
  const spy = database.pglite === null ? spyPostgres(note) : spyPglite(database.pglite, note);
  try {
    await run();
  } finally {
    spy.mockRestore();
  }
  return statements;
}

function spyPostgres(note: (statement: unknown) => void) {
  const query = pg.Client.prototype.query as (...args: unknown[]) => never;
  return vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...args: unknown[]) {
    note(args[0]);
    return query.apply(this, args);
  });
}

function spyPglite(pglite: NonNullable<TestDatabase['pglite']>, note: (statement: unknown) => void) {
  const { query } = pglite;
  return vi.spyOn(pglite, 'query').mockImplementation(((...args: Parameters<typeof query>) => {
    note(args[0]);
    return query.apply(pglite, args);
  }) as typeof query);
}
