import type { WakeupBus } from '../db/wakeups.ts';

export interface DeliveryFeed {
  /** Ids of a project's deliveries as they are queued, attempted and finished, each as often as it changed since it was last given, oldest first. */
  open(projectId: string, signal: AbortSignal): AsyncGenerator<string, void, undefined>;
  close(): void;
}

/** Ids that may wait for a slow reader; the oldest give way, since whoever is that far behind reads the list anew. */
const WAITING_MAX = 10_000;

interface Watcher {
  waiting: Set<string>;
  wake: () => void;
}

/** The live log of deliveries: wake-ups name what changed, readers load the rows. What waits for a reader is a set, so a delivery is in it once. */
export function createDeliveryFeed(deps: { wakeups: WakeupBus }): DeliveryFeed {
  const watchers = new Map<string, Set<Watcher>>();

  const unsubscribe = deps.wakeups.subscribe({
    deliveries: (projectId, deliveryIds) => {
      for (const watcher of watchers.get(projectId) ?? []) {
        for (const id of deliveryIds) watcher.waiting.add(id);
        trim(watcher.waiting);
        watcher.wake();
      }
    },
  });

  async function* open(projectId: string, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    const watcher: Watcher = { waiting: new Set(), wake: () => {} };
    const set = watchers.get(projectId) ?? new Set();
    watchers.set(projectId, set.add(watcher));
    try {
      while (!signal.aborted) {
        const [next] = watcher.waiting;
        if (next === undefined) await wakeOf(watcher, signal);
        else {
          watcher.waiting.delete(next);
          yield next;
        }
      }
    } finally {
      set.delete(watcher);
      if (set.size === 0) watchers.delete(projectId);
    }
  }

  return { open, close: unsubscribe };
}

function trim(waiting: Set<string>): void {
  for (const id of waiting) {
    if (waiting.size <= WAITING_MAX) return;
    waiting.delete(id);
  }
}

function wakeOf(watcher: Watcher, signal: AbortSignal): Promise<void> {
  if (watcher.waiting.size > 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      signal.removeEventListener('abort', done);
      watcher.wake = () => {};
      resolve();
    };
    watcher.wake = done;
    signal.addEventListener('abort', done);
  });
}
