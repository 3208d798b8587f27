import type { AffixEntry, Side } from './affix-table.ts';
import type { MatchSubscription } from './subscription.ts';
import { compilePattern, type TaskNamePattern } from './task-name-pattern.ts';

/** Subscriptions of one trigger and one queue filter, by what their patterns say of the task name. */
export interface NameIndex {
  /** Tells it apart from the other indexes of its project, which share one table. */
  group: number;
  leaves: Record<Side, Map<string, Leaf>>;
  /** Which lengths of text there are on each side, shortest first. */
  lengths: Record<Side, number[]>;
}

/** The subscriptions under one text, in the order that they were added in. */
export interface Leaf {
  side: Side;
  text: string;
  members: Member[];
}

export interface Member {
  subscription: MatchSubscription;
  /** Its place among all of the project by id. */
  rank: number;
  /** What is left to check of the name once the text is found. */
  pattern: TaskNamePattern | null;
  /** Nothing at all is left to check. */
  isCertain: boolean;
}

/** An empty index. */
export function createNameIndex(group: number): NameIndex {
  return {
    group,
    leaves: { none: new Map(), whole: new Map(), prefix: new Map(), suffix: new Map() },
    lengths: { none: [], whole: [], prefix: [], suffix: [] },
  };
}

/** Adds an active subscription under the text that finds it. */
export function addMember(index: NameIndex, subscription: MatchSubscription, rank: number): void {
  const { side, text, pattern } = placeOf(subscription.taskNamePattern);
  const { mutedUntil, priorityMin, priorityMax } = subscription;
  const isCertain = pattern === null && mutedUntil === null && priorityMin === null && priorityMax === null;
  leafAt(index, side, text).members.push({ subscription, rank, pattern, isCertain });
}

interface Place {
  side: Side;
  text: string;
  pattern: TaskNamePattern | null;
}

/** Where a pattern lies: by the longer of its two literal ends; a pattern without either lies under the empty prefix, where every name looks. */
export function placeOf(source: string | null): Place {
  if (source === null) return { side: 'none', text: '', pattern: null };
  const pattern = compilePattern(source);
  const { literalPrefix, literalSuffix, isLiteral, isAffix } = pattern;
  if (isLiteral) return { side: 'whole', text: literalPrefix, pattern: null };
  const left = isAffix && (literalPrefix === '' || literalSuffix === '') ? null : pattern;
  if (literalPrefix.length < literalSuffix.length) return { side: 'suffix', text: literalSuffix, pattern: left };
  return { side: 'prefix', text: literalPrefix, pattern: left };
}

function leafAt({ leaves, lengths }: NameIndex, side: Side, text: string): Leaf {
  const known = leaves[side].get(text);
  if (known !== undefined) return known;
  const added: Leaf = { side, text, members: [] };
  leaves[side].set(text, added);
  if (!lengths[side].includes(text.length)) lengths[side] = [...lengths[side], text.length].sort((left, right) => left - right);
  return added;
}

/** All leaves, each with its index's group and, in their place, the values that `valuesOf` makes of its members. */
export function entriesOf({ group, leaves }: NameIndex, valuesOf: (members: readonly Member[]) => number[]): AffixEntry[] {
  return Object.values(leaves).flatMap((bySide) =>
    Array.from(bySide.values(), ({ side, text, members }) => ({ group, side, text, values: valuesOf(members) })),
  );
}
