import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFeedClient, type FeedClient, type FeedEvent, type FeedPhase, seqOfCursor } from '../../support/feed-client.ts';
import { gql } from '../../support/gql.ts';
import { until } from '../../support/pipeline.ts';
import { createRandom } from '../../support/random.ts';
import { clientOf } from '../../support/server-process.ts';
import { differences, readInbox } from './log.ts';
import { openWorld, type World } from './world.ts';

// Criterion 4 of the first issue: whoever resumes by the last cursor has every change once and in order, whatever is cut.

const CHANGES = 5_000;
const ITEMS = 3_400;
const GONE_ITEMS = 150;
const RESTARTS_AT = [700, 1_600, 2_400, 3_300, 4_200];
/** Sixty sockets are cut in the middle of the stream; of the connections after them, some right after they opened, some right after they subscribed. */
const CUTS: FeedPhase[][] = [...Array<FeedPhase[]>(20).fill(['opened']), ...Array<FeedPhase[]>(20).fill(['subscribed']), ...Array<FeedPhase[]>(20).fill([])];
const OPERATIONS = ['markSeen', 'markRead', 'markUnread', 'archive', 'unarchive'];
const DEADLINE_MS = 400_000;

const random = createRandom();
const events: FeedEvent[] = [];
/** Ids of items that the client knows. */
const known: string[] = [];
let world: World;
let client: FeedClient;

beforeAll(async () => {
  world = await openWorld(RESTARTS_AT.length);
}, 120_000);

afterAll(async () => {
  client.close();
  await world.close();
});

const seq = (): number => seqOfCursor(client.cursor());

test('5,000 changes, 100 cut sockets, 5 killed servers: every change once, in order', async () => {
  const startedAt = Date.now();
  const cutter = createCutter();
  const cursor = await world.inboxCursor();
  client = createFeedClient({
    url: () => world.server().url,
    token: world.devices[0],
    cursor,
    onEvent: (event) => {
      events.push(event);
      if (event.item !== undefined) known.push(event.item.id);
      cutter.onEvent();
    },
    onPhase: cutter.onPhase,
  });
  await Promise.all([publish(), device(world.devices[0]), device(world.devices[0]), device(world.devices[1]), device(world.devices[1]), restart(), leave()]);
  const head = seqOfCursor(await world.inboxCursor());
  await until(() => seq() === head, 'the client has everything', 60_000);

  const { viewer } = await clientOf(world.server().url).data(gql(`{ viewer { inboxCounts { unread unseen } } }`), {}, world.devices[1]);
  expect(await world.server().stop()).toBe(0);
  const stored = await world.place.inspect((query) => readInbox(query, world.aliceId));
  process.stdout.write(`${JSON.stringify({ seed: random.seed, ms: Date.now() - startedAt, cuts: cutter.cuts(), connections: client.connections(), head })}\n`);
  expect(differences(events, stored, seqOfCursor(cursor)), `seed ${random.seed}`).toEqual([]);
  expect(stored.head).toBeGreaterThanOrEqual(CHANGES);
  expect(cutter.cuts()).toBe(100);
  const counts = { unread: stored.unread, unseen: stored.unseen };
  expect(counts).toEqual(stored.counted);
  expect(viewer.inboxCounts).toEqual(counts);
  expect(events.at(-1)?.counts).toEqual(counts);
}, 600_000);

interface Cutter {
  onEvent(): void;
  onPhase(phase: FeedPhase): void;
  cuts(): number;
}

/** Cuts the client's socket at random places of what it receives. */
function createCutter(): Cutter {
  const places = CUTS.map(() => random.between(10, CHANGES - 200)).sort((a, b) => a - b);
  const phases = random.shuffle(CUTS);
  let pending: FeedPhase[] = [];
  let received = 0;
  let cuts = 0;

  function cut(): void {
    cuts += 1;
    client.cut(cuts % 2 === 0);
  }

  return {
    cuts: () => cuts,
    onEvent: () => {
      received += 1;
      if (pending.length > 0 || received < (places[0] ?? Number.POSITIVE_INFINITY)) return;
      places.shift();
      pending = phases.shift() ?? [];
      cut();
    },
    onPhase: (phase) => {
      if (pending[0] !== phase) return;
      pending = pending.slice(1);
      cut();
    },
  };
}

/** Adds items, about two for each other change, so that both go on all the time. */
async function publish(): Promise<void> {
  for (let next = 0; next < ITEMS; ) {
    const ids = Array.from({ length: Math.min(random.between(1, 20), ITEMS - next) }, (_, index) => `event-${next + index}`);
    await world.publish('shop', ids);
    next += ids.length;
    await until(() => seq() > next * 1.4 - 300, 'the devices keep up', DEADLINE_MS);
  }
}

/** Marks, archives and restores items until there are enough changes. */
async function device(token: string): Promise<void> {
  await until(() => known.length > 0, 'an item is there', DEADLINE_MS);
  while (seq() < CHANGES) {
    const operation = random.pick(OPERATIONS);
    const some = { ids: Array.from({ length: random.between(1, 5) }, () => random.pick(known)) };
    const all = { all: true, filter: { archived: operation === 'unarchive', taskName: 'billing.run' }, upTo: client.cursor() };
    const input = random.between(1, 100) === 1 ? all : some;
    await world.tryCall(`mutation ($input: InboxSelectionInput!) { ${operation}(input: $input) { changed } }`, { input }, token);
  }
}

/** Kills the server each time that the client has come so far. */
async function restart(): Promise<void> {
  for (const place of RESTARTS_AT) {
    await until(() => seq() >= place, `change ${place} has come`, DEADLINE_MS);
    await world.restart();
  }
}

/** Gives alice items of a second project, and takes them with her membership: additions become removals for those who are told later. */
async function leave(): Promise<void> {
  await until(() => seq() >= 1_200, 'it is time for the second project', DEADLINE_MS);
  for (let next = 0; next < GONE_ITEMS; next += 10) {
    await world.publish(
      'gone',
      Array.from({ length: 10 }, (_, index) => `gone-${next + index}`),
    );
  }
  await until(() => seq() >= 2_900, 'it is time to leave', DEADLINE_MS);
  await world.removeAliceFromGone();
}
