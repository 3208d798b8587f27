/** Random numbers that a seed repeats. */
export interface SeededRandom {
  readonly seed: number;
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number;
  pick<T>(from: readonly T[]): T;
  shuffle<T>(of: readonly T[]): T[];
}

/** The seed is TEST_SEED's, or a new one; a test that uses it says which. */
export function createRandom(seed = Number(process.env['TEST_SEED'] ?? Date.now() % 1_000_000)): SeededRandom {
  let state = seed;

  /** mulberry32 (public domain, Tommy Ettinger): in [0, 1). */
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  function between(min: number, max: number): number {
    return min + Math.floor(next() * (max - min + 1));
  }

  return {
    seed,
    between,
    pick: (from) => {
      const one = from[between(0, from.length - 1)];
      if (one === undefined) throw new RangeError('there is nothing to pick from');
      return one;
    },
    shuffle: (of) =>
      of
        .map((value) => ({ value, place: next() }))
        .sort((a, b) => a.place - b.place)
        .map(({ value }) => value),
  };
}
