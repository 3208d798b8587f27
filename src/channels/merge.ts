import { parseHostName } from '../domain/host-name.ts';
import type { InputIssue } from '../lib/error.ts';
import { asRecord } from '../lib/json.ts';
import { SECRET_MASK } from '../lib/secret.ts';
import type { ChannelKind } from './channel.ts';
import { type CheckedValues, type GivenValues, joinConfig, type PreviousSecrets, type StoredConfig, splitConfig } from './config.ts';
import { defaultOf, type Field, type Fields, type FieldValue, isSecret } from './field.ts';

/** A URL of a config that the egress guard must check before it is saved, and its path within the input. */
export interface ConfigUrl {
  path: string;
  url: string;
}

/** The same of a host name with its port. */
export interface ConfigHost {
  path: string;
  host: string;
  port: number;
}

/** `hasMoved`: a target of the kind changed, so that it goes to another place than the stored one. */
export type MergeResult = { ok: true; stored: StoredConfig; urls: ConfigUrl[]; hosts: ConfigHost[]; hasMoved: boolean } | { ok: false; issues: InputIssue[] };

/**
 * The config after an input of the API (spec 4, "Secrets"), checked as a whole. `stored` is null at creation. A field that the input leaves out
 * keeps its value, null clears it; a secret that is empty or the mask keeps its value too, and headers are replaced as a whole, each
 * masked one with the stored value of its name. What is kept must not go to a new place: where a target of the kind changes, secrets must be given anew.
 * Paths of issues begin with `config.<kind>`. Egress policy is not asked: pass `urls` and `hosts` to the guard.
 */
export function mergeConfig(kind: ChannelKind, stored: StoredConfig | null, input: GivenValues, nowMs: number): MergeResult {
  const base = `config.${kind.kind}`;
  const before = stored === null ? NOTHING : joinConfig(kind.fields, stored);
  const merged = mergeFields(kind.fields, before.given, input);
  const read = kind.check(merged.given);
  const hasMoved = stored !== null && kind.targets.some((name) => isOtherPlace(kind.fields[name], before.given[name], merged.given[name]));
  const stale = hasMoved ? merged.keptSecrets.map((path) => ({ path, message: 'must be given anew: the place that it goes to changes' })) : [];
  const unknown = Object.keys(input).some((name) => !Object.hasOwn(kind.fields, name)) ? [{ path: '', message: 'has an unknown field' }] : [];
  const issues = firstByPath([...unknown, ...merged.issues, ...stale, ...(read.ok ? [] : read.issues)]);
  if (!read.ok || issues.length > 0) return { ok: false, issues: issues.map(({ path, message }) => ({ path: join(base, path), message })) };
  const previous = hasMoved ? {} : previousSecrets(kind.fields, before, read.values, nowMs);
  const urls = Object.entries(kind.fields).flatMap(([name, field]) => urlOf(join(base, name), field, read.values[name]));
  const hosts = Object.entries(kind.fields).flatMap(([name, field]) => hostOf(join(base, name), field, read.values[name], read.values));
  return { ok: true, stored: splitConfig(kind.fields, read.values, previous), urls, hosts, hasMoved };
}

const NOTHING: { given: GivenValues; previous: PreviousSecrets } = { given: {}, previous: {} };

/** Values as they would be, and what was taken from the stored config: paths are relative to the config. */
interface Merged {
  given: GivenValues;
  keptSecrets: string[];
  issues: InputIssue[];
}

function mergeFields(fields: Fields, before: GivenValues, input: GivenValues): Merged {
  const given: Record<string, unknown> = {};
  const keptSecrets: string[] = [];
  const issues: InputIssue[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const merged = mergeField(name, field, before[name], Object.hasOwn(input, name) ? input[name] : undefined);
    if (merged.value !== undefined && merged.value !== null) given[name] = merged.value;
    keptSecrets.push(...merged.keptSecrets);
    issues.push(...merged.issues);
  }
  return { given, keptSecrets, issues };
}

interface MergedField {
  value: unknown;
  keptSecrets: string[];
  issues: InputIssue[];
}

