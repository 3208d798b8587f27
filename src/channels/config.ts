import { secretParts } from '../domain/redact.ts';
import type { InputIssue } from '../lib/error.ts';
import { asRecord, isRecord, type Json, type JsonObject, parseJson } from '../lib/json.ts';
import { Secret } from '../lib/secret.ts';
import { utf8Bytes } from '../lib/text.ts';
import { type ConfigOf, defaultOf, type Field, type Fields, type FieldValue, isList, isSecret } from './field.ts';
import { maskValue, valueIssues } from './field-rules.ts';

/** A channel's config as it is stored. */
export interface StoredConfig {
  /** The JSON column: secrets as the mask, so that reading it needs no key and can leak nothing. */
  readonly config: JsonObject;
  /** What is to be sealed: JSON of the secrets, old ones that still count included. */
  readonly secrets: Secret;
}

/** A secret that was replaced, and until when (epoch milliseconds) it still counts. */
export interface PreviousSecret {
  value: string;
  untilMs: number;
}
export type PreviousSecrets = Readonly<Record<string, PreviousSecret>>;

/** Values by field name as they were given, secrets in the clear; a field that is not set is absent. Not checked. */
export type GivenValues = Readonly<Record<string, unknown>>;

/** The same, checked. */
export type CheckedValues = Readonly<Record<string, FieldValue>>;

export type ReadConfig<F extends Fields> = { ok: true; config: ConfigOf<F>; values: CheckedValues } | { ok: false; issues: InputIssue[] };

/** A config's size as JSON, secrets in the clear (spec 4). */
const CONFIG_BYTES_MAX = 16_384;

/** A whole config with its defaults, or all that is wrong with it; paths are relative to it (`headers.2.name`). */
export function readConfig<F extends Fields>(fields: F, given: GivenValues): ReadConfig<F> {
  const config = withDefaults(fields, given);
  const issues = Object.entries(fields).flatMap(([name, field]) => fieldIssues(name, field, config[name]));
  const isTooLong = utf8Bytes(JSON.stringify(given)) > CONFIG_BYTES_MAX;
  if (isTooLong) issues.push({ path: '', message: `must be at most ${CONFIG_BYTES_MAX} bytes of JSON` });
  return isConfig<F>(config, issues) && areChecked(given, issues) ? { ok: true, config, values: given } : { ok: false, issues };
}

/** The stored form of checked values: what is no secret, and the secrets apart. */
export function splitConfig(fields: Fields, given: CheckedValues, previous: PreviousSecrets): StoredConfig {
  const secretEntries = Object.entries(given).filter(([name]) => isSecretName(fields, name));
  const config = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, isSecretName(fields, name) ? maskValue(value) : value]));
  return { config: toJson(config), secrets: new Secret(JSON.stringify({ values: Object.fromEntries(secretEntries), previous })) };
}

/** Puts a stored config together again. What is not in its form reads as not set: checking it is readConfig's. */
export function joinConfig(fields: Fields, stored: StoredConfig): { given: GivenValues; previous: PreviousSecrets } {
  const { values, previous } = asRecord(parseJson(stored.secrets.reveal()));
  const secrets = asRecord(values);
  const entries = Object.entries(fields).map(([name, field]): [string, unknown] => [name, own(isSecret(field) ? secrets : stored.config, name)]);
  const given = Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== null));
  return { given, previous: Object.fromEntries(Object.entries(asRecord(previous)).filter(isPrevious)) };
}

/** The config as the API shows it, by field name: secrets as the mask, defaults filled in, null (a list: []) where nothing is set. `config` is the JSON column. */
export function viewOf(fields: Fields, config: unknown): Readonly<Record<string, unknown>> {
  return withDefaults(fields, asRecord(config));
}

/** Every text that gives a secret of the config away (spec 5): what a redactor looks for. */
export function secretsOf(fields: Fields, given: GivenValues, previous: PreviousSecrets): string[] {
  const current = Object.entries(fields).flatMap(([name, field]) => (isSecret(field) ? secretTexts(field, given[name]) : []));
  const old = Object.entries(previous).flatMap(([name, { value }]) => (fields[name] === undefined ? [value] : secretTexts(fields[name], value)));
  return [...new Set([...current, ...old])].filter((text) => text !== '');
}

function own(values: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function withDefaults(fields: Fields, given: GivenValues): Readonly<Record<string, unknown>> {
  const effective = (name: string, field: Field): unknown => {
    const source = 'defaultFrom' in field ? own(given, field.defaultFrom ?? '') : undefined;
    return own(given, name) ?? source ?? (isList(field) ? [] : defaultOf(field));
  };
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, effective(name, field)]));
}

function fieldIssues(name: string, field: Field, value: unknown): InputIssue[] {
  if (value === null) return field.required === true ? [{ path: name, message: 'is required' }] : [];
  return valueIssues(field, value).map(({ path, message }) => ({ path: path === '' ? name : `${name}.${path}`, message }));
}

/** What tells the compiler that values without issues are what their fields say. */
function isConfig<F extends Fields>(_config: GivenValues, issues: readonly InputIssue[]): _config is ConfigOf<F> {
  return issues.length === 0;
}
function areChecked(_given: GivenValues, issues: readonly InputIssue[]): _given is CheckedValues {
  return issues.length === 0;
}

function isSecretName(fields: Fields, name: string): boolean {
  const field = fields[name];
  return field === undefined || isSecret(field);
}

function isPrevious(entry: [string, unknown]): entry is [string, PreviousSecret] {
  const { value, untilMs } = asRecord(entry[1]);
  return typeof value === 'string' && typeof untilMs === 'number';
}

function toJson(values: CheckedValues): JsonObject {
  return Object.fromEntries(Object.entries(values).map(([name, value]): [string, Json] => [name, typeof value === 'object' ? value.map(itemToJson) : value]));
}

function itemToJson(item: string | object): Json {
  return typeof item === 'string' ? item : { ...item };
}

function secretTexts(field: Field, value: unknown): string[] {
  if (field.kind === 'HEADERS') return Array.isArray(value) ? value.filter(isRecord).flatMap(({ value: text }) => headerTexts(String(text))) : [];
  if (typeof value !== 'string') return [];
  return field.kind === 'SECRET' || field.kind === 'URL' ? [value, ...(field.disguises?.(value) ?? [])] : [value];
}

/** Also as a receiver may show it: without the white space around, and its UTF-8 bytes taken for Latin-1. */
function headerTexts(value: string): string[] {
  const trimmed = value.trim();
  return [value, trimmed, ...secretParts(value)].flatMap((text) => [text, Buffer.from(text, 'utf8').toString('latin1')]);
}
