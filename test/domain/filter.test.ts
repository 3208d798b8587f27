import { expect, test } from 'vitest';
import type { AcceptedEvent } from '../../src/domain/event.ts';
import { cooldownKey, firstMiss } from '../../src/domain/filter.ts';
import { MATCH_REASONS, type MatchReason, type MatchSubscription } from '../../src/domain/subscription.ts';
import { event as bareEvent, subscription } from '../support/rules.ts';

const NOW_MS = Date.UTC(2026, 10, 24, 12);

function event(given: Partial<AcceptedEvent> = {}): AcceptedEvent {
  return bareEvent({ taskId: 't1', taskName: 'billing.run', queue: 'default', priority: 5, agent: 'worker-3', ...given });
}

/** For each reason, in the spec's order, what makes a subscription miss `event()` for it. */
const MISSES: readonly [MatchReason, Partial<MatchSubscription>][] = [
  ['INACTIVE', { isActive: false }],
  ['MUTED', { mutedUntil: NOW_MS + 1 }],
  ['NOT_MEMBER', { isMember: false }],
  ['PRIORITY', { priorityMin: 6 }],
  ['TASK_NAME', { taskNamePattern: 'mail.*' }],
  ['QUEUE', { queue: 'other' }],
];

test('the reasons come in the order of the closed list, COOLDOWN apart, which the database decides', () => {
  expect(['FIRES', ...MISSES.map(([reason]) => reason), 'COOLDOWN']).toEqual(MATCH_REASONS);
});

test.each(MISSES)('%s alone is told', (reason, given) => {
  expect(firstMiss(subscription(given), event(), NOW_MS)).toBe(reason);
});

test.each(MISSES.map(([reason], index) => [reason, index] as const))('%s is told before all that come after it', (reason, index) => {
  const all = Object.assign({}, ...MISSES.slice(index).map(([, given]) => given)) as Partial<MatchSubscription>;
  expect(firstMiss(subscription(all), event(), NOW_MS)).toBe(reason);
});

test('a cooldown never makes a miss here', () => {
  expect(firstMiss(subscription({ cooldownSeconds: 86_400 }), event(), NOW_MS)).toBe('FIRES');
});

test.each<[string, Partial<MatchSubscription>, Partial<AcceptedEvent>, MatchReason]>([
  ['no filter at all', {}, {}, 'FIRES'],
  ['no filter, and an event that has nothing', {}, { priority: null, taskName: null, queue: null }, 'FIRES'],
  ['muted until this very moment', { mutedUntil: NOW_MS }, {}, 'FIRES'],
  ['muted until long ago', { mutedUntil: 0 }, {}, 'FIRES'],
  ['the lowest priority taken', { priorityMin: 5 }, {}, 'FIRES'],
  ['the highest priority taken', { priorityMax: 5 }, {}, 'FIRES'],
  ['the only priority taken', { priorityMin: 5, priorityMax: 5 }, {}, 'FIRES'],
  ['one below the lowest', { priorityMin: 5 }, { priority: 4 }, 'PRIORITY'],
  ['one above the highest', { priorityMax: 5 }, { priority: 6 }, 'PRIORITY'],
  ['a bound of zero', { priorityMin: 0 }, { priority: -1 }, 'PRIORITY'],
  ['a priority of zero', { priorityMin: 0, priorityMax: 0 }, { priority: 0 }, 'FIRES'],
  ['no priority, and a lowest', { priorityMin: -100 }, { priority: null }, 'PRIORITY'],
  ['no priority, and a highest', { priorityMax: 100 }, { priority: null }, 'PRIORITY'],
  ['a pattern that matches', { taskNamePattern: 'billing.*' }, {}, 'FIRES'],
  ['a pattern that matches in another case', { taskNamePattern: 'Billing.*' }, {}, 'TASK_NAME'],
  ['a pattern that matches a part', { taskNamePattern: 'billing' }, {}, 'TASK_NAME'],
  ['no task name, and a pattern that takes all', { taskNamePattern: '*' }, { taskName: null }, 'TASK_NAME'],
  ['an empty task name, and a pattern that takes all', { taskNamePattern: '*' }, { taskName: '' }, 'FIRES'],
  ['the queue', { queue: 'default' }, {}, 'FIRES'],
  ['the queue in another case', { queue: 'Default' }, {}, 'QUEUE'],
  ['a queue is no pattern', { queue: '*' }, {}, 'QUEUE'],
  ['no queue', { queue: 'default' }, { queue: null }, 'QUEUE'],
])('%s', (_what, given, happened, expected) => {
  expect(firstMiss(subscription(given), event(happened), NOW_MS)).toBe(expected);
});

test.each([
  ['SUBSCRIPTION', {}, ''],
  ['TASK_NAME', {}, 'billing.run'],
  ['TASK_NAME', { taskName: null }, ''],
  ['AGENT', {}, 'worker-3'],
  ['AGENT', { agent: null }, ''],
] as const)('a cooldown by %s of an event with %o counts under %j', (cooldownBy, happened, expected) => {
  expect(cooldownKey(subscription({ cooldownBy }), event(happened))).toBe(expected);
});