function mergeField(name: string, field: Field, before: unknown, input: unknown): MergedField {
  if (input === undefined) return { value: before, keptSecrets: isSecret(field) && hasContent(before) ? [name] : [], issues: [] };
  if (!isSecret(field)) return { value: input, keptSecrets: [], issues: [] };
  if (field.kind === 'HEADERS') return mergeHeaders(name, before, input);
  return isPlaceholder(input) ? keepSecret(name, before, input) : { value: input, keptSecrets: [], issues: [] };
}

function mergeHeaders(name: string, before: unknown, input: unknown): MergedField {
  if (!Array.isArray(input)) return { value: input, keptSecrets: [], issues: [] };
  const merged = input.map((header: unknown, index) => {
    const { name: headerName, value } = asRecord(header);
    if (!isPlaceholder(value)) return { value: header, keptSecrets: [], issues: [] };
    const kept = keepSecret(`${name}.${index}.value`, storedHeader(before, headerName), value);
    return { ...kept, value: { name: headerName, value: kept.value ?? '' } };
  });
  return { value: merged.map(({ value }) => value), keptSecrets: merged.flatMap((one) => one.keptSecrets), issues: merged.flatMap((one) => one.issues) };
}

/** The stored secret in place of an empty or masked one. */
function keepSecret(path: string, before: unknown, input: unknown): MergedField {
  if (before !== undefined) return { value: before, keptSecrets: [path], issues: [] };
  const issues = input === SECRET_MASK ? [{ path, message: 'must be given: there is no stored value that the mask could stand for' }] : [];
  return { value: undefined, keptSecrets: [], issues };
}

function storedHeader(before: unknown, name: unknown): unknown {
  const lower = String(name).toLowerCase();
  const headers = Array.isArray(before) ? before.map(asRecord) : [];
  const { value } = headers.find(({ name: other }) => String(other).toLowerCase() === lower) ?? {};
  return value;
}

function isPlaceholder(input: unknown): boolean {
  return input === '' || input === SECRET_MASK;
}

function hasContent(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined;
}

/** Whether secrets would go elsewhere: another origin or path of a URL, a protection switched off, or else any other value. */
function isOtherPlace(field: Field | undefined, before: unknown, after: unknown): boolean {
  if (field?.kind === 'URL') return placeOf(after) !== null && placeOf(after) !== placeOf(before);
  const [old, present] = [before, after].map((value) => value ?? (field === undefined ? null : defaultOf(field)));
  return field?.kind === 'BOOLEAN' ? old !== false && present === false : old !== present;
}

function placeOf(value: unknown): string | null {
  const url = URL.parse(String(value));
  return url === null ? null : url.origin + url.pathname;
}

/** Old values that still count: of what this change replaces, and of what an earlier one did. */
function previousSecrets(fields: Fields, before: typeof NOTHING, after: GivenValues, nowMs: number): PreviousSecrets {
  const entries = Object.entries(fields).flatMap(([name, field]) => {
    const keepsMs = field.kind === 'SECRET' ? field.keepsPreviousMs : undefined;
    const old = before.given[name];
    if (keepsMs === undefined || typeof old !== 'string' || after[name] === undefined) return [];
    if (after[name] !== old) return [[name, { value: old, untilMs: nowMs + keepsMs }] as const];
    const earlier = before.previous[name];
    return earlier !== undefined && earlier.untilMs > nowMs ? [[name, earlier] as const] : [];
  });
  return Object.fromEntries(entries);
}

function urlOf(path: string, field: Field, value: FieldValue | undefined): ConfigUrl[] {
  return field.kind === 'URL' && typeof value === 'string' ? [{ path, url: value }] : [];
}

function hostOf(path: string, field: Field, value: FieldValue | undefined, values: CheckedValues): ConfigHost[] {
  if (field.kind !== 'TEXT' || field.portField === undefined || typeof value !== 'string') return [];
  const host = parseHostName(value);
  return host === null ? [] : [{ path, host, port: Number(values[field.portField]) }];
}

/** The first issue of each path: what the merge says of a masked secret tells more than that it is missing. */
function firstByPath(issues: readonly InputIssue[]): InputIssue[] {
  return issues.filter(({ path }, index) => issues.findIndex((other) => other.path === path) === index);
}

function join(base: string, path: string): string {
  return path === '' ? base : `${base}.${path}`;
}
