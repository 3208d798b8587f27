import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSuspect, isTooOld, probeDelayMs, retryDelayMs, tooOldAfterMs } from '../../src/domain/retry.ts';

const S = 1_000;
const MIN = 60 * S;
const H = 60 * MIN;

describe('retryDelayMs', () => {
  test.each([
    [0, 0],
    [1, 5 * S],
    [2, 30 * S],
    [3, 2 * MIN],
    [4, 10 * MIN],
    [5, 30 * MIN],
    [6, 2 * H],
    [7, 6 * H],
    [8, 12 * H],
    [9, null],
    [10, null],
  ])('after %i attempts: %s ms, 20 %% less or more', (attemptsMade, delayMs) => {
    const at = (random: number): number | null => retryDelayMs({ attemptsMade, retryAfterMs: null, random });
    expect(at(0.5)).toBe(delayMs);
    expect(at(0)).toBe(delayMs === null ? null : delayMs * 0.8);
    expect(at(1)).toBe(delayMs === null ? null : delayMs * 1.2);
  });

  test('is a whole number of milliseconds within 20 % for any random', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (random) => {
        const delay = retryDelayMs({ attemptsMade: 1, retryAfterMs: null, random }) ?? -1;
        expect(Number.isInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(4 * S);
        expect(delay).toBeLessThanOrEqual(6 * S);
      }),
    );
  });

  test.each([
    ['longer than the schedule', 1, 60 * S, 60 * S],
    ['shorter than the schedule', 2, 10 * S, 30 * S],
    ['zero', 1, 0, 5 * S],
    ['after the last attempt', 9, 60 * S, null],
  ])('Retry-After %s', (_, attemptsMade, retryAfterMs, expected) => {
    expect(retryDelayMs({ attemptsMade, retryAfterMs, random: 0.5 })).toBe(expected);
  });
});

describe('age', () => {
  const queuedAtMs = 1_000_000;

  test.each([
    ['never attempted, 24 h to the millisecond', 0, 24 * H, false],
    ['never attempted, a millisecond more', 0, 24 * H + 1, true],
    ['attempted, 24 h and a millisecond', 1, 24 * H + 1, false],
    ['attempted, 48 h to the millisecond', 1, 48 * H, false],
    ['attempted, a millisecond more', 8, 48 * H + 1, true],
  ])('%s', (_, attemptsMade, ageMs, expected) => {
    expect(isTooOld(queuedAtMs, attemptsMade, queuedAtMs + ageMs)).toBe(expected);
    expect(tooOldAfterMs(queuedAtMs, attemptsMade)).toBe(queuedAtMs + (attemptsMade === 0 ? 24 : 48) * H);
  });

  test('the whole schedule fits into it even where every wait is the longest', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8].map((attemptsMade) => retryDelayMs({ attemptsMade, retryAfterMs: null, random: 1 }) ?? 0);
    expect(waits.reduce((sum, wait) => sum + wait, 0)).toBeLessThan(48 * H);
  });
});

test.each([
  [0, false, null],
  [1, true, null],
  [2, true, null],
  [3, true, 5 * S],
  [4, true, 10 * S],
  [5, true, 20 * S],
  [8, true, 160 * S],
  [9, true, 5 * MIN],
  [10, true, 5 * MIN],
  [5_000, true, 5 * MIN],
])('after %i unreachable attempts in a row: suspect %s, next probe %s', (unreachable, suspect, delayMs) => {
  expect(isSuspect(unreachable)).toBe(suspect);
  expect(probeDelayMs(unreachable)).toBe(delayMs);
});
