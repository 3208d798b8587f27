import type { Sql } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';

/** Notes when subscriptions fired last. */
export interface FiredLog {
  note(subscriptionIds: readonly string[]): void;
  /** Writes what is noted, then stops. */
  close(): Promise<void>;
}

const FLUSH_MS = 1_000;

/**
 * Keeps `lastFiredAt` of subscriptions in memory and writes it once a second: information only, and a subscription that fires a thousand times a second must
 * not cost a thousand updates of its row. What a crash loses is a second of it.
 */
export function createFiredLog(deps: { sql: Sql; clock: Clock; onError: (error: unknown) => void }): FiredLog {
  let fired = new Map<string, number>();
  let flushing: Promise<void> | null = null;
  let cancel: (() => void) | null = null;
  let isClosed = false;

  function schedule(): void {
    if (fired.size > 0 && !isClosed) cancel ??= deps.clock.after(FLUSH_MS, begin);
  }

  async function flush(): Promise<void> {
    cancel = null;
    const batch = fired;
    fired = new Map();
    try {
      const skipped = await deps.sql.query<{ id: string }>(WRITE, [[...batch.keys()], [...batch.values()].map((at) => new Date(at))]);
      for (const { id } of skipped) fired.set(id, Math.max(batch.get(id) ?? 0, fired.get(id) ?? 0));
      schedule();
    } catch (error) {
      deps.onError(error);
    }
  }

  function begin(): void {
    flushing = flush();
  }

  return {
    note: (subscriptionIds) => {
      for (const id of subscriptionIds) fired.set(id, deps.clock.now());
      schedule();
    },
    close: async () => {
      isClosed = true;
      cancel?.();
      await flushing;
      if (fired.size > 0) await flush();
    },
  };
}

/**
 * Rows that somebody is changing are left for the next time: changes of subscriptions lock many of them in no certain order, and to wait for one of them
 * while holding others would be half of a deadlock. Gives those that were left.
 */
const WRITE = `
  WITH given AS (
    SELECT s.id, f.at FROM subscriptions AS s JOIN unnest($1::uuid[], $2::timestamptz[]) AS f(id, at) ON f.id = s.id WHERE s.id = ANY($1::uuid[])
  ), free AS (
    SELECT s.id FROM subscriptions AS s WHERE s.id = ANY($1::uuid[]) FOR NO KEY UPDATE SKIP LOCKED
  ), written AS (
    UPDATE subscriptions AS s SET last_fired_at = greatest(s.last_fired_at, given.at) FROM given JOIN free USING (id) WHERE s.id = given.id RETURNING s.id
  )
  SELECT id FROM given WHERE id NOT IN (SELECT id FROM written)`;
