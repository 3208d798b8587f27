import { mkdir } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import type { Database } from './database.ts';
import type { MigrationConnection } from './migrate.ts';
import { openPglite, openPostgres } from './open.ts';

/** Where the data is: a server's URL, or a directory of this process' own. */
export type StorePlace = { url: string; connectionsMax: number } | { dir: string };

/** An open database, with what the parts need that do not go through its one face. */
export interface Store {
  db: Database;
  /** What pg-boss keeps its jobs in. */
  jobs: { pool: pg.Pool } | { pglite: PGlite };
  /** Runs `run` on one session of its own. */
  withConnection<T>(run: (connection: MigrationConnection) => Promise<T>): Promise<T>;
}

/** Opens the database. Rejects where it cannot be reached. */
export async function openStore(place: StorePlace, onError: (error: unknown) => void): Promise<Store> {
  if ('dir' in place) {
    await mkdir(place.dir, { recursive: true, mode: 0o700 });
    return pgliteStore(await PGlite.create(place.dir));
  }
  const db = openPostgres(place.url, place.connectionsMax, onError);
  return {
    db,
    jobs: { pool: db.pool },
    withConnection: async (run) => {
      const client = new pg.Client({ connectionString: place.url, connectionTimeoutMillis: 10_000, application_name: 'tocsin migrations' });
      // The statement that is under way, or the next one, fails with it.
      client.on('error', () => {});
      await client.connect();
      try {
        return await run({ exec: (sql) => client.query(sql), query: (sql, values) => client.query(sql, values) });
      } finally {
        await client.end();
      }
    },
  };
}

/** The store of a PGlite that is open already. */
export function pgliteStore(pglite: PGlite): Store {
  return { db: openPglite(pglite), jobs: { pglite }, withConnection: (run) => run(pgliteConnection(pglite)) };
}

function pgliteConnection(pglite: PGlite): MigrationConnection {
  return { exec: (sql) => pglite.exec(sql), query: (sql, values) => pglite.query(sql, values) };
}
