import type { Database, Sql } from './database.ts';

/** Runs statements that only read, all on the same snapshot of the database: what is committed meanwhile is in none of their answers. */
export function readSnapshot<T>(db: Database, run: (tx: Sql) => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    return await run(tx);
  });
}
