import type { InputIssue } from '../lib/error.ts';
import { type Reading, readData, readId, readInt, readOccurredAt, readText, readTrigger, refuseUnknownFields } from './event-fields.ts';
import type { JsonObject } from './json.ts';
import type { Trigger } from './trigger.ts';

/** An event that passed every check and may be stored as it is. */
export interface AcceptedEvent {
  /** The producer's. */
  id: string;
  trigger: Trigger;
  /** Epoch milliseconds. */
  occurredAt: number | null;
  taskId: string | null;
  taskName: string | null;
  queue: string | null;
  engine: string | null;
  priority: number | null;
  state: string | null;
  agent: string | null;
  runtimeMs: number | null;
  exception: string | null;
  traceback: string | null;
  data: JsonObject | null;
}

export type ReadEvent = { ok: true; event: AcceptedEvent } | { ok: false; issues: InputIssue[] };

/**
 * Reads one EventInput (camelCase fields, trigger in its dotted form; occurredAt an RFC 3339 string or a Date). Looks at own properties
 * only; null counts as absent. Issue paths are relative to the event (`taskId`, `data`), '' for the event itself.
 */
export function readEvent(input: unknown, nowMs: number): ReadEvent {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return { ok: false, issues: [{ path: '', message: 'must be an object' }] };
  const reading: Reading = { input: input as Record<string, unknown>, issues: [] };
  refuseUnknownFields(reading);
  const event: AcceptedEvent = {
    id: readId(reading),
    trigger: readTrigger(reading),
    occurredAt: readOccurredAt(reading, nowMs),
    taskId: readText(reading, 'taskId'),
    taskName: readText(reading, 'taskName'),
    queue: readText(reading, 'queue'),
    engine: readText(reading, 'engine'),
    priority: readInt(reading, 'priority'),
    state: readText(reading, 'state'),
    agent: readText(reading, 'agent'),
    runtimeMs: readInt(reading, 'runtimeMs', 0),
    exception: readText(reading, 'exception'),
    traceback: readText(reading, 'traceback'),
    data: readData(reading),
  };
  return reading.issues.length === 0 ? { ok: true, event } : { ok: false, issues: reading.issues };
}

/** One problem of one event of a call: `path` is relative to that event. */
export interface RejectedEvent extends InputIssue {
  index: number;
}

/** `events` are the valid ones in the order given; an event with several problems is in `rejected` once for each. */
export type EventBatch = { ok: true; events: AcceptedEvent[]; rejected: RejectedEvent[] } | { ok: false; issues: InputIssue[] };

/** Reads the events of one call. More than `max` of them are refused unread, whatever is to be done with invalid ones. */
export function readEvents(inputs: readonly unknown[], nowMs: number, { max = EVENTS_MAX }: { max?: number } = {}): EventBatch {
  if (inputs.length > max) return { ok: false, issues: [{ path: '', message: `at most ${max} events a call` }] };
  const events: AcceptedEvent[] = [];
  const rejected: RejectedEvent[] = [];
  for (const [index, input] of inputs.entries()) {
    const read = readEvent(input, nowMs);
    if (read.ok) events.push(read.event);
    else for (const issue of read.issues) rejected.push({ index, ...issue });
  }
  return { ok: true, events, rejected };
}

/** The same problems as issues of the call: `3.taskId`, or `events.3.taskId` with the prefix `events`. */
export function indexedIssues(rejected: readonly RejectedEvent[], prefix = ''): InputIssue[] {
  return rejected.map(({ index, path, message }) => ({ path: [prefix, String(index), path].filter((part) => part !== '').join('.'), message }));
}

/** Events a call (spec 2). */
const EVENTS_MAX = 1000;
