/** The inside of a `[…]` of fnmatch: which code points it holds. */
export interface CharSet {
  isNegated: boolean;
  /** First and last code point of each range; a single one is a range of itself. */
  ranges: readonly (readonly [number, number])[];
}

/** Whether the set matches the code point. */
export function setHas(set: CharSet, point: number): boolean {
  for (const [first, last] of set.ranges) {
    if (point >= first && point <= last) return !set.isNegated;
  }
  return set.isNegated;
}

/**
 * Reads what stands between the brackets, one entry a code point, never empty, exactly as CPython's fnmatch.translate does
 * (github.com/python/cpython Lib/fnmatch.py): `a-c` is a range; a `-` that cannot be one is a member; a range that runs
 * backwards vanishes with both its ends, even where a `!` then comes first
 * and negates.
 */
export function parseCharSet(stuff: readonly string[]): CharSet {
  const chunks = dropBackwards(splitAtRanges(stuff));
  const isNegated = chunks[0]?.[0] === '!';
  if (isNegated) chunks[0]?.shift();
  if (chunks[0]?.length === 0 && chunks.length > 1) chunks.splice(0, 2, ['-', ...(chunks[1] ?? [])]);
  const ranges = chunks.flatMap((chunk, index) => rangesOf(chunk, chunks[index + 1]));
  return { isNegated, ranges };
}

/** Each member of a chunk, and the range from its last to the first of the next chunk. */
function rangesOf(chunk: readonly string[], next: readonly string[] | undefined): [number, number][] {
  const ranges = chunk.map((char): [number, number] => [codePoint(char), codePoint(char)]);
  const last = chunk.at(-1);
  if (next?.[0] !== undefined && last !== undefined) ranges.push([codePoint(last), codePoint(next[0])]);
  return ranges;
}

/** Between two chunks runs a range: from the last member of the one to the first of the other. */
type Chunks = string[][];

function splitAtRanges(stuff: readonly string[]): Chunks {
  const chunks: Chunks = [];
  let start = 0;
  let dash = stuff.indexOf('-', stuff[0] === '!' ? 2 : 1);
  while (dash >= 0) {
    chunks.push(stuff.slice(start, dash));
    start = dash + 1;
    dash = stuff.indexOf('-', dash + 3);
  }
  const rest = stuff.slice(start);
  const last = chunks.at(-1);
  if (rest.length > 0 || last === undefined) chunks.push(rest);
  else last.push('-');
  return chunks;
}

function dropBackwards(chunks: Chunks): Chunks {
  for (let index = chunks.length - 1; index > 0; index -= 1) {
    const left = chunks[index - 1] ?? [];
    const right = chunks[index] ?? [];
    if (codePoint(left.at(-1) ?? '') > codePoint(right[0] ?? '')) chunks.splice(index - 1, 2, [...left.slice(0, -1), ...right.slice(1)]);
  }
  return chunks;
}

function codePoint(char: string): number {
  return char.codePointAt(0) ?? 0;
}
