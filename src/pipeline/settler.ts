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
/** From the start of one transaction to the next while endings keep coming: what comes meanwhile shares the cost. The first of a quiet time goes at once. */
const PACE_MS = 8;

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
      const startedAt = deps.clock.now();
      const batch = onePerDelivery(pending).slice(0, BATCH_MAX);
      try {
        await settle(deps, batch);
        const done = new Set(batch);
        pending = pending.filter((settlement) => !done.has(settlement));
        if (idle.length === 0 && pending.length < BATCH_MAX) await wait(PACE_MS - (deps.clock.now() - startedAt));
      } catch (error) {
        deps.onError(error);
        await wait(RETRY_MS);
      }
    }
    isRunning = false;
    for (const resolve of idle) resolve();
    idle = [];
  }

  async function wait(ms: number): Promise<void> {
    if (ms <= 0) return;
    await new Promise<void>((resolve) => {
      deps.clock.after(ms, resolve);
    });
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
