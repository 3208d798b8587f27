import type { FailedReason, Outcome, RetryReason } from './outcome.ts';
import { retryDelayMs } from './retry.ts';

export const DELIVERY_STATUSES = ['QUEUED', 'SENT', 'FAILED', 'CANCELLED'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export const ATTEMPT_OUTCOMES = ['DELIVERED', 'RETRY', 'FAILED'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** Why a delivery was given up before it was sent. */
export const CANCEL_REASONS = ['NO_SUBSCRIPTION', 'CHANNEL_DELETED', 'CHANNEL_OFF', 'TOO_OLD', 'REQUESTED'] as const;
export type CancelReason = (typeof CANCEL_REASONS)[number];

/** The closed list behind Delivery.reason. */
export type DeliveryReason = RetryReason | FailedReason | CancelReason | 'ATTEMPTS_USED_UP';

/** One try of a delivery, as deliveries.attempts holds it. */
export interface Attempt {
  number: number;
  /** RFC 3339. */
  startedAt: string;
  durationMs: number;
  outcome: AttemptOutcome;
  reason: RetryReason | FailedReason | null;
  statusCode: number | null;
  error: string | null;
  responseBody: string | null;
}

/** What an attempt leads to. `roundNumber`: which attempt of its round it was, from 1; `random`: uniform in [0, 1). */
export type NextStep =
  | { status: 'SENT'; reason: null }
  | { status: 'FAILED'; reason: DeliveryReason }
  | { status: 'QUEUED'; reason: DeliveryReason; nextAttemptAt: number };

export function nextStep(outcome: Outcome, roundNumber: number, endedAtMs: number, random: number): NextStep {
  if (outcome.outcome === 'DELIVERED') return { status: 'SENT', reason: null };
  if (outcome.outcome === 'FAILED') return { status: 'FAILED', reason: outcome.reason };
  const delayMs = retryDelayMs({ attemptsMade: roundNumber, retryAfterMs: outcome.retryAfterMs, random });
  if (delayMs === null) return { status: 'FAILED', reason: 'ATTEMPTS_USED_UP' };
  return { status: 'QUEUED', reason: outcome.reason, nextAttemptAt: endedAtMs + delayMs };
}

/** What some attempts, in the order in which they ended, change about a channel's health. */
export interface HealthChange {
  channelId: string;
  successAt: Date | null;
  failureAt: Date | null;
  /** When the failures that `failures` counts began. */
  failingSince: Date | null;
  error: string | null;
  /** Attempts that did not deliver since the last of these that did. */
  failures: number;
  unreachable: number;
  probeAt: Date | null;
  heldUntil: Date | null;
}

export interface EndedAttempt {
  outcome: Outcome;
  endedAt: number;
  unreachable: number;
  probeAt: number | null;
}

export function foldHealth(channelId: string, attempts: readonly EndedAttempt[]): HealthChange {
  const change: HealthChange = {
    channelId,
    successAt: null,
    failureAt: null,
    failingSince: null,
    error: null,
    failures: 0,
    unreachable: 0,
    probeAt: null,
    heldUntil: null,
  };
  for (const { outcome, endedAt, unreachable, probeAt } of attempts) {
    const at = new Date(endedAt);
    change.unreachable = unreachable;
    change.probeAt = probeAt === null ? null : new Date(probeAt);
    if (outcome.outcome === 'DELIVERED') {
      Object.assign(change, { successAt: at, failures: 0, failingSince: null });
      continue;
    }
    Object.assign(change, { failureAt: at, failures: change.failures + 1, failingSince: change.failingSince ?? at, error: outcome.error });
    const heldMs = outcome.outcome === 'RETRY' ? outcome.retryAfterMs : null;
    if (heldMs !== null) change.heldUntil = new Date(Math.max(endedAt + heldMs, change.heldUntil?.getTime() ?? 0));
  }
  return change;
}
