import type { Outcome } from '../domain/outcome.ts';
import { PROBE_AFTER, probeDelayMs } from '../domain/retry.ts';
import { type ChannelClass, classOf } from '../domain/slots.ts';
import type { LoadedChannel } from './load.ts';

/** What this process learned of channels by its own attempts: newer than what was loaded with a delivery. */
export interface ChannelMemory {
  /** The channel as it is by all that is known. */
  refresh(loaded: LoadedChannel): LoadedChannel;
  /** Notes how an attempt ended, and gives the channel after it. */
  learn(channel: LoadedChannel, outcome: Outcome, endedAt: number): LoadedChannel;
  /** The channel, where anything was learned of it. */
  get(channelId: string): LoadedChannel | undefined;
  /** Whether the database was heard of a channel lately: another process may have changed its config, and so ended what held it. */
  isFresh(channelId: string): boolean;
  channelIds(): Iterable<string>;
}

/** Channels of which something is remembered; the one unused for longest goes first. */
const CHANNELS_MAX = 10_000;
/** What is held is looked at again this often, by what comes for it. */
const FRESH_MS = 5_000;

export function createChannelMemory(now: () => number): ChannelMemory {
  const channels = new Map<string, LoadedChannel>();
  const heardAt = new Map<string, number>();

  function refresh(loaded: LoadedChannel): LoadedChannel {
    const known = channels.get(loaded.id);
    if (known === undefined) return loaded;
    heardAt.set(loaded.id, now());
    // A config that was changed since is another channel.
    if (known.version < loaded.version) forget(loaded.id);
    if (known.version !== loaded.version) return loaded;
    const { unreachable, probeAt } = known;
    const [heldUntil, lastSuccessAt] = [later(known.heldUntil, loaded.heldUntil), later(known.lastSuccessAt, loaded.lastSuccessAt)];
    return { ...loaded, unreachable, probeAt, heldUntil, lastSuccessAt };
  }

  function learn(channel: LoadedChannel, outcome: Outcome, endedAt: number): LoadedChannel {
    const after = afterAttempt(refresh(channel), outcome, endedAt);
    if ((channels.get(channel.id)?.version ?? 0) > channel.version) return after;
    channels.delete(channel.id);
    channels.set(channel.id, after);
    heardAt.set(channel.id, now());
    if (channels.size > CHANNELS_MAX) forget(channels.keys().next().value ?? '');
    return after;
  }

  function forget(channelId: string): void {
    channels.delete(channelId);
    heardAt.delete(channelId);
  }

  return {
    refresh,
    learn,
    get: (channelId) => channels.get(channelId),
    isFresh: (channelId) => now() - (heardAt.get(channelId) ?? 0) < FRESH_MS,
    channelIds: () => channels.keys(),
  };
}

/** Until when nothing may be sent to a channel: the provider's Retry-After, or its next probe. Null: now is fine. */
export function heldUntil(channel: LoadedChannel, nowMs: number): number | null {
  const probeAt = channel.unreachable >= PROBE_AFTER ? (channel.probeAt?.getTime() ?? 0) : 0;
  const until = Math.max(probeAt, channel.heldUntil?.getTime() ?? 0);
  return until > nowMs ? until : null;
}

export function classOfChannel({ unreachable, lastSuccessAt }: LoadedChannel, nowMs: number): ChannelClass {
  return classOf({ unreachable, lastSuccessAt: lastSuccessAt?.getTime() ?? null }, nowMs);
}

function afterAttempt(before: LoadedChannel, outcome: Outcome, endedAt: number): LoadedChannel {
  if (outcome.outcome === 'DELIVERED') return { ...before, unreachable: 0, probeAt: null, lastSuccessAt: new Date(endedAt) };
  if (outcome.outcome === 'FAILED') return { ...before, unreachable: 0, probeAt: null };
  const unreachable = outcome.unreachable ? before.unreachable + 1 : 0;
  const probeMs = probeDelayMs(unreachable);
  const held = outcome.retryAfterMs === null ? null : new Date(endedAt + outcome.retryAfterMs);
  return { ...before, unreachable, probeAt: probeMs === null ? null : new Date(endedAt + probeMs), heldUntil: later(before.heldUntil, held) };
}

function later(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}
