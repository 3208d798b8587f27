import { createHash } from 'node:crypto';
import type { Destination, Pace } from '../domain/pacing.ts';
import type { HttpReply, HttpRequest, Mail } from '../domain/ports.ts';
import { createRedactor, type Redactor } from '../domain/redact.ts';
import type { InputIssue } from '../lib/error.ts';
import { type GivenValues, joinConfig, type PreviousSecrets, type ReadConfig, readConfig, type StoredConfig, secretsOf } from './config.ts';
import type { ConfigOf, Fields } from './field.ts';
import type { DeliveryMessage } from './message.ts';

/** What every kind of channel is. `P` is what `prepare` makes of a config. */
interface KindDefinition<F extends Fields, P> {
  /** As the database and the API's inputs name it. */
  kind: string;
  /** How the API's types begin: `Webhook` gives WebhookConfig and WebhookConfigInput. */
  typeName: string;
  title: string;
  docsUrl: string | null;
  fields: F;
  /** Fields that say where secrets go: when one changes (a URL: its origin or path; a boolean: it is switched off), secrets must be given anew. */
  targets: readonly (keyof F & string)[];
  /** Where a config sends to, where that is paced (spec 5). Configs of equal `at` share their slots. */
  destination?: (config: ConfigOf<F>) => { at: string; pace: Pace };
  /** What the single fields cannot say: issues with paths relative to the config. */
  check?: (config: ConfigOf<F>) => InputIssue[];
  /** Work that is the same for every message of a config. Pure. `previous`: secrets that were replaced and may still count. */
  prepare: (config: ConfigOf<F>, previous: PreviousSecrets) => P;
}

/** A kind that sends by HTTP. */
export interface ChannelDefinition<F extends Fields, P> extends KindDefinition<F, P> {
  /** The request of one attempt. Pure and synchronous; its body depends on message and config alone. */
  build: (message: DeliveryMessage, prepared: P, attemptMs: number) => HttpRequest;
  /** First and last status of each range that means delivered. */
  delivered: readonly (readonly [number, number])[];
  /** What the provider's reply, which came at `nowMs`, says beyond its status. */
  readReply?: (reply: HttpReply, nowMs: number) => ReplyReading;
}

/** A kind that sends by mail. */
interface MailDefinition<F extends Fields, P> extends KindDefinition<F, P> {
  /** The mail of one attempt to all recipients. Pure and synchronous; it depends on message and config alone but for its date, which is the attempt's. */
  compose: (message: DeliveryMessage, prepared: P, attemptMs: number) => Mail;
}

/** What is left out is as the status and Retry-After say. */
export interface ReplyReading {
  isDelivered?: boolean;
  retryAfterMs?: number;
}

/** A kind of channel as its users see it, whatever its fields are. */
export interface ChannelKind {
  readonly kind: string;
  readonly typeName: string;
  readonly title: string;
  readonly docsUrl: string | null;
  readonly fields: Fields;
  readonly targets: readonly string[];
  /** Checks a whole config, secrets in the clear. */
  check(given: GivenValues): ReadConfig<Fields>;
  /** What a stored config sends to; null where that is not paced. */
  destination(stored: StoredConfig): Destination | null;
  /** Compiles a stored config, checking it again. Keep the result as long as the channel's version stays. Its problem repeats no value. */
  compile(stored: StoredConfig): { ok: true; channel: CompiledChannel } | { ok: false; problem: string };
}

/** One channel, ready to send. It holds its secrets where nothing can print them. */
export type CompiledChannel = HttpChannel | MailChannel;

interface Ready {
  readonly kind: string;
  /** Clears a text of the channel's secrets: before any cut. */
  redact: Redactor;
}

export interface HttpChannel extends Ready {
  readonly via: 'HTTP';
  /** The request of the attempt that begins at `attemptMs` (epoch milliseconds). The same message always gives the same body. */
  build(message: DeliveryMessage, attemptMs: number): HttpRequest;
  readReply(reply: HttpReply, nowMs: number): { isDelivered: boolean; retryAfterMs: number | null };
}

export interface MailChannel extends Ready {
  readonly via: 'SMTP';
  compose(message: DeliveryMessage, attemptMs: number): Mail;
}

/** Makes a kind of channel of its definition: the one place where its fields are written down. */
export function defineChannel<const F extends Fields, P>(definition: ChannelDefinition<F, P>): ChannelKind {
  const { delivered } = definition;

  function readReply(reply: HttpReply, nowMs: number): ReturnType<HttpChannel['readReply']> {
    const reading = definition.readReply?.(reply, nowMs) ?? {};
    const isDelivered = reading.isDelivered ?? delivered.some(([first, last]) => reply.status >= first && reply.status <= last);
    return { isDelivered, retryAfterMs: reading.retryAfterMs ?? null };
  }

  return defineKind(definition, (prepared, ready) => ({
    ...ready,
    via: 'HTTP',
    build: (message, attemptMs) => definition.build(message, prepared, attemptMs),
    readReply,
  }));
}

/** The same for a kind that sends by mail. */
export function defineMailChannel<const F extends Fields, P>(definition: MailDefinition<F, P>): ChannelKind {
  return defineKind(definition, (prepared, ready) => ({
    ...ready,
    via: 'SMTP',
    compose: (message, attemptMs) => definition.compose(message, prepared, attemptMs),
  }));
}

function defineKind<F extends Fields, P>(definition: KindDefinition<F, P>, makeChannel: (prepared: P, ready: Ready) => CompiledChannel): ChannelKind {
  const { kind, typeName, title, docsUrl, fields, targets } = definition;

  function check(given: GivenValues): ReadConfig<F> {
    const read = readConfig(fields, given);
    const issues = read.ok ? (definition.check?.(read.config) ?? []) : [];
    return issues.length === 0 ? read : { ok: false, issues };
  }

  function destination(stored: StoredConfig): Destination | null {
    const read = check(joinConfig(fields, stored).given);
    if (!read.ok || definition.destination === undefined) return null;
    const { at, pace } = definition.destination(read.config);
    return { key: createHash('sha256').update(`${kind} ${at}`).digest('base64url'), pace };
  }

  function compile(stored: StoredConfig): ReturnType<ChannelKind['compile']> {
    const { given, previous } = joinConfig(fields, stored);
    const read = check(given);
    if (!read.ok) return { ok: false, problem: `the channel's config is not valid: ${read.issues.map(describe).join('; ')}` };
    const prepared = definition.prepare(read.config, previous);
    return { ok: true, channel: makeChannel(prepared, { kind, redact: lazily(() => createRedactor(secretsOf(fields, given, previous))) }) };
  }

  return { kind, typeName, title, docsUrl, fields, targets, check, destination, compile };
}

/** Most channels never fail: their redactor is made when they do. */
function lazily(make: () => Redactor): Redactor {
  let made: Redactor | undefined;
  return (text) => {
    made ??= make();
    return made(text);
  };
}

function describe({ path, message }: InputIssue): string {
  return `${path} ${message}`.trim();
}
