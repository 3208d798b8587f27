import type { ChannelKind } from '../channels/channel.ts';
import type { StoredConfig } from '../channels/config.ts';
import { mergeConfig } from '../channels/merge.ts';
import { CHANNELS, channelOf } from '../channels/registry.ts';
import type { Pace } from '../domain/pacing.ts';
import type { HttpPort, MailPort } from '../domain/ports.ts';
import type { Channel } from '../generated/prisma/client.ts';
import { badInput } from '../lib/error.ts';
import { isRecord } from '../lib/json.ts';
import type { Keyring } from '../lib/seal.ts';
import { Secret } from '../lib/secret.ts';

/** A config as the API takes it: exactly one kind, with its fields. */
export type ConfigInput = Readonly<Record<string, unknown>>;

/** The kind that a config is of, and its fields. Throws BAD_USER_INPUT where there is not exactly one kind that is built. */
export function kindOf(config: ConfigInput): { kind: ChannelKind; fields: Readonly<Record<string, unknown>> } {
  const given = Object.entries(config).filter(([, fields]) => fields !== undefined && fields !== null);
  const [name, fields] = given[0] ?? [];
  const kind = name === undefined ? null : channelOf(name);
  if (given.length !== 1 || kind === null || !isRecord(fields)) {
    throw badInput([{ path: 'config', message: `must have exactly one of ${Object.keys(CHANNELS).join(', ')}` }]);
  }
  return { kind, fields };
}

/** A config that may be stored, or sent by once. */
export interface PreparedConfig {
  stored: StoredConfig;
  /** Whether it goes to another place than the one that it was laid over. */
  hasMoved: boolean;
}

/**
 * What is to be stored after `config` was laid over what is stored (null: nothing), by the rules of spec 4, egress policy included. Asks the network, so
 * never call it in a transaction. Throws BAD_USER_INPUT.
 */
export async function prepareConfig(
  { http, mail }: { http: Pick<HttpPort, 'check'>; mail: Pick<MailPort, 'check'> },
  config: ConfigInput,
  stored: { type: string; config: StoredConfig } | null,
  nowMs: number,
): Promise<PreparedConfig> {
  const { kind, fields } = kindOf(config);
  if (stored !== null && stored.type !== kind.kind)
    throw badInput([{ path: `config.${kind.kind}`, message: 'must be of the kind of the channel: kinds do not change' }]);
  const merged = mergeConfig(kind, stored?.config ?? null, fields, nowMs);
  if (!merged.ok) throw badInput(merged.issues);
  const checks = await Promise.all([
    ...merged.urls.map(async ({ path, url }) => ({ path, check: await http.check(url) })),
    ...merged.hosts.map(async ({ path, host, port }) => ({ path, check: await mail.check(host, port) })),
  ]);
  const issues = checks.flatMap(({ path, check }) => (check.ok ? [] : [{ path, message: check.message }]));
  if (issues.length > 0) throw badInput(issues);
  return { stored: merged.stored, hasMoved: merged.hasMoved };
}

/** The columns of a channel's config, its secrets sealed for its row. */
export function sealConfig(
  keyring: Keyring,
  { id, type }: Pick<Channel, 'id' | 'type'>,
  stored: StoredConfig,
): { config: object; secrets: string; destination: string | null; pace: Pace | null } {
  const { key = null, pace = null } = channelOf(type)?.destination(stored) ?? {};
  return { config: stored.config, secrets: keyring.seal(stored.secrets.reveal(), id), destination: key, pace };
}

/** The config of a row, its secrets open. Throws a SealError where they do not open. */
export function openConfig(keyring: Keyring, row: Pick<Channel, 'id' | 'config' | 'secrets'>): StoredConfig {
  return { config: isRecord(row.config) ? (row.config as StoredConfig['config']) : {}, secrets: new Secret(keyring.open(row.secrets, row.id)) };
}

/** A config ready to send, or why it cannot be, which repeats no value of it. */
export function compileConfig(type: string, config: StoredConfig): ReturnType<ChannelKind['compile']> {
  return channelOf(type)?.compile(config) ?? { ok: false, problem: 'this version of the server does not know this kind of channel' };
}
