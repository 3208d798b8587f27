import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/lib/clock.ts';

/** A clock that stands still until it is advanced. */
export interface ManualClock extends Clock {
  /** Moves on by `ms` and runs, in order of their time, the timers that fall due, those that they set included. */
  advance(ms: number): void;
  /** The same, but lets promises and immediates settle after each timer and at the end. */
  advanceAsync(ms: number): Promise<void>;
  /** How many timers wait: 0 when what was started has been stopped. */
  pending(): number;
}

interface Timer {
  dueMs: number;
  run: () => void;
}

/** A manual clock at `startMs` (epoch milliseconds). */
export function createManualClock(startMs: number = Date.UTC(2026, 10, 24, 12, 0, 0)): ManualClock {
  let nowMs = startMs;
  const timers = new Set<Timer>();

  function after(delayMs: number, run: () => void): () => void {
    const timer: Timer = { dueMs: nowMs + Math.max(0, delayMs), run };
    timers.add(timer);
    return () => {
      timers.delete(timer);
    };
  }

  /** Runs the first timer due by `untilMs`; false when there is none. Timers of the same time run in the order in which they were set. */
  function runNext(untilMs: number): boolean {
    let next: Timer | undefined;
    for (const timer of timers) if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    if (next === undefined) return false;
    timers.delete(next);
    nowMs = Math.max(nowMs, next.dueMs);
    next.run();
    return true;
  }

  function advance(ms: number): void {
    const untilMs = nowMs + ms;
    while (runNext(untilMs));
    nowMs = untilMs;
  }

  async function advanceAsync(ms: number): Promise<void> {
    const untilMs = nowMs + ms;
    await setImmediate();
    while (runNext(untilMs)) await setImmediate();
    nowMs = untilMs;
    await setImmediate();
  }

  return { now: () => nowMs, after, advance, advanceAsync, pending: () => timers.size };
}
