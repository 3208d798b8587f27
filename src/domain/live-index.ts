import type { AcceptedEvent } from './event.ts';
import { byId, createMatchIndex, type MatchIndex } from './match.ts';
import type { MatchSubscription } from './subscription.ts';

/** The subscriptions of one project, compiled, and kept so while they change. */
export interface LiveIndex extends Pick<MatchIndex, 'match'> {
  /** Forgets the subscriptions of these ids, then takes in those given: each as it is now. */
  update(changedIds: readonly string[], subscriptions: readonly MatchSubscription[]): void;
}

/** Compiled together. What was replaced since is still among them. */
interface Level {
  members: readonly MatchSubscription[];
  index: MatchIndex;
}

/** A level is at least so many times as large as the one after it. */
const RATIO = 8;
/** Replaced members that may lie about beyond as many as there are live ones. */
const STALE_MIN = 100;

/**
 * A compiled index does not change, so changes are compiled by themselves, and levels of like size into one: as in a log-structured merge tree
 * (https://en.wikipedia.org/wiki/Log-structured_merge-tree), a change costs what the logarithm of all costs, and a match looks into a few levels.
 */
export function createLiveIndex(subscriptions: readonly MatchSubscription[]): LiveIndex {
  const live = new Map(subscriptions.map((subscription) => [subscription.id, subscription]));
  let levels = [levelOf(subscriptions)];

  function isLive(subscription: MatchSubscription): boolean {
    return live.get(subscription.id) === subscription;
  }

  function merge(): void {
    for (;;) {
      const [larger, smaller] = [levels.at(-2), levels.at(-1)];
      if (larger === undefined || smaller === undefined || larger.members.length >= RATIO * smaller.members.length) break;
      levels.splice(-2, 2, levelOf([...larger.members, ...smaller.members].filter(isLive)));
    }
    const compiled = levels.reduce((sum, level) => sum + level.members.length, 0);
    if (compiled > 2 * live.size + STALE_MIN) levels = [levelOf([...live.values()])];
  }

  return {
    match: (event: AcceptedEvent, nowMs: number) => {
      const [only, more] = levels;
      if (only !== undefined && more === undefined && only.members.length === live.size) return only.index.match(event, nowMs);
      const found = levels.flatMap(({ index }) => index.match(event, nowMs)).filter(isLive);
      return found.sort(byId);
    },
    update: (changedIds, changed) => {
      for (const id of changedIds) live.delete(id);
      for (const subscription of changed) live.set(subscription.id, subscription);
      if (changed.length > 0) levels.push(levelOf(changed));
      merge();
    },
  };
}

function levelOf(members: readonly MatchSubscription[]): Level {
  return { members, index: createMatchIndex(members) };
}
