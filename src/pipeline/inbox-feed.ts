import type { Database, Sql } from '../db/database.ts';
import type { WakeupBus } from '../db/wakeups.ts';
import type { InboxCounts } from '../domain/inbox.ts';
import type { Clock } from '../lib/clock.ts';
import { type InboxItemRow, loadItems } from './inbox-read.ts';

/** What a stream gives. `seq` is the client's position after it. ADDED has one item, UPDATED some, REMOVED the numbers of items that are gone. */
export interface InboxFeedEvent {
  kind: 'READY' | 'GAP' | 'ADDED' | 'UPDATED' | 'REMOVED';
  seq: number;
  counts: InboxCounts;
  items: InboxItemRow[];
  seqs: number[];
}

/** Where a stream begins: after a number, at the head (null), or after a cursor of a database that is gone. */
export type FeedStart = number | null | 'OTHER_EPOCH';

export interface InboxFeed {
  /**
   * Replays every change after `start` in order, or gives one GAP where that is not possible, then READY, then what comes, until `signal` aborts or the
   * consumer stops. At most one page of changes is held for a stream, and none is read before the last was taken.
   */
  open(userId: string, start: FeedStart, signal: AbortSignal): AsyncGenerator<InboxFeedEvent, void, undefined>;
  close(): void;
}

interface Stream {
  userId: string;
  after: number | null;
  /** Whether a wake-up came since the last read began. */
  isWoken: boolean;
  wake: () => void;
}

interface Request {
  stream: Stream;
  resolve: (page: Page) => void;
}

interface Page {
  head: number;
  floor: number;
  counts: InboxCounts;
  events: InboxFeedEvent[];
  /** Whether there may be more after the last event. */
  isFull: boolean;
}

/** Changes a stream's page. */
const PAGE_MAX = 100;
/** Streams a statement. */
const STREAMS_PER_READ = 500;
/** Wake-ups are hints and may be lost: every stream looks again this often. */
const LOOK_AGAIN_MS = 15_000;
const RETRY_MS = 500;

/** The live inbox: wake-ups say whose log to look at, one statement reads the pages of all streams that asked meanwhile. */
export function createInboxFeed(deps: { db: Database; wakeups: WakeupBus; clock: Clock; onError: (error: unknown) => void }): InboxFeed {
  const streams = new Map<string, Set<Stream>>();
  let requests: Request[] = [];
  let isReading = false;
  let isClosed = false;

  function wakeAll(): void {
    for (const set of streams.values()) for (const stream of set) stream.wake();
  }

  const unsubscribe = deps.wakeups.subscribe({
    inbox: (userIds) => {
      if (userIds === '*') wakeAll();
      else for (const userId of userIds) for (const stream of streams.get(userId) ?? []) stream.wake();
    },
    reconnected: wakeAll,
  });
  let stopTimer = deps.clock.after(LOOK_AGAIN_MS, lookAgain);

  function lookAgain(): void {
    wakeAll();
    stopTimer = deps.clock.after(LOOK_AGAIN_MS, lookAgain);
  }

  function read(stream: Stream): Promise<Page> {
    return new Promise((resolve) => {
      requests.push({ stream, resolve });
      if (!isReading) {
        isReading = true;
        setImmediate(() => void readAll());
      }
    });
  }

  async function readAll(): Promise<void> {
    while (requests.length > 0) {
      const batch = requests.slice(0, STREAMS_PER_READ);
      for (const { stream } of batch) stream.isWoken = false;
      try {
        const pages = await readPages(
          deps.db.sql,
          batch.map(({ stream }) => stream),
        );
        requests = requests.slice(batch.length);
        for (const [index, { resolve }] of batch.entries()) resolve(pages[index] ?? EMPTY_PAGE);
      } catch (error) {
        deps.onError(error);
        if (isClosed) break;
        await new Promise<void>((resolve) => {
          deps.clock.after(RETRY_MS, resolve);
        });
      }
    }
    isReading = false;
  }

  async function* open(userId: string, start: FeedStart, signal: AbortSignal): AsyncGenerator<InboxFeedEvent, void, undefined> {
    const stream: Stream = { userId, after: typeof start === 'number' ? start : null, isWoken: false, wake: () => {} };
    register(streams, stream);
    try {
      yield* replay(stream, start, signal);
      while (await wakeOf(stream, signal)) yield* drain(stream, signal);
    } finally {
      unregister(streams, stream);
    }
  }

  async function* replay(stream: Stream, start: FeedStart, signal: AbortSignal): AsyncGenerator<InboxFeedEvent, void, undefined> {
    const first = await read(stream);
    const isGap = start === 'OTHER_EPOCH' || (stream.after !== null && (stream.after > first.head || stream.after < first.floor));
    if (isGap) yield { kind: 'GAP', seq: first.head, counts: first.counts, items: [], seqs: [] };
    if (isGap || stream.after === null) stream.after = first.head;
    else yield* take(stream, first);
    const last = !isGap && first.isFull && !signal.aborted ? yield* drain(stream, signal) : first;
    yield { kind: 'READY', seq: stream.after, counts: last.counts, items: [], seqs: [] };
  }

  /** Gives pages until one is not full. */
  async function* drain(stream: Stream, signal: AbortSignal): AsyncGenerator<InboxFeedEvent, Page, undefined> {
    for (;;) {
      const page = await read(stream);
      yield* take(stream, page);
      if (!page.isFull || signal.aborted) return page;
    }
  }

  function* take(stream: Stream, page: Page): Generator<InboxFeedEvent, void, undefined> {
    for (const event of page.events) {
      stream.after = event.seq;
      yield event;
    }
  }

  return {
    open,
    close: () => {
      isClosed = true;
      unsubscribe();
      stopTimer();
    },
  };
}

