import { createAffixTable, type Side } from './affix-table.ts';
import type { AcceptedEvent } from './event.ts';
import { isMuted, missesPriority } from './filter.ts';
import { addMember, createNameIndex, entriesOf, type Member, type NameIndex, placeOf } from './name-index.ts';
import type { MatchSubscription } from './subscription.ts';
import type { TaskNamePattern } from './task-name-pattern.ts';
import type { Trigger } from './trigger.ts';

export interface Matcher {
  /** Those subscriptions that the event fires, cooldowns aside, by id. Agrees with `firstMiss` on every one. */
  match(event: AcceptedEvent, nowMs: number): MatchSubscription[];
}

/** Subscriptions of one project, compiled as they are (live-index.ts keeps them in step with changes). */
export interface MatchIndex extends Matcher {
  /** Takes one out: this very object. Says whether it was there. */
  remove(subscription: MatchSubscription): boolean;
}

/**
 * Compiles the subscriptions of ONE project, fastest where they come in the order of their ids. What cannot fire before a change of rules
 * (inactive, owner no member) is left out; what a mute holds back stays, because a mute ends by itself. By trigger, queue and the literal
 * part of the pattern, so that the cost of a match grows with what matches and with how many lengths such parts have, not with what there is.
 */
export function createMatchIndex(subscriptions: readonly MatchSubscription[]): MatchIndex {
  const ordered = subscriptions.filter(({ isActive, isMember }) => isActive && isMember).sort(byId);
  const triggers = new Map<Trigger, Map<string | null, NameIndex>>();
  const indexes: NameIndex[] = [];
  for (const [rank, subscription] of ordered.entries()) addMember(indexFor(subscription), subscription, rank);
  /** Undefined where one was taken out. */
  const slots: (MatchSubscription | undefined)[] = [];
  const patterns: (TaskNamePattern | null)[] = [];
  const table = createAffixTable(indexes.flatMap((index) => entriesOf(index, toSlots)));
  return { match, remove };

  function indexFor({ trigger, queue }: MatchSubscription): NameIndex {
    const queues = triggers.get(trigger) ?? new Map<string | null, NameIndex>();
    triggers.set(trigger, queues);
    const known = queues.get(queue);
    if (known !== undefined) return known;
    const added = createNameIndex(indexes.length);
    indexes.push(added);
    queues.set(queue, added);
    return added;
  }

  /** Lays the members of a leaf side by side; what the table keeps of them is their first slot, then each one's rank and flags. */
  function toSlots(members: readonly Member[]): number[] {
    const values = [slots.length];
    for (const { subscription, rank, pattern, isCertain } of members) {
      slots.push(subscription);
      patterns.push(pattern);
      values.push((rank << FLAG_BITS) | (isCertain ? 0 : MUST_CHECK) | (values.length === members.length ? LAST : 0));
    }
    return values;
  }

  function match(event: AcceptedEvent, nowMs: number): MatchSubscription[] {
    const queues = triggers.get(event.trigger);
    if (queues === undefined) return [];
    const search: Search = { event, nowMs, ranks: [], found: [] };
    if (event.taskName !== null) table.read(event.taskName);
    collect(queues.get(null), search);
    if (event.queue !== null) collect(queues.get(event.queue), search);
    return inOrder(search);
  }

  function remove(subscription: MatchSubscription): boolean {
    const index = triggers.get(subscription.trigger)?.get(subscription.queue);
    if (index === undefined) return false;
    const { side, text } = placeOf(subscription.taskNamePattern);
    table.read(text);
    const leaf = table.find(index.group, side, text.length);
    if (leaf < 0) return false;
    let slot = table.cells[leaf] ?? 0;
    for (let at = leaf + 1; slots[slot] !== subscription; at += 1, slot += 1) if (((table.cells[at] ?? LAST) & LAST) !== 0) return false;
    slots[slot] = undefined;
    return true;
  }

  function collect(index: NameIndex | undefined, search: Search): void {
    if (index === undefined) return;
    const length = search.event.taskName?.length;
    collectSide(index, 'none', 0, search);
    if (length === undefined) return;
    takeLeaf(table.find(index.group, 'whole', length), search);
    collectSide(index, 'prefix', length, search);
    collectSide(index, 'suffix', length, search);
  }

  function collectSide(index: NameIndex, side: Side, lengthMax: number, search: Search): void {
    for (const length of index.lengths[side]) {
      if (length > lengthMax) return;
      takeLeaf(table.find(index.group, side, length), search);
    }
  }

  function takeLeaf(leaf: number, search: Search): void {
    if (leaf < 0) return;
    let slot = table.cells[leaf] ?? 0;
    for (let at = leaf + 1; ; at += 1, slot += 1) {
      const value = table.cells[at] ?? LAST;
      const subscription = slots[slot];
      if (subscription !== undefined && ((value & MUST_CHECK) === 0 || passes(subscription, patterns[slot] ?? null, search))) {
        search.ranks.push(value >> FLAG_BITS);
        search.found.push(subscription);
      }
      if ((value & LAST) !== 0) return;
    }
  }
}

const FLAG_BITS = 2;
/** A leaf's last member. */
const LAST = 1;
const MUST_CHECK = 2;

interface Search {
  event: AcceptedEvent;
  nowMs: number;
  /** The rank of each that is found so far: small integers sort faster than ids. */
  ranks: number[];
  found: MatchSubscription[];
}

function passes(subscription: MatchSubscription, pattern: TaskNamePattern | null, { event, nowMs }: Search): boolean {
  if (isMuted(subscription, nowMs) || missesPriority(subscription, event.priority)) return false;
  return pattern === null || (event.taskName !== null && pattern.matches(event.taskName));
}

/** Insertion up to this many: an event seldom fires more, and a comparator costs more than the moves. */
const INSERTION_MAX = 32;

function inOrder({ ranks, found }: Search): MatchSubscription[] {
  if (found.length > INSERTION_MAX) return found.sort(byId);
  for (let index = 1; index < found.length; index += 1) {
    const rank = ranks[index] as number;
    const subscription = found[index] as MatchSubscription;
    let place = index;
    for (; place > 0 && (ranks[place - 1] as number) > rank; place -= 1) {
      ranks[place] = ranks[place - 1] as number;
      found[place] = found[place - 1] as MatchSubscription;
    }
    ranks[place] = rank;
    found[place] = subscription;
  }
  return found;
}

/** The order that matches are given in. */
export function byId(left: MatchSubscription, right: MatchSubscription): number {
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0;
}
