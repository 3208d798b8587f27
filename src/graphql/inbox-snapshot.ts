import type { Database, Sql } from '../db/database.ts';
import { readSnapshot } from '../db/snapshot.ts';
import { afterThisTurn } from './batch.ts';

/**
 * Reads of one operation's inbox that must agree: inboxCursor, inboxCounts and the pages of inbox. Those asked for in the same turn (all fields of a
 * viewer are) run in one transaction of REPEATABLE READ, hence on one snapshot: counts and pages hold exactly the changes up to the cursor.
 */
export interface InboxSnapshot {
  read<T>(run: (sql: Sql) => Promise<T>): Promise<T>;
}

interface Read {
  run: (sql: Sql) => Promise<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** The inbox reads of one operation. */
export function createInboxSnapshot(db: Database): InboxSnapshot {
  let pending: Read[] = [];

  async function flush(): Promise<void> {
    const reads = pending;
    pending = [];
    try {
      // A single read needs no transaction to agree with itself.
      const values = await (reads.length === 1 ? runAll(db.sql, reads) : readSnapshot(db, (tx) => runAll(tx, reads)));
      for (const [index, { resolve }] of reads.entries()) resolve(values[index]);
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  }

  return {
    read: <T>(run: (sql: Sql) => Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        if (pending.length === 0) afterThisTurn(() => void flush());
        pending.push({ run, resolve: resolve as (value: unknown) => void, reject });
      }),
  };
}

async function runAll(sql: Sql, reads: readonly Read[]): Promise<unknown[]> {
  const values: unknown[] = [];
  for (const { run } of reads) values.push(await run(sql));
  return values;
}
