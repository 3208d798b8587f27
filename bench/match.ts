import type { AcceptedEvent } from '../src/domain/event.ts';
import { createLiveIndex } from '../src/domain/live-index.ts';
import type { MatchSubscription } from '../src/domain/subscription.ts';

/**
 * Matching against 100, 10,000 and 100,000 subscriptions of one project: a third literal names, a third prefixes, a third suffixes; every
 * event fires 10 at each size, and all names come up equally often, which is the hardest on caches. The stream is cut into slices, run in turn
 * for every size, and each slice counts with its fastest round: on a machine that does other things too, only that tells what the code costs.
 * Where others took the caches all the while, it goes on, up to six times as long. Exits 1 where 100,000 cost more than twice what 100 cost.
 */
const SIZES = [100, 10_000, 100_000] as const;
const MATCHES = 10;
const CHANGED = 5;
const SLICES = 10;
const SLICE_EVENTS = 1000;
const ROUNDS = 100;
const ROUNDS_MAX = 600;
const RATIO_MAX = 2;
const NOW_MS = Date.UTC(2026, 0, 1);

const cases = SIZES.map(createCase);
for (let round = 0; round < ROUNDS || (round < ROUNDS_MAX && ratio() > RATIO_MAX); round += 1) {
  for (let slice = 0; slice < SLICES; slice += 1) for (const { run } of cases) run(slice);
}
report();

interface Case {
  size: number;
  buildMs: number;
  run: (slice: number) => void;
  fastestMs: number[];
}

function createCase(size: number): Case {
  const subscriptions = Array.from({ length: size }, (_, index) => subscriptionAt(index)).sort((left, right) => (left.id < right.id ? -1 : 1));
  const events = shuffled(Array.from({ length: SLICES * SLICE_EVENTS }, (_, index) => eventOf(index, index % (size / MATCHES))));
  const startMs = process.cpuUsage().user / 1000;
  const index = createLiveIndex(subscriptions);
  const buildMs = process.cpuUsage().user / 1000 - startMs;
  // As it is in life: some have changed since all were compiled.
  for (const subscription of subscriptions.slice(0, CHANGED)) index.update([subscription.id], [{ ...subscription }]);
  const fastestMs = Array.from({ length: SLICES }, () => Number.POSITIVE_INFINITY);
  return { size, buildMs, fastestMs, run };

  function run(slice: number): void {
    const part = events.slice(slice * SLICE_EVENTS, (slice + 1) * SLICE_EVENTS);
    let found = 0;
    const startMs = performance.now();
    for (const event of part) found += index.match(event, NOW_MS).length;
    fastestMs[slice] = Math.min(fastestMs[slice] ?? 0, performance.now() - startMs);
    if (found !== part.length * MATCHES) throw new Error(`size ${size}: not every event fires ${MATCHES}`);
  }
}

/** Group g holds 10: three of each kind, and one more of a kind in turn. */
function subscriptionAt(index: number): MatchSubscription {
  const group = Math.floor(index / MATCHES);
  const place = index % MATCHES;
  const kind = (place === MATCHES - 1 ? group : place) % 3;
  const taskNamePattern = [nameOf(group), `billing${group}.*`, `*.deliver${group}`][kind] ?? '*';
  return {
    id: crypto.randomUUID(),
    projectId: 'project',
    userId: `user-${index}`,
    isMember: true,
    trigger: 'task.failed',
    isActive: true,
    inApp: true,
    isDefaultCopy: false,
    channels: [],
    priorityMin: null,
    priorityMax: null,
    taskNamePattern,
    queue: null,
    cooldownSeconds: 0,
    cooldownBy: 'SUBSCRIPTION',
    mutedUntil: null,
  };
}

function nameOf(group: number): string {
  return `billing${group}.invoice.deliver${group}`;
}

/** Each event has a name string of its own, as it would have come from its own JSON. */
function eventOf(index: number, group: number): AcceptedEvent {
  return {
    id: `event-${index}`,
    trigger: 'task.failed',
    occurredAt: null,
    taskId: `task-${index}`,
    taskName: JSON.parse(JSON.stringify(nameOf(group))) as string,
    queue: 'default',
    engine: 'celery',
    priority: 5,
    state: 'FAILURE',
    agent: 'worker-1',
    runtimeMs: 120,
    exception: null,
    traceback: null,
    data: null,
  };
}

function shuffled<T>(items: T[]): T[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((left, right) => left.key - right.key)
    .map(({ item }) => item);
}

function eventNs({ fastestMs }: Case): number {
  return (fastestMs.reduce((sum, ms) => sum + ms, 0) * 1e6) / (SLICES * SLICE_EVENTS);
}

function ratio(): number {
  const [least, most] = [cases[0], cases.at(-1)];
  return least === undefined || most === undefined ? Number.NaN : eventNs(most) / eventNs(least);
}

function report(): void {
  const lines = cases.map((one) => line([one.size, 1e9 / eventNs(one), eventNs(one), one.buildMs]));
  process.stdout.write(
    `subscriptions   events/s   ns/event   build ms (CPU)\n${lines.join('')}ratio of 100,000 to 100: ${ratio().toFixed(2)}, at most ${RATIO_MAX}\n`,
  );
  if (ratio() > RATIO_MAX) process.exitCode = 1;
}

function line(figures: readonly number[]): string {
  return `${figures
    .map((figure, at) =>
      Math.round(figure)
        .toLocaleString('en')
        .padStart(at === 0 ? 13 : 11),
    )
    .join('')}\n`;
}
