import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFeedClient, type FeedClient, type FeedEvent, seqOfCursor } from '../../support/feed-client.ts';
import { gql } from '../../support/gql.ts';
import { until } from '../../support/pipeline.ts';
import { ADMIN_TOKEN, clientOf } from '../../support/server-process.ts';
import { differences, readInbox } from './log.ts';
import { openWorld, type World } from './world.ts';

// Criterion 4 of the first issue: who stops reading disturbs nobody, costs no memory, and misses nothing.

/** 60 MB that wait for a client that reads nothing, once for each of its subscriptions; the system's own buffers take less than 10 of them. */
const DATA = { text: 'x'.repeat(24 * 1_024) };
const QUIET_EVENTS = 400;
const FLOOD_EVENTS = 2_520;
const BATCH = 40;
const SUBSCRIPTIONS = 10;
/** Node lets garbage lie while there is room: with less of it, memory says what is held. */
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=200' };
/** What a heap may breathe; a server that kept what nobody reads would grow by 600 MB. */
const GROWTH_BYTES_MAX = 250 * 1_024 * 1_024;
/** Who stops reading may cost others no more than one who reads; less than this is noise. */
const LAG_MS_MAX = 1_000;

let world: World;
const clients: FeedClient[] = [];

beforeAll(async () => {
  world = await openWorld(0, SMALL_HEAP);
}, 120_000);

afterAll(async () => {
  for (const client of clients) client.close();
  await world.close();
});

test('one client that reads nothing, and thousands of changes for it', async () => {
  const start = await cursors();
  const slow = open(world.devices[0], start.alice, SUBSCRIPTIONS);
  const quick = open(ADMIN_TOKEN, start.admin, 1);
  const before = await flood('quiet', QUIET_EVENTS, quick);
  await until(() => slow.seq() === quick.seq(), 'both have everything', 60_000);

  slow.client.pause();
  const during = await flood('flood', FLOOD_EVENTS, quick);
  process.stdout.write(`${JSON.stringify({ before, during, connections: slow.client.connections() })}\n`);
  const ownSeq = slow.seq();
  slow.client.resume();
  await until(() => slow.seq() === QUIET_EVENTS + FLOOD_EVENTS, 'the slow client has caught up', 120_000);

  expect(ownSeq, 'what the paused client had taken').toBeLessThan(QUIET_EVENTS + FLOOD_EVENTS);
  expect(during.lagMs, 'from the answer of a post to the socket of another user').toBeLessThan(Math.max(LAG_MS_MAX, before.lagMs));
  expect(during.rss - before.rss, 'growth in bytes').toBeLessThan(GROWTH_BYTES_MAX);
  expect(await world.server().stop()).toBe(0);
  const [alice, admin] = await world.place.inspect(async (query) => [await readInbox(query, world.aliceId), await readInbox(query, start.adminId)] as const);
  expect(differences(slow.events, alice, seqOfCursor(start.alice))).toEqual([]);
  expect(differences(quick.events, admin, seqOfCursor(start.admin))).toEqual([]);
}, 400_000);

interface Follower {
  client: FeedClient;
  events: FeedEvent[];
  seq(): number;
  /** Resolves when the event of this id has come. */
  received(eventId: string): Promise<void>;
}

async function cursors(): Promise<{ alice: string; admin: string; adminId: string }> {
  const { viewer } = await clientOf(world.server().url).data(gql(`{ viewer { inboxCursor user { id } } }`));
  return { alice: await world.inboxCursor(), admin: viewer.inboxCursor, adminId: viewer.user.id };
}

function open(token: string, cursor: string, subscriptions: number): Follower {
  const events: FeedEvent[] = [];
  const seen = new Set<string>();
  const client = createFeedClient({
    url: () => world.server().url,
    token,
    cursor,
    subscriptions,
    onEvent: (event) => {
      events.push(event);
      seen.add(event.item?.eventId ?? '');
    },
  });
  clients.push(client);
  return {
    client,
    events,
    seq: () => seqOfCursor(client.cursor()),
    received: (eventId) => until(() => seen.has(eventId), `${eventId} has come`, 60_000),
  };
}

/** Publishes batch after batch, each when the last has come. Gives the 95th percentile of the way to the socket, and the most memory that the server held. */
async function flood(prefix: string, count: number, follower: Follower): Promise<{ lagMs: number; rss: number }> {
  const lagsMs: number[] = [];
  let rss = 0;
  for (let next = 0; next < count; next += BATCH) {
    const ids = Array.from({ length: BATCH }, (_, index) => `${prefix}-${next + index}`);
    await world.publish('shop', ids, DATA);
    const answeredAt = performance.now();
    await follower.received(ids.at(-1) ?? '');
    lagsMs.push(performance.now() - answeredAt);
    rss = Math.max(rss, await residentBytes(world.server().pid));
  }
  return { lagMs: Math.round(lagsMs.sort((a, b) => a - b)[Math.floor(lagsMs.length * 0.95)] ?? 0), rss };
}

async function residentBytes(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout) * 1_024;
}
