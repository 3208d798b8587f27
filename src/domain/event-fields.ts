import type { InputIssue } from '../lib/error.ts';
import { cutBytes, hasUnstorable, toStorable, utf8Bytes } from '../lib/text.ts';
import { type JsonObject, type JsonRefusal, readJsonObject } from './json.ts';
import { knownInstant, parseTimestamp } from './timestamp.ts';
import { isTrigger, TRIGGERS, type Trigger } from './trigger.ts';

/** Sizes in UTF-8 bytes and what is done with text that is longer or cannot be stored (spec 2, "Sizes"). */
const TEXT_RULES = {
  id: { bytesMax: 200, tooLong: 'refuse', unstorable: 'refuse' },
  taskId: { bytesMax: 200, tooLong: 'refuse', unstorable: 'refuse' },
  agent: { bytesMax: 200, tooLong: 'refuse', unstorable: 'refuse' },
  queue: { bytesMax: 200, tooLong: 'refuse', unstorable: 'replace' },
  taskName: { bytesMax: 500, tooLong: 'refuse', unstorable: 'replace' },
  engine: { bytesMax: 50, tooLong: 'refuse', unstorable: 'replace' },
  state: { bytesMax: 50, tooLong: 'refuse', unstorable: 'replace' },
  exception: { bytesMax: 16 * 1024, tooLong: 'cut', unstorable: 'replace' },
  traceback: { bytesMax: 64 * 1024, tooLong: 'cut', unstorable: 'replace' },
} as const satisfies Record<string, { bytesMax: number; tooLong: 'refuse' | 'cut'; unstorable: 'refuse' | 'replace' }>;

/** One event being read: the issues gather as its fields are. */
export interface Reading {
  input: Record<string, unknown>;
  issues: InputIssue[];
}

/** Refuses every field that EventInput does not have, by a name made safe to print; the first 20. */
export function refuseUnknownFields(reading: Reading): void {
  for (const key of Object.keys(reading.input)) {
    if (FIELDS.has(key)) continue;
    if (reading.issues.length === UNKNOWN_FIELDS_MAX) return;
    refuse(reading, printableName(key), 'unknown field');
  }
}

/** The id, or an issue where it is missing or empty. */
export function readId(reading: Reading): string {
  const before = reading.issues.length;
  const id = readText(reading, 'id');
  if (id === '') refuse(reading, 'id', 'must not be empty');
  else if (id === null && reading.issues.length === before) refuse(reading, 'id', 'is required');
  return id ?? '';
}

/** The trigger, or an issue where it is missing or not one of the six. */
export function readTrigger(reading: Reading): Trigger {
  const value = ownValue(reading, 'trigger');
  if (isTrigger(value)) return value;
  refuse(reading, 'trigger', value === undefined || value === null ? 'is required' : `must be one of ${TRIGGERS.join(', ')}`);
  return TRIGGERS[0];
}

/** A text field by its rule; null where it is absent or refused. */
export function readText(reading: Reading, field: TextField): string | null {
  const value = ownValue(reading, field);
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') return refuse(reading, field, 'must be a string');
  const rule = TEXT_RULES[field];
  const isTooLong = value.length * 3 > rule.bytesMax && utf8Bytes(value) > rule.bytesMax;
  if (isTooLong && rule.tooLong === 'refuse') return refuse(reading, field, `must be at most ${rule.bytesMax} bytes of UTF-8`);
  if (rule.unstorable === 'refuse' && hasUnstorable(value)) return refuse(reading, field, 'must not hold NUL or a lone surrogate');
  const text = toStorable(value);
  return rule.tooLong === 'cut' ? cutBytes(text, rule.bytesMax) : text;
}

/** A 32-bit integer of at least `min`; null where it is absent or refused. */
export function readInt(reading: Reading, field: 'priority' | 'runtimeMs', min: number = INT32_MIN): number | null {
  const value = ownValue(reading, field);
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= INT32_MAX) return value | 0;
  return refuse(reading, field, `must be an integer from ${min} to ${INT32_MAX}`);
}

/** Epoch milliseconds, `nowMs` where they lie more than 60 s ahead of it; null where absent or refused. */
export function readOccurredAt(reading: Reading, nowMs: number): number | null {
  const value = ownValue(reading, 'occurredAt');
  if (value === undefined || value === null) return null;
  const ms = instantOf(value);
  if (ms === null) return refuse(reading, 'occurredAt', 'must be an RFC 3339 date-time with its offset, such as 2026-01-31T12:00:00Z');
  return ms > nowMs + FUTURE_MAX_MS ? nowMs : ms;
}

/** The producer's data; null where it is absent or refused. */
export function readData(reading: Reading): JsonObject | null {
  const value = ownValue(reading, 'data');
  if (value === undefined || value === null) return null;
  const read = readJsonObject(value, DATA_LIMITS);
  return read.ok ? read.value : refuse(reading, 'data', DATA_MESSAGES[read.reason]);
}

const DATA_LIMITS = { bytesMax: 64 * 1024, depthMax: 32 };
const FUTURE_MAX_MS = 60_000;
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

const DATA_MESSAGES: Record<JsonRefusal, string> = {
  NOT_AN_OBJECT: 'must be an object',
  NOT_JSON: 'must hold nothing but JSON values',
  TOO_DEEP: `must be at most ${DATA_LIMITS.depthMax} levels deep`,
  TOO_LARGE: `must be at most ${DATA_LIMITS.bytesMax} bytes as JSON`,
};

type TextField = keyof typeof TEXT_RULES;

const FIELDS: ReadonlySet<string> = new Set([...Object.keys(TEXT_RULES), 'trigger', 'occurredAt', 'priority', 'runtimeMs', 'data']);
const UNKNOWN_FIELDS_MAX = 20;
const NAME_CHARS_MAX = 50;

function refuse(reading: Reading, path: string, message: string): null {
  reading.issues.push({ path, message });
  return null;
}

function ownValue({ input }: Reading, field: string): unknown {
  return Object.hasOwn(input, field) ? input[field] : undefined;
}

/** A name that a stranger chose, fit for an answer and a log: 50 code points at most, U+FFFD for whatever does not print. */
function printableName(name: string): string {
  const chars = Array.from(name.slice(0, 2 * NAME_CHARS_MAX + 2));
  const cut = chars.length > NAME_CHARS_MAX ? [...chars.slice(0, NAME_CHARS_MAX - 1), '…'] : chars;
  return cut.join('').replaceAll(/[\p{C}\u2028\u2029]/gu, '\ufffd');
}

function instantOf(value: unknown): number | null {
  if (typeof value === 'string') return parseTimestamp(value);
  return value instanceof Date ? knownInstant(value.getTime()) : null;
}
