import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bookSlots, PACES, type Pace } from '../../src/domain/pacing.ts';

const NOW = 1_000_000;
const each = Object.keys(PACES) as Pace[];

/** Spec 5, once more: at most so many within any such time. */
const LIMITS: Record<Pace, [count: number, ms: number][]> = {
  SLACK: [[1, 1_000]],
  TELEGRAM_CHAT: [[1, 1_000]],
  TELEGRAM_GROUP: [
    [1, 1_000],
    [20, 60_000],
  ],
  DISCORD: [[5, 2_000]],
};

test.each(each)('%s: no window of its rules ever holds too many, over any bookings at any times', (pace) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5_000), fc.integer({ min: 1, max: 40 }))), (calls) => {
      let now = NOW;
      let booked: number[] = [];
      const slots: number[] = [];
      for (const [restMs, count] of calls) {
        now += restMs;
        const booking = bookSlots(pace, booked, now, count);
        expect(booking.slots).toHaveLength(count);
        expect(Math.min(...booking.slots)).toBeGreaterThanOrEqual(now);
        slots.push(...booking.slots);
        booked = booking.booked;
      }
      expect(slots).toEqual(slots.toSorted((a, b) => a - b));
      for (const [count, ms] of LIMITS[pace]) for (const [at, slot] of slots.entries()) expect(slot - (slots[at - count] ?? 0)).toBeGreaterThanOrEqual(ms);
    }),
  );
});

describe('a burst', () => {
  test.each<[Pace, number, number]>([
    ['SLACK', 300, 299_000],
    ['TELEGRAM_CHAT', 300, 299_000],
    ['TELEGRAM_GROUP', 300, 14 * 60_000 + 19_000],
    ['DISCORD', 300, 59 * 2_000],
  ])('%s: %d at once end within a tenth of the ideal time, %d ms', (pace, count, idealMs) => {
    const { slots } = bookSlots(pace, [], NOW, count);
    expect(slots[0]).toBe(NOW);
    expect((slots.at(-1) ?? 0) - NOW).toBeLessThan(idealMs * 1.1);
  });
});

test('what is remembered is bounded', () => {
  expect(bookSlots('SLACK', [], NOW, 1_000).booked).toHaveLength(1);
  expect(bookSlots('TELEGRAM_GROUP', [], NOW, 1_000).booked).toHaveLength(20);
});

test('after a rest the first is free again', () => {
  const { booked } = bookSlots('TELEGRAM_GROUP', [], NOW, 40);
  expect(bookSlots('TELEGRAM_GROUP', booked, NOW + 600_000, 1).slots).toEqual([NOW + 600_000]);
});
