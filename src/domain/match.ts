import { createAffixTable, type Side } from './affix-table.ts';
import type { AcceptedEvent } from './event.ts';
import { isMuted, missesPriority } from './filter.ts';
import { addMember, createNameIndex, entriesOf, type Member, mustCheck, type NameIndex, rankOf } from './name-index.ts';
import type { MatchSubscription } from './subscription.ts';
import type { TaskNamePattern } from './task-name-pattern.ts';
import type { Trigger } from './trigger.ts';

/** The subscriptions of one project, compiled. A change of one makes a new index. */
export interface MatchIndex {
  /** Those that the event fires, cooldowns aside, by id. Agrees with `firstMiss` on every one. */
  match(event: AcceptedEvent, nowMs: number): MatchSubscription[];
  /** How many can fire at all: active ones whose owner is a member. */
  size: number;
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
  const patterns = ordered.map((subscription, rank) => addMember(indexFor(subscription), subscription, rank));
  const table = createAffixTable(indexes.flatMap(entriesOf));
  return { match, size: ordered.length };

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

  function match(event: AcceptedEvent, nowMs: number): MatchSubscription[] {
    const queues = triggers.get(event.trigger);
    if (queues === undefined) return [];
    const search: Search = { event, nowMs, ranks: [] };
    if (event.taskName !== null) table.read(event.taskName);
    collect(queues.get(null), search);
    if (event.queue !== null) collect(queues.get(event.queue), search);
    sortRanks(search.ranks);
    const found: MatchSubscription[] = [];
    for (const rank of search.ranks) found.push(ordered[rank] as MatchSubscription);
    return found;
  }

  function collect(index: NameIndex | undefined, search: Search): void {
    if (index === undefined) return;
    for (const member of index.any) take(member, search);
    if (search.event.taskName === null) return;
    const { length } = search.event.taskName;
    takeList(table.find(index.group, 'whole', length), search);
    collectSide(index, 'prefix', length, search);
    collectSide(index, 'suffix', length, search);
  }

  function collectSide(index: NameIndex, side: Side, lengthMax: number, search: Search): void {
    for (const length of index.lengths[side]) {
      if (length > lengthMax) return;
      takeList(table.find(index.group, side, length), search);
    }
  }

  function takeList(list: number, search: Search): void {
    if (list < 0) return;
    const last = list + (table.cells[list] ?? 0);
    for (let at = list + 1; at <= last; at += 1) take(table.cells[at] ?? 0, search);
  }

  function take(member: Member, search: Search): void {
    const rank = rankOf(member);
    if (!mustCheck(member) || passes(ordered[rank] as MatchSubscription, patterns[rank] ?? null, search)) search.ranks.push(rank);
  }
}

interface Search {
  event: AcceptedEvent;
  nowMs: number;
  /** Found so far. */
  ranks: number[];
}

function passes(subscription: MatchSubscription, pattern: TaskNamePattern | null, { event, nowMs }: Search): boolean {
  if (isMuted(subscription, nowMs) || missesPriority(subscription, event.priority)) return false;
  return pattern === null || (event.taskName !== null && pattern.matches(event.taskName));
}

/** Insertion up to this many: an event seldom fires more, and a comparator costs more than the moves. */
const INSERTION_MAX = 32;

function sortRanks(ranks: number[]): void {
  if (ranks.length > INSERTION_MAX) {
    ranks.sort((left, right) => left - right);
    return;
  }
  for (let index = 1; index < ranks.length; index += 1) {
    const rank = ranks[index] ?? 0;
    let place = index;
    for (; place > 0 && (ranks[place - 1] ?? 0) > rank; place -= 1) ranks[place] = ranks[place - 1] ?? 0;
    ranks[place] = rank;
  }
}

function byId(left: MatchSubscription, right: MatchSubscription): number {
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0;
}
