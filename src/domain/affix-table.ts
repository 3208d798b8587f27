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
 * Builds the table; no two entries may be equal in group, side and text. Cache lines are what 100,000 entries cost more than 100, so an entry is
 * one: its text and values lie with it where they fit, and a bitmap of two to four bytes an entry answers most misses. (A tree of objects cost 5 times
 * more with 100,000.)
 */
export function createAffixTable(entries: readonly AffixEntry[]): AffixTable {
  const forward = new Int32Array(1 + longestOf(entries, ['whole', 'prefix']));
  const backward = new Int32Array(1 + longestOf(entries, ['suffix']));
  const bucketCount = Math.ceil(entries.length * 1.4) + 1;
  const bitMask = 2 ** Math.ceil(Math.log2(16 * entries.length + 8)) - 1;
  const bitmap = new Uint8Array((bitMask + 1) >> 3);
  const cells = new Int32Array(entries.reduce((sum, entry) => sum + overflowOf(entry), bucketCount * STRIDE));
  const bytes = new Uint8Array(cells.buffer);
  const units = new Uint16Array(cells.buffer);
  let name = '';
  let overflow = bucketCount * STRIDE;
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
    if (((bitmap[(hash & bitMask) >> 3] ?? 0) & (1 << (hash & 7))) === 0) return -1;
    const from = side === 'suffix' ? name.length - length : 0;
    for (let bucket = bucketOf(hash); ; bucket = nextOf(bucket)) {
      const key = cells[bucket + 1] ?? 0;
      if (key === 0) return -1;
      if (cells[bucket] === group && key >>> 2 === keyOf(side, length) && isTextAt(cells[bucket + 2] ?? 0, key & WIDE, from, length))
        return cells[bucket + 3] ?? 0;
    }
  }

  function bucketOf(hash: number): number {
    return Math.floor(((hash >>> 0) / 2 ** 32) * bucketCount) * STRIDE;
  }

  function nextOf(bucket: number): number {
    return bucket + STRIDE === bucketCount * STRIDE ? 0 : bucket + STRIDE;
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

  function add(entry: AffixEntry): void {
    const { group, side, text, values } = entry;
    read(text);
    const hash = hashOf(group, side, text.length);
    bitmap[(hash & bitMask) >> 3] = (bitmap[(hash & bitMask) >> 3] ?? 0) | (1 << (hash & 7));
    let bucket = bucketOf(hash);
    while (cells[bucket + 1] !== 0) bucket = nextOf(bucket);
    const wide = wideOf(text);
    const textCell = overflowOf(entry) === 0 ? bucket + HEAD : overflow;
    overflow += overflowOf(entry);
    const valuesCell = textCell + textCells(text.length, wide);
    cells.set([group, (keyOf(side, text.length) << 2) | USED | wide, textCell, valuesCell], bucket);
    cells.set(values, valuesCell);
    const texts = wide === 0 ? bytes : units;
    const start = textCell << (wide === 0 ? 2 : 1);
    for (let at = 0; at < text.length; at += 1) texts[start + at] = text.charCodeAt(at);
  }
}

/** Cells of a bucket: 64 bytes, a cache line. First its head: group; side, length and flags; where the text lies; where the values do. */
const STRIDE = 16;
const HEAD = 4;
/** A text with a unit above 0xff takes two bytes a unit. */
const WIDE = 1;
const USED = 2;
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

/** Cells that an entry needs outside of its bucket: none where text and values fit into it. */
function overflowOf({ text, values }: AffixEntry): number {
  const size = textCells(text.length, wideOf(text)) + values.length;
  return size <= STRIDE - HEAD ? 0 : size;
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
