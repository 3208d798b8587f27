import type { WakeupBus } from '../db/wakeups.ts';
import type { Outcome } from '../domain/outcome.ts';
import { PROBE_AFTER, isTooOld, probeDelayMs } from '../domain/retry.ts';
import { type ChannelClass, classOf, createSlots } from '../domain/slots.ts';
import type { Clock } from '../lib/clock.ts';
import type { ClaimedJob } from './jobs.ts';
import { type LoadedChannel, type LoadedDelivery, loadDeliveries } from './load.ts';
import { createSettler } from './settler.ts';
import type { SettleDeps } from './settle.ts';

export interface DispatcherDeps extends SettleDeps {
  wakeups: WakeupBus;
  clock: Clock;
  /** Sends at once (OUTBOUND_CONCURRENCY). */
  concurrency: number;
  /** One attempt over the network; never throws for what the receiver does. */
  attempt: (delivery: LoadedDelivery, channel: LoadedChannel) => Promise<Outcome>;
  onError: (error: unknown) => void;
}

export interface Dispatcher {
  start(): void;
  /** Takes no more jobs, gives back those that wait, and resolves when what is under way has settled. */
  stop(): Promise<void>;
}

/** A claimed job whose delivery may be sent as soon as there is a slot. */
interface Ready {
  job: ClaimedJob;
  delivery: LoadedDelivery;
  channel: LoadedChannel;
  loadedAt: number;
}

/** Jobs a fetch. Fixed, so that the statement is prepared once. */
const FETCH_BATCH = 32;
/** From the start of one fetch to the next: under load, jobs of several recordings are claimed together. The first of a quiet time goes at once. */
const FETCH_PACE_MS = 4;
/** Claimed jobs that wait for a slot; below it more are fetched. */
const READY_LOW = 16;
/** Of one channel: beyond it, no more of it are fetched. */
const READY_PER_CHANNEL = 16;
/** A job that waited this long is given back: what was loaded with it is no longer fresh, and its claim must outlive the send. */
const READY_MAX_MS = 1_000;
/** Wake-ups may be lost, and retries fall due: the queue is looked at this often. */
const POLL_MS = 500;
/** Settlements that may wait before sending pauses. */
const UNSETTLED_MAX = 500;

