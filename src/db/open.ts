import { type PGlite, types as pgliteTypes } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { type Prisma, PrismaClient } from '../generated/prisma/client.ts';
import type { Database, Sql } from './database.ts';
import { createListener } from './listener.ts';

/** Retries of a transaction that lost to a deadlock or a serialization failure. */
const TRANSACTION_TRIES = 4;
const RETRIED = new Set(['40P01', '40001']);
const PRISMA_TRANSACTION = { maxWait: 20_000, timeout: 60_000 };

/** PostgreSQL by its URL: one pool of `connectionsMax`, shared by Prisma, plain SQL and pg-boss, and one connection that listens. */
export function openPostgres(url: string, connectionsMax: number, onError: (error: unknown) => void): Database & { pool: pg.Pool } {
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    keepAlive: true,
    application_name: 'tocsin',
    connectionTimeoutMillis: 10_000,
    pipeline: true,
  });
  pool.on('error', onError);
  const watched = watch(pool);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool, { disposeExternalPool: false }) });
  return {
    kind: 'postgres',
    pool,
    prisma,
    sql: pgSql(pool),
    transaction: (run) => retried(() => pgTransaction(pool, run)),
    prismaTransaction: (run) => retried(() => prisma.$transaction(run, PRISMA_TRANSACTION)),
    listen: (channel, onPayload, onReconnect) =>
      createListener({
        url,
        channel,
        onPayload,
        onReconnect,
        onSilence: () => {
          watched.cut();
        },
        onError,
      }),
    close: async () => {
      await prisma.$disconnect();
      await pool.end();
      await watched.closed();
    },
  };
}

/**
 * A plan is kept for as long as its statement is prepared, and is often made while the tables are empty, when to read all of one is cheapest. So indexes where
 * there is one, in their order; and statements name the rows of tables that grow by `= ANY` or in a lateral subquery (`OFFSET 0`), which leaves no choice. No
 * such plan is worth compiling (https://www.postgresql.org/docs/current/runtime-config-query.html, jit-decision.html).
 */
const SESSION = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off';

/** How long a server may take to say goodbye. */
const GOODBYE_MS = 1_000;

interface Watched {
  /** Cuts all connections, so that whoever waits for an answer on one of them is told; the next query opens a new one. */
  cut(): void;
  /** Resolves when all connections of a pool that has ended are closed, which it does not wait for itself. */
  closed(): Promise<void>;
}

/** Looks after a pool's connections. */
function watch(pool: pg.Pool): Watched {
  const clients = new Map<pg.PoolClient, Promise<void>>();
  pool.on('connect', (client) => {
    // The pool listens while a client is idle, its user while it works. One that is lost in between would take the process with it.
    client.on('error', () => {});
    client.query(SESSION).catch(() => {});
    const ended = new Promise<void>((resolve) => client.once('end', resolve));
    clients.set(
      client,
      ended.then(() => void clients.delete(client)),
    );
  });
  function cut(): void {
    for (const { connection } of clients.keys()) connection.stream.destroy();
  }
  return {
    cut,
    closed: async () => {
      const timer = setTimeout(cut, GOODBYE_MS);
      await Promise.all(clients.values());
      clearTimeout(timer);
    },
  };
}

/** PGlite, in this process: one session, so transactions run one after the other. Closing closes it. */
export function openPglite(pglite: PGlite): Database & { pglite: PGlite } {
  const prisma = new PrismaClient({ adapter: new PrismaPGlite(pglite) });
  return {
    kind: 'pglite',
    pglite,
    prisma,
    sql: pgliteSql(pglite),
    transaction: (run) => retried(() => pglite.transaction((tx) => run(pgliteSql(tx)))),
    prismaTransaction: (run) => retried(() => prisma.$transaction(run, PRISMA_TRANSACTION)),
    listen: async (channel, onPayload) => {
      const stop = await pglite.listen(channel, onPayload);
      return async () => {
        await stop();
      };
    },
    close: async () => {
      await prisma.$disconnect();
      await pglite.close();
    },
  };
}

