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

  async function flush(): Promise<void> {
    cancel = null;
    const batch = fired;
    fired = new Map();
    try {
      await deps.sql.query(
        `UPDATE subscriptions AS s SET last_fired_at = greatest(s.last_fired_at, f.at) FROM (
           SELECT s.id, f.at FROM subscriptions AS s JOIN unnest($1::uuid[], $2::timestamptz[]) AS f(id, at) ON f.id = s.id ORDER BY s.id FOR NO KEY UPDATE OF s
         ) AS f WHERE s.id = f.id`,
        [[...batch.keys()], [...batch.values()].map((at) => new Date(at))],
      );
    } catch (error) {
      deps.onError(error);
    }
  }

  return {
    note: (subscriptionIds) => {
      for (const id of subscriptionIds) fired.set(id, deps.clock.now());
      if (fired.size > 0) cancel ??= deps.clock.after(FLUSH_MS, () => (flushing = flush()));
    },
    close: async () => {
      cancel?.();
      await flushing;
      if (fired.size > 0) await flush();
    },
  };
}
