import type { InputIssue } from '../lib/error.ts';
import { hasUnstorable, utf8Bytes } from '../lib/text.ts';
import type { AcceptedEvent } from './event.ts';
import { TEXT_RULES } from './event-fields.ts';
import { COOLDOWN_BY, type CooldownBy, type Filters, type MatchReason, type MatchSubscription } from './subscription.ts';
import { compilePattern, PATTERN_CHARS_MAX } from './task-name-pattern.ts';
import { FIRST_INSTANT_MS, LAST_INSTANT_MS } from './timestamp.ts';

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

/** Filters as they are to be saved: an update's are merged with the stored ones first. */
export type FiltersInput = { readonly [K in keyof Filters]?: Filters[K] | undefined };

/** What is wrong with filters that are to be saved; paths `filters.priorityMin` and so on. Absent and null are never wrong. */
export function checkFilters(input: FiltersInput): InputIssue[] {
  return FILTER_RULES.filter(([field, , isRight]) => !isAbsent(input[field]) && !isRight(input)).map(([field, message]) => ({
    path: `filters.${field}`,
    message,
  }));
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

const COOLDOWN_MAX_SECONDS = 86_400;
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

type FilterRule = readonly [field: keyof Filters, message: string, isRight: (input: FiltersInput) => boolean];

const FILTER_RULES: readonly FilterRule[] = [
  ['priorityMin', 'must be a 32-bit integer', ({ priorityMin }) => isIntBetween(priorityMin, INT32_MIN, INT32_MAX)],
  ['priorityMax', 'must be a 32-bit integer', ({ priorityMax }) => isIntBetween(priorityMax, INT32_MIN, INT32_MAX)],
  [
    'priorityMin',
    'must not be above priorityMax',
    ({ priorityMin, priorityMax }) => isAbsent(priorityMax) || isAbsent(priorityMin) || priorityMin <= priorityMax,
  ],
  ['taskNamePattern', `must have 1 to ${PATTERN_CHARS_MAX} characters`, ({ taskNamePattern }) => isPatternLength(taskNamePattern ?? '')],
  ['taskNamePattern', 'must not hold NUL or a lone surrogate', ({ taskNamePattern }) => !hasUnstorable(taskNamePattern ?? '')],
  ['queue', `must have 1 to ${TEXT_RULES.queue.bytesMax} bytes of UTF-8`, ({ queue }) => isIntBetween(utf8Bytes(queue ?? ''), 1, TEXT_RULES.queue.bytesMax)],
  ['queue', 'must not hold NUL or a lone surrogate', ({ queue }) => !hasUnstorable(queue ?? '')],
  ['cooldownSeconds', `must be an integer from 0 to ${COOLDOWN_MAX_SECONDS}`, ({ cooldownSeconds }) => isIntBetween(cooldownSeconds, 0, COOLDOWN_MAX_SECONDS)],
  ['cooldownBy', `must be one of ${COOLDOWN_BY.join(', ')}`, ({ cooldownBy }) => (COOLDOWN_BY as readonly unknown[]).includes(cooldownBy)],
  ['mutedUntil', 'must lie in the years 1 to 9999', ({ mutedUntil }) => isIntBetween(mutedUntil, FIRST_INSTANT_MS, LAST_INSTANT_MS)],
];

function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function isIntBetween(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

/** Counts code points; text that is longer even so never gets counted. */
function isPatternLength(pattern: string): boolean {
  return pattern.length > 0 && pattern.length <= 2 * PATTERN_CHARS_MAX && Array.from(pattern).length <= PATTERN_CHARS_MAX;
}