function register(streams: Map<string, Set<Stream>>, stream: Stream): void {
  const set = streams.get(stream.userId) ?? new Set();
  streams.set(stream.userId, set.add(stream));
  stream.wake = () => {
    stream.isWoken = true;
  };
}

function unregister(streams: Map<string, Set<Stream>>, stream: Stream): void {
  const set = streams.get(stream.userId);
  set?.delete(stream);
  if (set?.size === 0) streams.delete(stream.userId);
}

/** True at the next wake-up, at once where one came since the last read; false when the signal aborts. */
function wakeOf(stream: Stream, signal: AbortSignal): Promise<boolean> {
  if (stream.isWoken || signal.aborted) return Promise.resolve(!signal.aborted);
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      stream.isWoken = true;
      stream.wake = () => {
        stream.isWoken = true;
      };
      resolve(!signal.aborted);
    };
    stream.wake = done;
    signal.addEventListener('abort', done);
  });
}

const EMPTY_PAGE: Page = { head: 0, floor: 0, counts: { unread: 0, unseen: 0 }, events: [], isFull: false };

interface ChangeRow {
  place: number;
  head: number;
  floor: number;
  unread: number;
  unseen: number;
  seq: number | null;
  kind: 'ADDED' | 'UPDATED' | 'REMOVED' | null;
  /** Null on an addition whose item stands: the item's own row is the change. */
  items: number[] | null;
}

/** One page for each stream, in their order: heads, counts and changes of one snapshot; items as they are right after. */
async function readPages(sql: Sql, streams: readonly Stream[]): Promise<Page[]> {
  const rows = await sql.query<ChangeRow>(
    `SELECT s.place, b.head, b.floor, b.unread, b.unseen, c.seq, c.kind, array_to_json(c.items) AS items
     FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS s(user_id, after, place) JOIN inboxes AS b ON b.user_id = s.user_id AND b.user_id = ANY($1::uuid[])
     LEFT JOIN LATERAL (
       (SELECT seq, 'ADDED' AS kind, NULL::bigint[] AS items FROM inbox_items WHERE user_id = s.user_id AND seq > coalesce(s.after, b.head) ORDER BY seq LIMIT ${String(PAGE_MAX)})
       UNION ALL
       (SELECT seq, kind, items FROM inbox_changes WHERE user_id = s.user_id AND seq > coalesce(s.after, b.head) ORDER BY seq LIMIT ${String(PAGE_MAX)})
       ORDER BY seq LIMIT ${String(PAGE_MAX)}
     ) AS c ON true ORDER BY s.place, c.seq`,
    [streams.map((stream) => stream.userId), streams.map((stream) => stream.after)],
  );
  const keys = rows.flatMap((row) => itemSeqs(row).map((seq) => ({ userId: userAt(streams, row), seq })));
  const items = new Map((await loadItems(sql, keys)).map((item) => [`${item.userId}:${String(item.seq)}`, item]));
  const pages = streams.map<Page>(() => ({ ...EMPTY_PAGE, events: [] }));
  for (const row of rows) {
    const page = pages[row.place - 1];
    if (page === undefined) continue;
    Object.assign(page, { head: row.head, floor: row.floor, counts: { unread: row.unread, unseen: row.unseen } });
    if (row.seq !== null) page.events.push(eventOf(row, row.seq, userAt(streams, row), page.counts, items));
    page.isFull = page.events.length === PAGE_MAX;
  }
  return pages;
}

function userAt(streams: readonly Stream[], row: ChangeRow): string {
  return streams[row.place - 1]?.userId ?? '';
}

function itemSeqs(row: ChangeRow): number[] {
  if (row.kind === 'UPDATED') return row.items ?? [];
  return row.kind === 'ADDED' && row.items === null && row.seq !== null ? [row.seq] : [];
}

/** A change whose items are all gone meanwhile is a removal. */
function eventOf(row: ChangeRow, seq: number, userId: string, counts: InboxCounts, items: ReadonlyMap<string, InboxItemRow>): InboxFeedEvent {
  const named = row.items ?? [seq];
  const found = itemSeqs(row).flatMap((itemSeq) => items.get(`${userId}:${String(itemSeq)}`) ?? []);
  if (row.kind === null || row.kind === 'REMOVED' || found.length === 0) return { kind: 'REMOVED', seq, counts, items: [], seqs: named };
  return { kind: row.kind, seq, counts, items: found, seqs: [] };
}
