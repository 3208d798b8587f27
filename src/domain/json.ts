import { hasUnstorable, toStorable } from '../lib/text.ts';

export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** Why a value is not taken. */
export type JsonRefusal = 'NOT_AN_OBJECT' | 'NOT_JSON' | 'TOO_DEEP' | 'TOO_LARGE';

/** `bytesMax` counts the value as JSON in UTF-8; the outermost object is depth 1. */
export interface JsonLimits {
  bytesMax: number;
  depthMax: number;
}

/**
 * Takes an object that consists of JSON values only, with NUL and lone surrogates in keys and values as U+FFFD. Gives the very
 * object back where nothing had to be replaced. Never goes deeper than `depthMax`, so no nesting and no cycle can exhaust the stack.
 */
export function readJsonObject(input: unknown, limits: JsonLimits): { ok: true; value: JsonObject } | { ok: false; reason: JsonRefusal } {
  if (!isPlainObject(input)) return { ok: false, reason: 'NOT_AN_OBJECT' };
  const walk: Walk = { budget: limits.bytesMax, hasUnstorable: false };
  const refusal = inspectJson(input, limits.depthMax, walk);
  if (refusal !== null) return { ok: false, reason: refusal };
  const value = walk.hasUnstorable ? storableObject(input) : (input as JsonObject);
  if (Buffer.byteLength(JSON.stringify(value)) > limits.bytesMax) return { ok: false, reason: 'TOO_LARGE' };
  return { ok: true, value };
}

/** `budget` only ever takes off less than the JSON is long: it stops the walk early, the exact size is measured after it. */
interface Walk {
  budget: number;
  hasUnstorable: boolean;
}

function inspectJson(value: unknown, depthLeft: number, walk: Walk): JsonRefusal | null {
  walk.budget -= 1;
  if (walk.budget < 0) return 'TOO_LARGE';
  if (value === null || typeof value === 'boolean') return null;
  if (typeof value === 'string') return inspectText(value, walk);
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'NOT_JSON';
  if (depthLeft === 0) return Array.isArray(value) || isPlainObject(value) ? 'TOO_DEEP' : 'NOT_JSON';
  if (Array.isArray(value)) return inspectItems(value, depthLeft - 1, walk);
  return isPlainObject(value) ? inspectEntries(value, depthLeft - 1, walk) : 'NOT_JSON';
}

function inspectItems(items: readonly unknown[], depthLeft: number, walk: Walk): JsonRefusal | null {
  for (const item of items) {
    const refusal = inspectJson(item, depthLeft, walk);
    if (refusal !== null) return refusal;
  }
  return null;
}

function inspectEntries(object: Record<string, unknown>, depthLeft: number, walk: Walk): JsonRefusal | null {
  for (const key of Object.keys(object)) {
    const refusal = inspectText(key, walk) ?? inspectJson(object[key], depthLeft, walk);
    if (refusal !== null) return refusal;
  }
  return null;
}

function inspectText(text: string, walk: Walk): JsonRefusal | null {
  walk.budget -= text.length;
  if (walk.budget < 0) return 'TOO_LARGE';
  walk.hasUnstorable ||= hasUnstorable(text);
  return null;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Object.fromEntries defines properties, so a key `__proto__` stays a key. */
function storableObject(object: Record<string, unknown>): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [toStorable(key), storableValue(value)]));
}

function storableValue(value: unknown): JsonValue {
  if (typeof value === 'string') return toStorable(value);
  if (Array.isArray(value)) return value.map(storableValue);
  return isPlainObject(value) ? storableObject(value) : (value as number | boolean | null);
}
