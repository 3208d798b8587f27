import type { AcceptedEvent } from './event.ts';
import type { CooldownBy, Filters, MatchReason, MatchSubscription } from './subscription.ts';
import { compilePattern } from './task-name-pattern.ts';

/**
 * FIRES, or the first miss in the spec's order, for a subscription of the event's trigger (which is no filter: the caller looks at it).
 * COOLDOWN is never answered: whether a cooldown drops a match is decided by the database's clock, after this.
 */
export function firstMiss(subscription: MatchSubscription, event: AcceptedEvent, nowMs: number): MatchReason {
  return MISSES.find(([, isMiss]) => isMiss(subscription, event, nowMs))?.[0] ?? 'FIRES';
}

/** Muted while `mutedUntil` lies in the future. */
export function isMuted(filters: Pick<Filters, 'mutedUntil'>, nowMs: number): boolean {
  return filters.mutedUntil !== null && filters.mutedUntil > nowMs;
}

/** Whether the priority lies outside of the bounds, both inclusive; no priority misses when either is set. */
export function missesPriority({ priorityMin, priorityMax }: Pick<Filters, 'priorityMin' | 'priorityMax'>, priority: number | null): boolean {
  if (priorityMin === null && priorityMax === null) return false;
  return priority === null || (priorityMin !== null && priority < priorityMin) || (priorityMax !== null && priority > priorityMax);
}

/** What the subscription's cooldown counts the event under: a task name, an agent, or '' for all events and for those without either. */
export function cooldownKey(subscription: Pick<Filters, 'cooldownBy'>, event: AcceptedEvent): string {
  return COOLDOWN_KEYS[subscription.cooldownBy](event) ?? '';
}

const MISSES: readonly (readonly [MatchReason, (subscription: MatchSubscription, event: AcceptedEvent, nowMs: number) => boolean])[] = [
  ['INACTIVE', ({ isActive }) => !isActive],
  ['MUTED', (subscription, _event, nowMs) => isMuted(subscription, nowMs)],
  ['NOT_MEMBER', ({ isMember }) => !isMember],
  ['PRIORITY', (subscription, { priority }) => missesPriority(subscription, priority)],
  ['TASK_NAME', ({ taskNamePattern }, { taskName }) => taskNamePattern !== null && (taskName === null || !compilePattern(taskNamePattern).matches(taskName))],
  ['QUEUE', (subscription, event) => subscription.queue !== null && subscription.queue !== event.queue],
];

const COOLDOWN_KEYS: Record<CooldownBy, (event: AcceptedEvent) => string | null> = {
  SUBSCRIPTION: () => '',
  TASK_NAME: ({ taskName }) => taskName,
  AGENT: ({ agent }) => agent,
};
