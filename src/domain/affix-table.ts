/** Which part of a name a text is compared with: all of it, its beginning, its end; `none` is the empty text that goes with every name. */
export type Side = 'none' | 'whole' | 'prefix' | 'suffix';

/** What is kept under a text: 32-bit integers. `group` keeps equal texts of different owners apart. */
export interface AffixEntry {
  group: number;
  side: Side;
  text: string;
  values: readonly number[];
}

/** A read-only hash table of texts, found by the hashes of a name's beginnings and ends. */
export interface AffixTable {
  /** Where the values lie that `find` points to, each entry's in one piece; that the last of them can be told is up to the caller. */
  cells: Int32Array;
  /** Takes up the name that the next calls of `find` are about. */
  read(name: string): void;
  /** Where in `cells` the values begin that `group` keeps for the name's first or last `length` UTF-16 units (at most all), or -1. */
  find(group: number, side: Side, length: number): number;
}

/**
 * Builds the table; no two entries may be equal in group, side and text. Cache lines are what 100,000 entries cost more than 100: an entry
 * lies with its text and values in one or two, and a bitmap of a byte a bucket answers most misses. (A tree of objects cost 5 times more.)
 */
export function createAffixTable(entries: readonly AffixEntry[]): AffixTable {
  const forward = new Int32Array(1 + longestOf(entries, ['whole', 'prefix']));
  const backward = new Int32Array(1 + longestOf(entries, ['suffix']));
  const bucketMask = 2 ** Math.ceil(Math.log2(entries.length * 1.5 + 2)) - 1;
  const buckets = new Int32Array(bucketMask + 1);
  const bitmap = new Uint8Array(bucketMask + 1);
  const cells = new Int32Array(entries.reduce((sum, entry) => sum + cellsOf(entry), 1));
  const bytes = new Uint8Array(cells.buffer);
  const units = new Uint16Array(cells.buffer);
  let name = '';
  let end = 1;
  for (const entry of entries) add(entry);
  return { cells, read, find };

  function read(next: string): void {
    name = next;
    const ahead = Math.min(next.length, forward.length - 1);
    for (let at = 0, hash = 0; at < ahead; ) {
      hash = Math.imul(hash ^ next.charCodeAt(at), FNV_PRIME);
      forward[++at] = hash;
    }
    const back = Math.min(next.length, backward.length - 1);
    for (let at = 0, hash = 0; at < back; ) {
      hash = Math.imul(hash ^ next.charCodeAt(next.length - 1 - at), FNV_PRIME);
      backward[++at] = hash;
    }
  }

  function find(group: number, side: Side, length: number): number {
    const hash = hashOf(group, side, length);
    if (((bitmap[(hash >>> 3) & bucketMask] ?? 0) & (1 << (hash & 7))) === 0) return -1;
    const from = side === 'suffix' ? name.length - length : 0;
    for (let bucket = hash & bucketMask; ; bucket = (bucket + 1) & bucketMask) {
      const entry = buckets[bucket] ?? 0;
      if (entry === 0) return -1;
      const key = cells[entry + 1] ?? 0;
      if (cells[entry] === group && key >>> 1 === keyOf(side, length) && isTextAt(entry + HEAD, key & WIDE, from, length)) {
        return entry + HEAD + textCells(length, key & WIDE);
      }
    }
  }

  function isTextAt(cell: number, wide: number, from: number, length: number): boolean {
    const text = wide === 0 ? bytes : units;
    const start = cell << (wide === 0 ? 2 : 1);
    for (let at = 0; at < length; at += 1) if (text[start + at] !== name.charCodeAt(from + at)) return false;
    return true;
  }

  function hashOf(group: number, side: Side, length: number): number {
    return mix((side === 'suffix' ? backward[length] : forward[length]) ?? 0, group, keyOf(side, length));
  }

  function add({ group, side, text, values }: AffixEntry): void {
    read(text);
    const hash = hashOf(group, side, text.length);
    const bit = (hash >>> 3) & bucketMask;
    bitmap[bit] = (bitmap[bit] ?? 0) | (1 << (hash & 7));
    let bucket = hash & bucketMask;
    while (buckets[bucket] !== 0) bucket = (bucket + 1) & bucketMask;
    buckets[bucket] = end;
    const wide = wideOf(text);
    cells[end] = group;
    cells[end + 1] = (keyOf(side, text.length) << 1) | wide;
    const texts = wide === 0 ? bytes : units;
    const start = (end + HEAD) << (wide === 0 ? 2 : 1);
    for (let at = 0; at < text.length; at += 1) texts[start + at] = text.charCodeAt(at);
    end += HEAD + textCells(text.length, wide);
    for (const value of values) cells[end++] = value;
  }
}

/** Cells of an entry before its text: the group; side, length and whether the text is wide. After the text come the values. */
const HEAD = 2;
/** A text with a unit above 0xff takes two bytes a unit. */
const WIDE = 1;
const SIDE_BITS: Record<Side, number> = { none: 0, whole: 1, prefix: 2, suffix: 3 };
const FNV_PRIME = 16_777_619;

function keyOf(side: Side, length: number): number {
  return (length << 2) | SIDE_BITS[side];
}

function wideOf(text: string): number {
  return /^[\0-\xff]*$/.test(text) ? 0 : WIDE;
}

function textCells(length: number, wide: number): number {
  return wide === 0 ? (length + 3) >> 2 : (length + 1) >> 1;
}

function cellsOf({ text, values }: AffixEntry): number {
  return HEAD + textCells(text.length, wideOf(text)) + values.length;
}

function longestOf(entries: readonly AffixEntry[], sides: readonly Side[]): number {
  return entries.reduce((longest, { side, text }) => (sides.includes(side) ? Math.max(longest, text.length) : longest), 0);
}

/** The finalizer of MurmurHash3. */
function mix(hash: number, group: number, key: number): number {
  let mixed = hash ^ Math.imul(group, 0x9e3779b1) ^ key;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
