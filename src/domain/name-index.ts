import type { AffixEntry, Side } from './affix-table.ts';
import type { MatchSubscription } from './subscription.ts';
import { compilePattern, type TaskNamePattern } from './task-name-pattern.ts';

/** Subscriptions of one trigger and one queue filter, by what their patterns say of the task name. */
export interface NameIndex {
  /** Tells it apart in the table that all of a project share. */
  group: number;
  /** Without a pattern: they match events without a task name too. */
  any: Member[];
  sides: Record<Side, Map<string, NameEntry>>;
  /** Which lengths of text there are on each side, shortest first. */
  lengths: Record<Side, number[]>;
}

/**
 * A subscription's rank in the order of ids, and in the lowest bit whether something is left to check once its text is found: ranks sort
 * faster than ids, and what is certain is taken without a look at the subscription.
 */
export type Member = number;

const MUST_CHECK = 1;

export function rankOf(member: Member): number {
  return member >> 1;
}

export function mustCheck(member: Member): boolean {
  return (member & MUST_CHECK) !== 0;
}

interface NameEntry extends AffixEntry {
  values: Member[];
}

/** An empty index; `group` must be another one in each of a project. */
export function createNameIndex(group: number): NameIndex {
  return { group, any: [], sides: { whole: new Map(), prefix: new Map(), suffix: new Map() }, lengths: { whole: [], prefix: [], suffix: [] } };
}

/** Adds a subscription; gives back its pattern where finding it in the index does not yet say that the name matches. */
export function addMember(index: NameIndex, subscription: MatchSubscription, rank: number): TaskNamePattern | null {
  const place = placeOf(subscription.taskNamePattern);
  const { mutedUntil, priorityMin, priorityMax } = subscription;
  const isCertain = place.pattern === null && mutedUntil === null && priorityMin === null && priorityMax === null;
  membersAt(index, place).push((rank << 1) | (isCertain ? 0 : MUST_CHECK));
  return place.pattern;
}

/** What the table is made of: all texts of the index with their members. */
export function entriesOf({ sides }: NameIndex): AffixEntry[] {
  return [...sides.whole.values(), ...sides.prefix.values(), ...sides.suffix.values()];
}

interface Place {
  /** Null: no text to be found by. */
  side: Side | null;
  text: string;
  /** What is left to check of the name. */
  pattern: TaskNamePattern | null;
}

/** By the longer of its two literal ends; a pattern without either lies under the empty prefix, where every name looks. */
function placeOf(source: string | null): Place {
  if (source === null) return { side: null, text: '', pattern: null };
  const pattern = compilePattern(source);
  const { literalPrefix, literalSuffix, isLiteral, isAffix } = pattern;
  if (isLiteral) return { side: 'whole', text: literalPrefix, pattern: null };
  const left = isAffix && (literalPrefix === '' || literalSuffix === '') ? null : pattern;
  if (literalPrefix.length < literalSuffix.length) return { side: 'suffix', text: literalSuffix, pattern: left };
  return { side: 'prefix', text: literalPrefix, pattern: left };
}

function membersAt(index: NameIndex, { side, text }: Place): Member[] {
  if (side === null) return index.any;
  const known = index.sides[side].get(text);
  if (known !== undefined) return known.values;
  const added: NameEntry = { group: index.group, side, text, values: [] };
  index.sides[side].set(text, added);
  if (!index.lengths[side].includes(text.length)) index.lengths[side] = [...index.lengths[side], text.length].sort((left, right) => left - right);
  return added.values;
}
