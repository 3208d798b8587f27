const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** The wait before each attempt, from the end of the one before it (spec 5). Nine attempts at most. */
const RETRY_DELAYS_MS = [0, 5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS] as const;

/** Each wait is up to this part of itself shorter or longer, so that what failed together does not come back together. */
const JITTER = 0.2;

/** An attempt of a delivery that was never attempted comes at most this long after it was queued; then it is CANCELLED. */
const FIRST_ATTEMPT_WITHIN_MS = 24 * HOUR_MS;
/** A delivery that is still QUEUED this long after it was queued is CANCELLED. */
const QUEUED_WITHIN_MS = 48 * HOUR_MS;

/** From this many unreachable attempts in a row on, a channel's deliveries wait for its probe. */
export const PROBE_AFTER = 3;
const PROBE_FIRST_MS = 5 * SECOND_MS;
const PROBE_MAX_MS = 5 * MINUTE_MS;

export interface RetryQuestion {
  /** Attempts of the present round that have ended, the last one included: 1 after the first. */
  attemptsMade: number;
  /** What the receiver asked for; null where it did not. */
  retryAfterMs: number | null;
  /** Uniform in [0, 1). */
  random: number;
}

/** Milliseconds from the end of the last attempt to the next one, or null where the attempts are used up and the delivery has FAILED. */
export function retryDelayMs({ attemptsMade, retryAfterMs, random }: RetryQuestion): number | null {
  const delayMs = RETRY_DELAYS_MS[attemptsMade];
  if (delayMs === undefined) return null;
  const jitteredMs = Math.round(delayMs * (1 - JITTER + 2 * JITTER * random));
  return Math.max(jitteredMs, retryAfterMs ?? 0);
}

/**
 * The epoch millisecond after which a QUEUED delivery is too old. `queuedAtMs`: when its present round began;
 * `attemptsMade`: attempts of that round that have begun.
 */
export function tooOldAfterMs(queuedAtMs: number, attemptsMade: number): number {
  return queuedAtMs + (attemptsMade === 0 ? FIRST_ATTEMPT_WITHIN_MS : QUEUED_WITHIN_MS);
}

/** Whether a QUEUED delivery is CANCELLED for its age at `nowMs` instead of being attempted. */
export function isTooOld(queuedAtMs: number, attemptsMade: number, nowMs: number): boolean {
  return nowMs > tooOldAfterMs(queuedAtMs, attemptsMade);
}

/** Whether a channel gets one send at a time from the suspects' share. `unreachable`: attempts in a row that timed out or could not connect. */
export function isSuspect(unreachable: number): boolean {
  return unreachable > 0;
}

/**
 * Milliseconds from the end of the last attempt to a channel's next probe, until which its other deliveries wait without using up attempts;
 * null where it needs none: 5 s after three unreachable attempts in a row, doubling with each more, to 5 min.
 */
export function probeDelayMs(unreachable: number): number | null {
  if (unreachable < PROBE_AFTER) return null;
  return Math.min(PROBE_FIRST_MS * 2 ** (unreachable - PROBE_AFTER), PROBE_MAX_MS);
}