/** Plain SQL inside a transaction of Prisma's. Parameters are cast by the statement: `$1::uuid[]`. */
export function sqlOf(tx: Prisma.TransactionClient): Sql {
  return {
    query: async <Row>(text: string, values: readonly unknown[] = []) => {
      const rows = await tx.$queryRawUnsafe<Record<string, unknown>[]>(text, ...values);
      for (const row of rows) for (const name in row) if (typeof row[name] === 'bigint') row[name] = Number(row[name]);
      return rows as Row[];
    },
  };
}

async function retried<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await run();
    } catch (error) {
      if (tries === TRANSACTION_TRIES || !RETRIED.has(sqlState(error))) throw error;
    }
  }
}

/** The SQLSTATE of a driver's error, of Prisma's P2034 (conflict or deadlock), or of what Prisma wrapped. */
function sqlState(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { code, meta } = error as { code?: unknown; meta?: { driverAdapterError?: { cause?: { originalCode?: unknown } } } };
  if (code === 'P2034') return '40001';
  const original = meta?.driverAdapterError?.cause?.originalCode;
  return typeof original === 'string' ? original : typeof code === 'string' ? code : '';
}

async function pgTransaction<T>(pool: pg.Pool, run: (tx: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // The pool looks after those that nobody uses: one that is lost between two statements, without this, would take the process with it.
  const onLost = (error: Error): void => {
    broken = error;
  };
  client.on('error', onLost);
  try {
    // Sent, not awaited: the first statement goes with it. Where it fails, the connection is lost and so is all that follows.
    const tx = together(client);
    const begun = tx.query('BEGIN');
    const [result] = await Promise.all([run(tx), begun]);
    // After a statement that failed and whose error was swallowed, the server answers ROLLBACK.
    const { command } = await client.query('COMMIT');
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back: a statement in it had failed');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: unknown) => {
      broken = failure instanceof Error ? failure : new Error('rollback failed');
    });
    throw error;
  } finally {
    client.off('error', onLost);
    client.release(broken);
  }
}

/** Statements that are asked for in one turn of the event loop leave in one piece: to write to a socket costs more than most of them. */
function together(client: pg.PoolClient): Sql {
  const { stream } = client.connection;
  const sql = pgSql(client);
  return {
    query: (text, values) => {
      stream.cork();
      process.nextTick(() => {
        stream.uncork();
      });
      return sql.query(text, values);
    },
  };
}

/** Statements are prepared once a connection, by the hash-free name of their place in this list: their texts are few and fixed. */
const statementNames = new Map<string, string>();
/** Texts that are built anew each time must not fill the server's memory with prepared statements. */
const STATEMENTS_MAX = 300;

function statementName(text: string): string | undefined {
  const known = statementNames.get(text);
  if (known !== undefined || statementNames.size >= STATEMENTS_MAX) return known;
  const name = `tocsin_${String(statementNames.size)}`;
  statementNames.set(text, name);
  return name;
}

/** int8 as number: ours stay below 2^53. */
const rowTypes = new pg.TypeOverrides();
rowTypes.setTypeParser(pg.types.builtins.INT8, Number);

function pgSql(client: pg.Pool | pg.PoolClient): Sql {
  return {
    query: async <Row>(text: string, values: readonly unknown[] = []) => {
      const name = statementName(text);
      const query: pg.QueryConfig = { text, values: values as unknown[], types: rowTypes };
      if (name !== undefined) query.name = name;
      const result = await client.query(query);
      return result.rows as Row[];
    },
  };
}

const pgliteParsers = { [pgliteTypes.INT8]: Number };

function pgliteSql(client: Pick<PGlite, 'query'>): Sql {
  return {
    query: async <Row>(text: string, values: readonly unknown[] = []) => {
      const result = await client.query<Row>(text, values as unknown[], { parsers: pgliteParsers });
      return result.rows;
    },
  };
}
