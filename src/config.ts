import { z } from 'zod';
import { parseTrustProxy, TRUST_NOBODY, type TrustProxy } from './domain/client-address.ts';
import { checkEmail } from './domain/names.ts';
import { checkOperatorToken } from './domain/token.ts';
import { parseSecretKeys, type SealKey } from './lib/seal.ts';
import { Secret } from './lib/secret.ts';
import { type EgressPolicy, parseAllowCidrs, parseEgressHosts } from './net/egress-policy.ts';
import type { EventHistory } from './pipeline/record.ts';

/** All settings, checked. Nothing else reads the environment. */
export interface Config {
  port: number;
  host: string;
  /** Without a "/" at the end. */
  publicUrl: string;
  logLevel: LogLevel;
  graphiql: boolean;
  /** Whose forwarded addresses are believed. */
  trustProxy: TrustProxy;
  /** api: everything but sending. worker: sending, and the health routes. */
  role: 'all' | 'api' | 'worker';
  /** hold: accepts and records, but sends nothing. */
  dispatch: 'send' | 'hold';
  eventHistory: EventHistory;
  /** Sends at once. */
  outboundConcurrency: number;
  egress: EgressPolicy;
  /** Files that the server makes: keys, the first admin's token, the embedded database. */
  dataDir: string;
  /** Null: the embedded database in dataDir. */
  database: { url: Secret; connectionsMax: number } | null;
  /** The first seals, all open. Null: the server makes one in dataDir. */
  secretKeys: readonly SealKey[] | null;
  firstAdmin: { email: string; token: Secret } | null;
}

export type ReadConfig = { ok: true; config: Config } | { ok: false; problems: string[] };

/** Reads the settings of an environment, or says all that is wrong with them, never with a value. A variable that is empty counts as not set. */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): ReadConfig {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const read = Settings.safeParse(given);
  const problems = [...togetherProblems(given), ...(read.error?.issues ?? []).map((issue) => `${issue.path.join('.')} ${issue.message}`)];
  if (!read.success || problems.length > 0) return { ok: false, problems };
  return { ok: true, config: toConfig(read.data) };
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type Parsed<T> = { ok: true; value: T } | { ok: false; message: string };

/** A setting that a parser reads. */
function text<T>(parse: (value: string) => Parsed<T>) {
  return z.string().transform((value, context): T => {
    const parsed = parse(value);
    if (parsed.ok) return parsed.value;
    context.addIssue({ code: 'custom', message: parsed.message });
    return z.NEVER;
  });
}

function integer(min: number, max: number) {
  return text((value): Parsed<number> => {
    const number = Number(value);
    const isIn = /^\d{1,9}$/.test(value) && number >= min && number <= max;
    return isIn ? { ok: true, value: number } : { ok: false, message: `must be a whole number from ${String(min)} to ${String(max)}` };
  });
}

function choice<const T extends readonly string[]>(...choices: T) {
  return z.enum(choices, { error: () => `must be one of ${choices.join(', ')}` });
}

const flag = choice('true', 'false').transform((value) => value === 'true');

/** Every variable, its form and its default. README lists the same. */
const Settings = z.object({
  PORT: integer(0, 65_535).default(4000),
  HOST: text(
    (value): Parsed<string> => (/^[\w.:-]{1,253}$/.test(value) ? { ok: true, value } : { ok: false, message: 'must be a host name or an address' }),
  ).default('127.0.0.1'),
  PUBLIC_URL: text(parsePublicUrl).optional(),
  LOG_LEVEL: choice(...LOG_LEVELS).default('info'),
  GRAPHIQL: flag.default(true),
  TRUST_PROXY: text(parseTrustProxy).default(TRUST_NOBODY),
  ROLE: choice('all', 'api', 'worker').default('all'),
  DISPATCH: choice('send', 'hold').default('send'),
  EVENT_HISTORY: choice('problems', 'all', 'matched').default('problems'),
  OUTBOUND_CONCURRENCY: integer(1, 1_000).default(16),
  EGRESS_ALLOW_CIDRS: text(parseAllowCidrs).default([]),
  EGRESS_ALLOW_HTTP: flag.default(false),
  EGRESS_HOSTS: text(parseEgressHosts).default([]),
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: text(parseDatabaseUrl).optional(),
  DATABASE_POOL: integer(2, 500).default(10),
  SECRET_KEYS: text((value): Parsed<SealKey[]> => {
    const parsed = parseSecretKeys(value);
    return parsed.ok ? { ok: true, value: parsed.keys } : { ok: false, message: parsed.problem };
  }).optional(),
  BOOTSTRAP_ADMIN_EMAIL: text(checkEmail).optional(),
  BOOTSTRAP_ADMIN_TOKEN: text((value): Parsed<Secret> => {
    const checked = checkOperatorToken(value);
    return checked.ok ? { ok: true, value: new Secret(checked.value) } : checked;
  }).optional(),
});

/** What single settings cannot say. */
function togetherProblems(given: Readonly<Record<string, unknown>>): string[] {
  const has = (name: string): boolean => Object.hasOwn(given, name);
  const problems: string[] = [];
  if (has('DATABASE_URL') && !has('SECRET_KEYS')) problems.push('SECRET_KEYS must be set with DATABASE_URL: id:base64 of 32 random bytes');
  if (!has('DATABASE_URL') && (given['ROLE'] === 'api' || given['ROLE'] === 'worker')) {
    problems.push('ROLE must be all without DATABASE_URL: the embedded database serves one process');
  }
  if (has('BOOTSTRAP_ADMIN_EMAIL') !== has('BOOTSTRAP_ADMIN_TOKEN')) problems.push('BOOTSTRAP_ADMIN_EMAIL and BOOTSTRAP_ADMIN_TOKEN must be set together');
  return problems;
}

function toConfig(settings: z.output<typeof Settings>): Config {
  const { PORT: port, HOST: host, DATABASE_URL: url, BOOTSTRAP_ADMIN_EMAIL: email, BOOTSTRAP_ADMIN_TOKEN: token } = settings;
  return {
    port,
    host,
    publicUrl: settings.PUBLIC_URL ?? `http://${reachableHost(host)}:${String(port)}`,
    logLevel: settings.LOG_LEVEL,
    graphiql: settings.GRAPHIQL,
    trustProxy: settings.TRUST_PROXY,
    role: settings.ROLE,
    dispatch: settings.DISPATCH,
    eventHistory: settings.EVENT_HISTORY,
    outboundConcurrency: settings.OUTBOUND_CONCURRENCY,
    egress: { allowCidrs: settings.EGRESS_ALLOW_CIDRS, allowHttp: settings.EGRESS_ALLOW_HTTP, hosts: settings.EGRESS_HOSTS },
    dataDir: settings.DATA_DIR,
    database: url === undefined ? null : { url, connectionsMax: settings.DATABASE_POOL },
    secretKeys: settings.SECRET_KEYS ?? null,
    firstAdmin: email === undefined || token === undefined ? null : { email, token },
  };
}

/** An address that listens everywhere is no place to link to. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

function parsePublicUrl(value: string): Parsed<string> {
  const url = URL.parse(value);
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  return isPlain ? { ok: true, value: value.replace(/\/+$/, '') } : { ok: false, message: 'must be an http or https URL without query and fragment' };
}

function parseDatabaseUrl(value: string): Parsed<Secret> {
  const isPostgres = /^postgres(?:ql)?:\/\//.test(value) && URL.canParse(value);
  return isPostgres ? { ok: true, value: new Secret(value) } : { ok: false, message: 'must be a postgres:// URL' };
}
