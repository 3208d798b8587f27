import { expect, test } from 'vitest';
import { admit } from '../../src/domain/throttle.ts';

const LIMIT = { max: 3, windowMs: 60_000 };
const NOW = 1_000_000;

test.each<[string, number[], ReturnType<typeof admit>]>([
  ['the first', [], { ok: true, hits: [NOW] }],
  ['the last that has room', [NOW - 1, NOW - 2], { ok: true, hits: [NOW - 2, NOW - 1, NOW] }],
  ['one too many waits for the oldest to be past', [NOW - 50_000, NOW - 1, NOW - 40_000], { ok: false, retryAfterMs: 10_000 }],
  ['one millisecond before', [NOW - 59_999, NOW - 1, NOW - 1], { ok: false, retryAfterMs: 1 }],
  ['just then', [NOW - 60_000, NOW - 1, NOW - 1], { ok: true, hits: [NOW - 1, NOW - 1, NOW] }],
  ['more than may be wait for as many to be past', [NOW - 50_000, NOW - 40_000, NOW - 30_000, NOW - 20_000], { ok: false, retryAfterMs: 20_000 }],
  ["a replica's clock that is ahead holds nobody longer than the window", [NOW + 5_000, NOW + 5_000, NOW + 5_000], { ok: false, retryAfterMs: 60_000 }],
])('%s', (_what, hits, expected) => {
  expect(admit(hits, LIMIT, NOW)).toEqual(expected);
});
