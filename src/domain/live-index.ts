import type { AcceptedEvent } from './event.ts';
import { byId, createMatchIndex, type Matcher, type MatchIndex } from './match.ts';
import type { MatchSubscription } from './subscription.ts';

/** The subscriptions of one project, compiled, and kept so while they change. */
export interface LiveIndex extends Matcher {
  /** How many it holds. */
  size(): number;
  /** Forgets the subscriptions of these ids, then takes in those given: each as it is now, an object that it has not been given before. */
  update(changedIds: readonly string[], subscriptions: readonly MatchSubscription[]): void;
}

/** Compiled together. What was taken out since is still among the members. */
interface Level {
  members: readonly MatchSubscription[];
  index: MatchIndex;
}

/** A level is at least so many times as large as the one after it. */
const RATIO = 8;
/** Members that are gone and may lie about, beyond as many as there are live ones. */
const GONE_MIN = 100;

/**
 * A compiled index takes nothing in, so changes are compiled by themselves, and levels of like size into one: as in a log-structured merge tree
 * (https://en.wikipedia.org/wiki/Log-structured_merge-tree), a change costs what the logarithm of all costs, and a match looks into a few levels.
 */
export function createLiveIndex(subscriptions: readonly MatchSubscription[]): LiveIndex {
  const live = new Map(subscriptions.map((subscription) => [subscription.id, subscription]));
  let levels = [levelOf(subscriptions)];
  /** Members of levels that were taken out. */
  let gone = 0;

  function drop(id: string): void {
    const old = live.get(id);
    if (old === undefined) return;
    live.delete(id);
    gone += 1;
    for (const { index } of levels) if (index.remove(old)) return;
  }

  /** One level of those members that are live. */
  function compile(members: readonly MatchSubscription[]): Level {
    const level = levelOf(members.filter((member) => live.get(member.id) === member));
    gone -= members.length - level.members.length;
    return level;
  }

  function merge(): void {
    for (;;) {
      const [larger, smaller] = [levels.at(-2), levels.at(-1)];
      if (larger === undefined || smaller === undefined || larger.members.length >= RATIO * smaller.members.length) break;
      levels.splice(-2, 2, compile([...larger.members, ...smaller.members]));
    }
    if (gone > live.size + GONE_MIN) levels = [compile(levels.flatMap(({ members }) => members))];
  }

  return {
    size: () => live.size,
    match: (event: AcceptedEvent, nowMs: number) => {
      const [first, second] = levels;
      return first !== undefined && second === undefined ? first.index.match(event, nowMs) : matchAll(levels, event, nowMs);
    },
    update: (changedIds, changed) => {
      for (const id of changedIds) drop(id);
      for (const subscription of changed) {
        drop(subscription.id);
        live.set(subscription.id, subscription);
      }
      if (changed.length > 0) levels.push(levelOf(changed));
      merge();
    },
  };
}

/** What the levels find, in the order of ids: most often all of it lies in one of them. */
function matchAll(levels: readonly Level[], event: AcceptedEvent, nowMs: number): MatchSubscription[] {
  const parts = levels.map(({ index }) => index.match(event, nowMs)).filter((part) => part.length > 0);
  return parts.length <= 1 ? (parts[0] ?? []) : parts.flat().sort(byId);
}

function levelOf(members: readonly MatchSubscription[]): Level {
  return { members, index: createMatchIndex(members) };
}
