import type { Wakeups } from '../db/wakeups.ts';
import type { AcceptedEvent } from '../domain/event.ts';
import { AppError } from '../lib/error.ts';
import { type ProjectEvent, type RecordDeps, type Recorded, type Recording, recordEvents } from './record.ts';

export interface PublishResult {
  accepted: number;
  duplicates: number;
  inboxItems: number;
  deliveries: number;
}

export interface Publisher {
  /** Takes events of one project: resolves when all that they lead to is committed. NOT_FOUND: no such project; RATE_LIMITED: too much is waiting. */
  publish(projectId: string, events: readonly AcceptedEvent[]): Promise<PublishResult>;
  /** Waits for what was taken, up to the last answer. */
  close(): Promise<void>;
}

export interface PublisherDeps extends RecordDeps {
  wakeups: Wakeups;
  /** Told which subscriptions fired, after commit. */
  onFired: (subscriptionIds: readonly string[]) => void;
}

interface Call {
  events: readonly ProjectEvent[];
  resolve: (results: Recorded[]) => void;
  reject: (error: unknown) => void;
}

/** Events a transaction, of one call or of many that came meanwhile. */
const EVENTS_PER_TRANSACTION = 1_000;
/** Events that may wait; beyond it callers are told to come back. */
const EVENTS_WAITING_MAX = 50_000;
/** Transactions at once. Two keep the database busy while this process works; on PGlite they run one after the other anyway. */
const TRANSACTIONS_MAX = 2;

/**
 * Records events in batches: while a transaction is under way, further calls wait and go together into the next. A single post at a quiet moment is
 * recorded at once; under load the cost of a transaction is shared by all that came.
 */
export function createPublisher(deps: PublisherDeps): Publisher {
  let waiting: Call[] = [];
  let eventsWaiting = 0;
  let running = 0;
  let idle: (() => void) | null = null;

  function pump(): void {
    while (running < TRANSACTIONS_MAX && waiting.length > 0) {
      running += 1;
      void runBatch(takeBatch()).finally(() => {
        running -= 1;
        pump();
        if (running === 0) idle?.();
      });
    }
  }

  /** Whole calls up to the limit of a transaction; a call never exceeds it by itself. */
  function takeBatch(): Call[] {
    let size = 0;
    const end = waiting.findIndex((call) => {
      size += call.events.length;
      return size > EVENTS_PER_TRANSACTION;
    });
    const batch = end === -1 ? waiting : waiting.slice(0, Math.max(end, 1));
    waiting = waiting.slice(batch.length);
    for (const call of batch) eventsWaiting -= call.events.length;
    return batch;
  }

  /** Each call is answered as soon as all of its own events are committed; what fails after that is not its failure. */
  async function runBatch(calls: readonly Call[]): Promise<void> {
    const open = [...calls];
    const events = calls.flatMap((call) => call.events);
    let results: Recorded[] = [];
    let place = 0;
    try {
      while (place < events.length) {
        const recording = await recordEvents(deps, events.slice(place));
        place += recording.results.length;
        results.push(...recording.results);
        announce(recording);
        for (let [call] = open; call !== undefined && call.events.length <= results.length; [call] = open) {
          call.resolve(results.slice(0, call.events.length));
          results = results.slice(call.events.length);
          open.shift();
        }
      }
    } catch (error) {
      for (const call of open) call.reject(error);
    }
  }

  function announce(recording: Recording): void {
    deps.wakeups.inbox(recording.userIds);
    for (const [projectId, ids] of recording.deliveryIds) deps.wakeups.deliveries(projectId, ids);
    if (recording.deliveryIds.size > 0) deps.wakeups.jobs();
    deps.onFired(recording.subscriptionIds);
  }

  return {
    publish: async (projectId, events) => {
      if (eventsWaiting + events.length > EVENTS_WAITING_MAX)
        throw new AppError('RATE_LIMITED', 'too many events are waiting to be recorded', { retryAfterSeconds: 1 });
      if (events.length === 0) return { accepted: 0, duplicates: 0, inboxItems: 0, deliveries: 0 };
      const results = await new Promise<Recorded[]>((resolve, reject) => {
        waiting.push({ events: events.map((event) => ({ projectId, event })), resolve, reject });
        eventsWaiting += events.length;
        pump();
      });
      return summarize(results);
    },
    close: async () => {
      if (running > 0) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      }
    },
  };
}

function summarize(results: readonly Recorded[]): PublishResult {
  const sum: PublishResult = { accepted: 0, duplicates: 0, inboxItems: 0, deliveries: 0 };
  for (const result of results) {
    if (result.fate === 'GONE') throw new AppError('NOT_FOUND', 'project not found');
    if (result.fate === 'DUPLICATE') sum.duplicates += 1;
    else {
      sum.accepted += 1;
      sum.inboxItems += result.inboxItems;
      sum.deliveries += result.deliveries;
    }
  }
  return sum;
}