/**
 * Drives deliveries: claims due jobs in batches, loads what they need in one statement, sends within the slots' limits, and hands the endings to the settler.
 * A slot is held by the network call alone, never by the database.
 */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const slots = createSlots(deps.concurrency);
  const settler = createSettler(deps);
  const ready = new Map<string, Ready[]>();
  /** What this process saw last of channels that are in trouble: newer than what was loaded. */
  const memory = new Map<string, LoadedChannel>();
  let isStopped = true;
  let isFetching = false;
  let isHinted = false;
  /** Channels that the last fetch passed over, of which there may be more. */
  let passedOver: string[] = [];
  let stopPolling = () => {};
  let underWay: Promise<void>[] = [];

  function start(): void {
    isStopped = false;
    stopPolling = everyPoll(() => {
      isHinted = true;
      giveBackOld();
      pump();
    });
    pump();
  }

  function everyPoll(run: () => void): () => void {
    let cancel = deps.clock.after(POLL_MS, tick);
    function tick(): void {
      cancel = deps.clock.after(POLL_MS, tick);
      run();
    }
    return () => {
      cancel();
    };
  }

  const unsubscribe = deps.wakeups.subscribe({
    jobs: () => {
      isHinted = true;
      pump();
    },
  });

  /** Starts what has a slot, then fetches more where there is room for it. */
  function pump(): void {
    if (isStopped) return;
    sendReady();
    if (!isHinted && passedOver.length > 0) isHinted = passedOver.some((channelId) => !isClosed(channelId, READY_PER_CHANNEL / 2));
    if (!isHinted || isFetching || readyCount() >= READY_LOW || settler.waiting() > UNSETTLED_MAX) return;
    isFetching = true;
    isHinted = false;
    const startedAt = deps.clock.now();
    void fetch().finally(() => {
      const restMs = FETCH_PACE_MS - (deps.clock.now() - startedAt);
      if (restMs > 0) deps.clock.after(restMs, fetched);
      else fetched();
    });
  }

  function fetched(): void {
    isFetching = false;
    pump();
  }

  async function fetch(): Promise<void> {
    try {
      passedOver = closedChannels();
      const jobs = await deps.jobs.claim(FETCH_BATCH, passedOver);
      if (jobs.length === 0) return;
      const loadedAt = deps.clock.now();
      const deliveries = await loadDeliveries(deps.db.sql, jobs);
      for (const job of jobs) triage(job, deliveries.get(job.deliveryId), loadedAt);
      if (jobs.length === FETCH_BATCH) isHinted = true;
    } catch (error) {
      deps.onError(error);
    }
  }

  /** Decides without the network what can be so decided. */
  function triage(job: ClaimedJob, delivery: LoadedDelivery | undefined, nowMs: number): void {
    if (delivery === undefined) settler.add({ job, kind: 'STALE' });
    else if (delivery.channel === null) settler.add({ job, kind: 'CANCEL', reason: 'CHANNEL_DELETED' });
    else if (!delivery.channel.isActive) settler.add({ job, kind: 'CANCEL', reason: 'CHANNEL_OFF' });
    else if (!delivery.stands || delivery.event === null || delivery.project === null) settler.add({ job, kind: 'CANCEL', reason: 'NO_SUBSCRIPTION' });
    else if (isTooOld(delivery.queuedAt.getTime(), delivery.roundAttempts, nowMs)) settler.add({ job, kind: 'CANCEL', reason: 'TOO_OLD' });
    else if (isStopped) settler.add({ job, kind: 'POSTPONE', at: nowMs });
    else enqueue({ job, delivery, channel: remembered(delivery.channel), loadedAt: nowMs });
  }

  function enqueue(entry: Ready): void {
    const waitUntil = heldUntil(entry.channel, deps.clock.now());
    if (waitUntil !== null) {
      settler.add({ job: entry.job, kind: 'POSTPONE', at: waitUntil + Math.round(deps.random() * HELD_SPREAD_MS) });
      return;
    }
    const queue = ready.get(entry.channel.id) ?? [];
    ready.set(entry.channel.id, queue);
    queue.push(entry);
  }

  /** What was loaded, or what an attempt of this process taught since. */
  function remembered(loaded: LoadedChannel): LoadedChannel {
    const known = memory.get(loaded.id);
    if (known === undefined) return loaded;
    return { ...loaded, unreachable: known.unreachable, probeAt: known.probeAt, heldUntil: known.heldUntil, lastSuccessAt: later(known.lastSuccessAt, loaded.lastSuccessAt) };
  }

  /** One round over the channels after another, each giving its oldest, until no channel has both a job and a slot. */
  function sendReady(): void {
    for (let isProgress = true; isProgress && settler.waiting() <= UNSETTLED_MAX; ) {
      isProgress = false;
      for (const [channelId, queue] of ready) {
        const [entry] = queue;
        if (entry === undefined) {
          ready.delete(channelId);
          continue;
        }
        const channel = remembered(entry.channel);
        if (heldUntil(channel, deps.clock.now()) !== null) {
          ready.delete(channelId);
          for (const held of queue) enqueue({ ...held, channel });
          continue;
        }
        const channelClass = classOf(stateOf(channel), deps.clock.now());
        if (!slots.take(channelId, channelClass)) continue;
        queue.shift();
        isProgress = true;
        const sending = send(entry, channel, channelClass).finally(() => {
          underWay = underWay.filter((one) => one !== sending);
        });
        underWay.push(sending);
      }
    }
  }

  async function send(entry: Ready, channel: LoadedChannel, channelClass: ChannelClass): Promise<void> {
    const startedAt = deps.clock.now();
    try {
      const outcome = await deps.attempt(entry.delivery, channel);
      const endedAt = deps.clock.now();
      const after = learn(channel, outcome, endedAt);
      settler.add({
        job: entry.job,
        kind: 'ATTEMPT',
        attempt: {
          outcome,
          number: entry.delivery.attemptCount + 1,
          roundNumber: entry.delivery.roundAttempts + 1,
          startedAt,
          endedAt,
          unreachable: after.unreachable,
          probeAt: after.probeAt?.getTime() ?? null,
        },
      });
    } catch (error) {
      // A bug of ours, not the receiver's doing: the claim expires and another attempt is made, within 30 s and not at once.
      deps.onError(error);
    } finally {
      slots.release(channel.id, channelClass);
      pump();
    }
  }

  /** The channel after an attempt: counts what could not reach it, and when to probe it or to go on. */
  function learn(channel: LoadedChannel, outcome: Outcome, endedAt: number): LoadedChannel {
    const before = remembered(channel);
    const isUnreachable = outcome.outcome === 'RETRY' && outcome.unreachable;
    const unreachable = isUnreachable ? before.unreachable + 1 : 0;
    const probeMs = probeDelayMs(unreachable);
    const heldMs = outcome.outcome === 'RETRY' ? outcome.retryAfterMs : null;
    const after: LoadedChannel = {
      ...before,
      unreachable,
      probeAt: probeMs === null ? null : new Date(endedAt + probeMs),
      heldUntil: heldMs === null ? before.heldUntil : later(before.heldUntil, new Date(endedAt + heldMs)),
      lastSuccessAt: outcome.outcome === 'DELIVERED' ? new Date(endedAt) : before.lastSuccessAt,
    };
    memory.delete(channel.id);
    memory.set(channel.id, after);
    if (memory.size > MEMORY_MAX) memory.delete(memory.keys().next().value ?? '');
    return after;
  }

  /** Channels none of whose jobs are fetched now. */
  function closedChannels(): string[] {
    return [...new Set([...memory.keys(), ...ready.keys()])].filter((channelId) => isClosed(channelId, READY_PER_CHANNEL));
  }

  /** Whether enough of a channel is at hand, or it may take nothing now. */
  function isClosed(channelId: string, enough: number): boolean {
    if ((ready.get(channelId)?.length ?? 0) >= enough) return true;
    const channel = memory.get(channelId);
    if (channel === undefined) return false;
    const nowMs = deps.clock.now();
    const channelClass = classOf(stateOf(channel), nowMs);
    return heldUntil(channel, nowMs) !== null || (channelClass !== 'PROVEN' && !slots.isOpen(channelId, channelClass));
  }

  /** Jobs that go as soon as any slot is free; those of a channel that is at its own limit are not among them. */
  function readyCount(): number {
    let count = 0;
    for (const [channelId, queue] of ready) {
      const [entry] = queue;
      if (entry === undefined) continue;
      if (slots.used() === deps.concurrency || slots.isOpen(channelId, classOf(stateOf(remembered(entry.channel)), deps.clock.now()))) count += queue.length;
    }
    return count;
  }

  function giveBackOld(): void {
    const oldestMs = deps.clock.now() - READY_MAX_MS;
    for (const [channelId, queue] of ready) {
      const kept = queue.filter((entry) => entry.loadedAt > oldestMs);
      for (const entry of queue) if (entry.loadedAt <= oldestMs) settler.add({ job: entry.job, kind: 'POSTPONE', at: deps.clock.now() });
      if (kept.length > 0) ready.set(channelId, kept);
      else ready.delete(channelId);
    }
  }

  async function stop(): Promise<void> {
    isStopped = true;
    stopPolling();
    unsubscribe();
    for (const queue of ready.values()) for (const { job } of queue) settler.add({ job, kind: 'POSTPONE', at: deps.clock.now() });
    ready.clear();
    await Promise.all(underWay);
    await settler.drain();
  }

  return { start, stop };
}

/** Deliveries of a channel that is held come back spread over this time, not all at once. */
const HELD_SPREAD_MS = 500;
/** Channels of which something is remembered. */
const MEMORY_MAX = 10_000;

/** Until when nothing may be sent to a channel: the provider's Retry-After, or its next probe. Null: now is fine. */
function heldUntil(channel: LoadedChannel, nowMs: number): number | null {
  const probeAt = channel.unreachable >= PROBE_AFTER ? (channel.probeAt?.getTime() ?? 0) : 0;
  const until = Math.max(probeAt, channel.heldUntil?.getTime() ?? 0);
  return until > nowMs ? until : null;
}

function stateOf(channel: LoadedChannel): { unreachable: number; lastSuccessAt: number | null } {
  return { unreachable: channel.unreachable, lastSuccessAt: channel.lastSuccessAt?.getTime() ?? null };
}

function later(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}
