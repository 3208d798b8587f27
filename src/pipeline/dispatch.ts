import type { WakeupBus } from '../db/wakeups.ts';
import type { Outcome } from '../domain/outcome.ts';
import { type ChannelClass, createSlots } from '../domain/slots.ts';
import type { Clock } from '../lib/clock.ts';
import { classOfChannel, createChannelMemory, heldUntil } from './channel-memory.ts';
import { createIntake, type Ready } from './intake.ts';
import type { LoadedChannel, LoadedDelivery } from './load.ts';
import type { SettleDeps } from './settle.ts';
import { createSettler } from './settler.ts';

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
/** Deliveries of a channel that is held come back spread over this time, not all at once. */
const HELD_SPREAD_MS = 500;

/**
 * Drives deliveries: claims due jobs in batches, loads what they need in one statement, sends within the slots' limits, and hands the endings to the settler.
 * A slot is held by the network call alone, never by the database.
 */
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { clock } = deps;
  const slots = createSlots(deps.concurrency);
  const settler = createSettler(deps);
  const memory = createChannelMemory(() => clock.now());
  const intake = createIntake({ db: deps.db, clock, settler, memory, onDue: hint });
  const ready = new Map<string, Ready[]>();
  const underWay = new Set<Promise<void>>();
  let isStopped = true;
  let isFetching = false;
  let fetching = Promise.resolve();
  let isHinted = false;
  /** Channels that the last fetch passed over, of which there may be more. */
  let passedOver: string[] = [];
  let stopPolling = (): void => {};

  const unsubscribe = deps.wakeups.subscribe({ jobs: hint });

  function hint(): void {
    isHinted = true;
    pump();
  }

  function start(): void {
    isStopped = false;
    poll();
  }

  function poll(): void {
    stopPolling = clock.after(POLL_MS, poll);
    giveBack((entry) => entry.loadedAt <= clock.now() - READY_MAX_MS);
    hint();
  }

  /** Starts what has a slot, then fetches more where there is room for it. */
  function pump(): void {
    if (isStopped) return;
    sendReady();
    isHinted ||= passedOver.some((channelId) => !isClosed(channelId, READY_PER_CHANNEL / 2));
    if (!isHinted || isFetching || readyCount() >= READY_LOW || settler.waiting() > UNSETTLED_MAX) return;
    isFetching = true;
    isHinted = false;
    const startedAt = clock.now();
    fetching = fetch();
    void fetching.finally(() => {
      const restMs = FETCH_PACE_MS - (clock.now() - startedAt);
      if (restMs > 0) clock.after(restMs, fetched);
      else fetched();
    });
  }

  function fetched(): void {
    isFetching = false;
    pump();
  }

  async function fetch(): Promise<void> {
    try {
      passedOver = [...new Set([...memory.channelIds(), ...ready.keys()])].filter((channelId) => isClosed(channelId, READY_PER_CHANNEL));
      const jobs = await deps.jobs.claim(FETCH_BATCH, passedOver);
      if (jobs.length === 0) return;
      for (const entry of await intake.take(jobs)) {
        if (isStopped) settler.add({ job: entry.job, kind: 'GIVE_BACK' });
        else enqueue(entry);
      }
      if (jobs.length === FETCH_BATCH) isHinted = true;
      pump();
    } catch (error) {
      deps.onError(error);
    }
  }

  function enqueue(entry: Ready): void {
    const until = heldUntil(entry.channel, clock.now());
    if (until !== null) {
      settler.add({ job: entry.job, kind: 'POSTPONE', at: until + Math.round(deps.random() * HELD_SPREAD_MS), hasSlot: false });
      return;
    }
    const queue = ready.get(entry.channel.id) ?? [];
    ready.set(entry.channel.id, queue);
    queue.push(entry);
  }

  /** Rounds over the channels, each giving its oldest, until no channel has both a job and a slot. */
  function sendReady(): void {
    for (let isProgress = true; isProgress && settler.waiting() <= UNSETTLED_MAX; ) {
      isProgress = false;
      for (const [channelId, queue] of ready) isProgress = sendFirst(channelId, queue) || isProgress;
    }
  }

  /** Whether the channel's first job got a slot. Jobs of a channel that is held by now are put off. */
  function sendFirst(channelId: string, queue: Ready[]): boolean {
    const [entry] = queue;
    if (entry === undefined) {
      ready.delete(channelId);
      return false;
    }
    const channel = memory.refresh(entry.channel);
    if (heldUntil(channel, clock.now()) !== null) {
      ready.delete(channelId);
      for (const held of queue) enqueue({ ...held, channel });
      return false;
    }
    if (clock.now() > entry.sendBy) {
      queue.shift();
      settler.add({ job: entry.job, kind: 'POSTPONE', at: clock.now(), hasSlot: false });
      return true;
    }
    const channelClass = classOfChannel(channel, clock.now());
    if (!slots.take(channelId, channelClass)) return false;
    queue.shift();
    const sending = send(entry, channel, channelClass);
    underWay.add(sending);
    void sending.finally(() => underWay.delete(sending));
    return true;
  }

  async function send({ job, delivery }: Ready, channel: LoadedChannel, channelClass: ChannelClass): Promise<void> {
    const startedAt = clock.now();
    try {
      const outcome = await deps.attempt(delivery, channel);
      const endedAt = clock.now();
      const { unreachable, probeAt } = memory.learn(channel, outcome, endedAt);
      const numbers = { number: delivery.attemptCount + 1, roundNumber: delivery.roundAttempts + 1 };
      settler.add({ job, kind: 'ATTEMPT', attempt: { outcome, ...numbers, startedAt, endedAt, unreachable, probeAt: probeAt?.getTime() ?? null } });
    } catch (error) {
      // A bug of ours, not the receiver's doing: the claim expires and another attempt is made, within 45 s and not at once.
      deps.onError(error);
    } finally {
      slots.release(channel.id, channelClass);
      pump();
    }
  }

  /** Whether enough of a channel is at hand, or it may take nothing now: none of its jobs are fetched. */
  function isClosed(channelId: string, enough: number): boolean {
    if ((ready.get(channelId)?.length ?? 0) >= enough) return true;
    const channel = memory.get(channelId) ?? ready.get(channelId)?.[0]?.channel;
    if (channel === undefined) return false;
    const channelClass = classOfChannel(channel, clock.now());
    const isHeld = heldUntil(channel, clock.now()) !== null && memory.isFresh(channelId);
    return isHeld || (channelClass !== 'PROVEN' && !slots.isOpen(channelId, channelClass));
  }

  /** Jobs that go as soon as any slot is free; those of a channel that is at its own limit are not among them. */
  function readyCount(): number {
    let count = 0;
    for (const [channelId, queue] of ready) {
      const [entry] = queue;
      if (entry === undefined) continue;
      if (slots.used() === deps.concurrency || slots.isOpen(channelId, classOfChannel(memory.refresh(entry.channel), clock.now()))) count += queue.length;
    }
    return count;
  }

  function giveBack(which: (entry: Ready) => boolean): void {
    for (const [channelId, queue] of ready) {
      for (const entry of queue.filter(which)) settler.add({ job: entry.job, kind: 'GIVE_BACK' });
      const kept = queue.filter((entry) => !which(entry));
      if (kept.length > 0) ready.set(channelId, kept);
      else ready.delete(channelId);
    }
  }

  async function stop(): Promise<void> {
    isStopped = true;
    stopPolling();
    unsubscribe();
    giveBack(() => true);
    await fetching;
    await Promise.all(underWay);
    await settler.drain();
  }

  return { start, stop };
}
