import fc from 'fast-check';
import type { AcceptedEvent } from '../../src/domain/event.ts';
import type { MatchSubscription } from '../../src/domain/subscription.ts';
import { TRIGGERS } from '../../src/domain/trigger.ts';

// Subscriptions and events for tests of matching: named ones, and any.

export const NOW_MS = 1_000_000;

export function subscription(given: Partial<MatchSubscription> = {}): MatchSubscription {
  return {
    id: 's1',
    projectId: 'p1',
    userId: 'u1',
    isMember: true,
    trigger: 'task.failed',
    isActive: true,
    inApp: true,
    isDefaultCopy: false,
    channels: [],
    priorityMin: null,
    priorityMax: null,
    taskNamePattern: null,
    queue: null,
    cooldownSeconds: 0,
    cooldownBy: 'SUBSCRIPTION',
    mutedUntil: null,
    ...given,
  };
}

export function event(given: Partial<AcceptedEvent> = {}): AcceptedEvent {
  return {
    id: 'e1',
    trigger: 'task.failed',
    occurredAt: null,
    taskId: null,
    taskName: null,
    queue: null,
    engine: null,
    priority: null,
    state: null,
    agent: null,
    runtimeMs: null,
    exception: null,
    traceback: null,
    data: null,
    ...given,
  };
}

export function idsOf(subscriptions: readonly MatchSubscription[]): string[] {
  return subscriptions.map(({ id }) => id);
}

const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', 'é', 'ж', '😀'), maxLength: 8 });
const pattern = fc.oneof(
  name,
  name.map((text) => `${text}*`),
  name.map((text) => `*${text}`),
  fc.tuple(name, name).map((texts) => texts.join('*')),
  fc.string({ unit: fc.constantFrom('a', 'b', '.', 'ж', '😀', '*', '?', '[', '!', ']'), maxLength: 9 }),
);
const smallInt = fc.integer({ min: -3, max: 3 });
const mostlyNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null, freq: 2 });
const trigger = fc.constantFrom(...TRIGGERS.slice(0, 3));
const queue = fc.constantFrom('q1', 'q2', 'q3', '');

export const anySubscription = fc
  .record({
    id: fc.uuid({ version: 7 }),
    isMember: fc.constantFrom(true, true, true, false),
    isActive: fc.constantFrom(true, true, true, false),
    trigger,
    priorityMin: mostlyNull(smallInt),
    priorityMax: mostlyNull(smallInt),
    taskNamePattern: fc.option(pattern, { nil: null, freq: 5 }),
    queue: mostlyNull(queue),
    mutedUntil: mostlyNull(fc.integer({ min: NOW_MS - 1, max: NOW_MS + 1 })),
  })
  .map(subscription);
const anyEvent = fc
  .record({ trigger, priority: fc.option(smallInt, { nil: null }), taskName: fc.option(name, { nil: null, freq: 5 }), queue: fc.option(queue, { nil: null }) })
  .map(event);
export const anyRules = fc.uniqueArray(anySubscription, { selector: ({ id }) => id, maxLength: 60 });
export const anyStream = fc.array(anyEvent, { minLength: 1, maxLength: 12 });
