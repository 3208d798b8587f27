import type { Checked } from '../domain/names.ts';
import { COOLDOWN_BY, type CooldownBy } from '../domain/subscription.ts';
import { PATTERN_CHARS_MAX } from '../domain/task-name-pattern.ts';
import { hasUnstorable, utf8Bytes } from '../lib/text.ts';
import type { Problems } from './refusals.ts';

/** The filters of a subscription as they are stored; null: not given. */
export interface StoredFilters {
  priorityMin: number | null;
  priorityMax: number | null;
  taskNamePattern: string | null;
  queue: string | null;
  cooldownSeconds: number;
  cooldownBy: string;
  mutedUntil: Date | null;
}

/** What a client gives: an omitted filter keeps its value, null clears it. */
export type FiltersInput = {
  [Name in keyof StoredFilters]?: (Name extends 'cooldownBy' ? CooldownBy : StoredFilters[Name]) | null;
};

/** Bounds of spec 2 and 3. */
const QUEUE_BYTES_MAX = 200;
const COOLDOWN_SECONDS_MAX = 86_400;

/** A subscription that lets everything through, and speaks every time. */
export const NO_FILTERS: StoredFilters = {
  priorityMin: null,
  priorityMax: null,
  taskNamePattern: null,
  queue: null,
  cooldownSeconds: 0,
  cooldownBy: 'SUBSCRIPTION',
  mutedUntil: null,
};

/** The filters of a row. */
export function filtersOf(row: StoredFilters): StoredFilters {
  const { priorityMin, priorityMax, taskNamePattern, queue, cooldownSeconds, cooldownBy, mutedUntil } = row;
  return { priorityMin, priorityMax, taskNamePattern, queue, cooldownSeconds, cooldownBy, mutedUntil };
}

/** The filters `before` with `input` laid over them; what is wrong goes to `problems`, under `filters`. Null clears all of them. */
export function mergeFilters(before: StoredFilters, input: FiltersInput | null | undefined, problems: Problems): StoredFilters {
  if (input === undefined) return before;
  if (input === null) return NO_FILTERS;

  function merged<Name extends keyof StoredFilters, T>(
    name: Name,
    given: T | null | undefined,
    check: (value: T) => Checked<StoredFilters[Name]>,
  ): StoredFilters[Name] {
    if (given === undefined) return before[name];
    return given === null ? NO_FILTERS[name] : (problems.take(`filters.${name}`, check(given)) ?? before[name]);
  }

  const filters: StoredFilters = {
    priorityMin: merged('priorityMin', input.priorityMin, checkPriority),
    priorityMax: merged('priorityMax', input.priorityMax, checkPriority),
    taskNamePattern: merged('taskNamePattern', input.taskNamePattern, checkPattern),
    queue: merged('queue', input.queue, checkQueue),
    cooldownSeconds: merged('cooldownSeconds', input.cooldownSeconds, checkCooldown),
    cooldownBy: merged('cooldownBy', input.cooldownBy, checkCooldownBy),
    mutedUntil: merged('mutedUntil', input.mutedUntil, checkMutedUntil),
  };
  if (filters.priorityMin !== null && filters.priorityMax !== null && filters.priorityMin > filters.priorityMax) {
    problems.add('filters.priorityMin', 'must not be greater than priorityMax');
  }
  return filters;
}

/** A moment that the database can hold. */
export function checkMutedUntil(value: Date): Checked<Date> {
  return value.getTime() >= 0 && value.getTime() <= TIME_MAX_MS ? { ok: true, value } : { ok: false, message: 'must be a moment of the years 1970 to 9999' };
}

const TIME_MAX_MS = Date.UTC(9999, 11, 31);
const INT4_MAX = 2_147_483_647;

function checkPriority(value: number): Checked<number> {
  return Number.isInteger(value) && Math.abs(value) <= INT4_MAX ? { ok: true, value } : { ok: false, message: 'must be a whole number of 32 bits' };
}

function checkPattern(value: string): Checked<string> {
  if (value === '') return { ok: false, message: 'must not be empty: null lets every name through' };
  if ([...value].length > PATTERN_CHARS_MAX) return { ok: false, message: `must have at most ${String(PATTERN_CHARS_MAX)} characters` };
  return hasUnstorable(value) ? { ok: false, message: 'must be well-formed text without NUL' } : { ok: true, value };
}

function checkQueue(value: string): Checked<string> {
  if (value === '') return { ok: false, message: 'must not be empty: null lets every queue through' };
  if (utf8Bytes(value) > QUEUE_BYTES_MAX) return { ok: false, message: `must have at most ${String(QUEUE_BYTES_MAX)} bytes` };
  return hasUnstorable(value) ? { ok: false, message: 'must be well-formed text without NUL' } : { ok: true, value };
}

function checkCooldown(value: number): Checked<number> {
  const isFit = Number.isInteger(value) && value >= 0 && value <= COOLDOWN_SECONDS_MAX;
  return isFit ? { ok: true, value } : { ok: false, message: `must be a whole number from 0 to ${String(COOLDOWN_SECONDS_MAX)}` };
}

function checkCooldownBy(value: CooldownBy): Checked<CooldownBy> {
  return COOLDOWN_BY.includes(value) ? { ok: true, value } : { ok: false, message: `must be one of ${COOLDOWN_BY.join(', ')}` };
}
