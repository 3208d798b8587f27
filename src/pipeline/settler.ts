import type { Clock } from '../lib/clock.ts';
import { type SettleDeps, type Settlement, settle } from './settle.ts';

export interface Settler {
  add(settlement: Settlement): void;
  /** Settlements that are not committed yet. */
  waiting(): number;
  /** Resolves when all are committed. */
  drain(): Promise<void>;
}

/** Settlements a transaction. */
const BATCH_MAX = 100;
const RETRY_MS = 500;

/**
 * Settles in batches: while one transaction is under way, further endings gather for the next. A database that is gone is asked again until it is back,
 * since what was sent must be known to have been sent.
 */
export function createSettler(deps: SettleDeps & { clock: Clock; onError: (error: unknown) => void }): Settler {
  let pending: Settlement[] = [];
  let isRunning = false;
  let idle: (() => void)[] = [];

  function add(settlement: Settlement): void {
    pending.push(settlement);
    if (isRunning) return;
    isRunning = true;
    setImmediate(() => void run());
  }

  async function run(): Promise<void> {
    while (pending.length > 0) {
      const batch = onePerDelivery(pending).slice(0, BATCH_MAX);
      try {
        await settle(deps, batch);
        const done = new Set(batch);
        pending = pending.filter((settlement) => !done.has(settlement));
      } catch (error) {
        deps.onError(error);
        await new Promise<void>((resolve) => {
          deps.clock.after(RETRY_MS, resolve);
        });
      }
    }
    isRunning = false;
    for (const resolve of idle) resolve();
    idle = [];
  }

  return {
    add,
    waiting: () => pending.length,
    drain: async () => {
      if (!isRunning) return;
      await new Promise<void>((resolve) => {
        idle.push(resolve);
      });
    },
  };
}

/** A statement must not meet one delivery twice: a second ending of it waits for the next batch. */
function onePerDelivery(settlements: readonly Settlement[]): Settlement[] {
  const seen = new Set<string>();
  return settlements.filter(({ job }) => {
    const isFirst = !seen.has(job.deliveryId);
    seen.add(job.deliveryId);
    return isFirst;
  });
}
