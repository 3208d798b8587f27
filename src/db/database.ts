import type { Prisma, PrismaClient } from '../generated/prisma/client.ts';

/**
 * Runs one SQL statement with `$1` parameters. Rows come with int8 as number, timestamptz as Date, json and jsonb parsed, text[] and uuid[] as arrays.
 * Pass JSON as text, and rows in bulk as one JSON text through `json_to_recordset`, or arrays through `unnest`.
 */
export interface Sql {
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** One database behind one face: PostgreSQL through a pool, or PGlite in this process. */
export interface Database {
  readonly kind: 'pglite' | 'postgres';
  /** The model API: for everything but hot paths. */
  readonly prisma: PrismaClient;
  /** Plain SQL outside of a transaction: for hot paths. */
  readonly sql: Sql;
  /**
   * Runs `run` in one transaction of plain SQL; a deadlock or a serialization failure (40P01, 40001) repeats it, at most 3 times. Statements run in the order in
   * which they are given and need not be awaited one by one: what depends on no answer goes out with what is before it, in one round trip. Await all of them.
   */
  transaction<T>(run: (tx: Sql) => Promise<T>): Promise<T>;
  /** The same with Prisma's model API. `sqlOf(tx)` gives plain SQL inside it. */
  prismaTransaction<T>(run: (tx: Prisma.TransactionClient) => Promise<T>): Promise<T>;
  /**
   * Hears NOTIFY on `channel`. `onReconnect` is called each time the listening connection comes back, when anything may have been missed.
   * The returned function stops it.
   */
  listen(channel: string, onPayload: (payload: string) => void, onReconnect: () => void): Promise<() => Promise<void>>;
  close(): Promise<void>;
}
