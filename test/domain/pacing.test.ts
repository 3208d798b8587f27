import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bookNear, bookSlots, PACES, type Pace } from '../../src/domain/pacing.ts';

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

describe('what is near is booked, and the rest asks again', () => {
  const want = (count: number, nowMs = NOW) => ({ nowMs, earliestMs: nowMs, count });

  test('in turn, as slots come near', () => {
    const first = bookNear('SLACK', { booked: [], expected: 0 }, want(40));
    expect(first.times.filter(({ isBooked }) => isBooked)).toHaveLength(30);
    const second = bookNear('SLACK', first, want(40));
    expect(second.times.some(({ isBooked }) => isBooked)).toBe(false);
    const times = [...first.times, ...second.times].map(({ at }) => at);
    expect(Math.min(...times.slice(1).map((at, index) => at - (times[index] ?? 0)))).toBeGreaterThanOrEqual(1_000);
  });

  test('within two minutes, however many there are', () => {
    const { times } = bookNear('SLACK', { booked: [], expected: 0 }, want(10_000));
    expect((times.at(-1)?.at ?? 0) - NOW).toBeLessThanOrEqual(120_000);
  });

  test.each(each)('%s: 300 at once are sent within a tenth of the ideal time, each asking when it was told to', (pace) => {
    let known = { booked: [] as number[], expected: 0 };
    let waiting = Array.from({ length: 300 }, () => NOW);
    const sent: number[] = [];
    for (let asked = 0; waiting.length > 0; asked += 1) {
      expect(asked).toBeLessThan(3_000);
      waiting.sort((a, b) => a - b);
      const [now = 0] = waiting;
      const due = waiting.filter((at) => at === now).slice(0, 32);
      waiting = waiting.slice(due.length);
      const { times, ...next } = bookNear(pace, known, want(due.length, now));
      known = next;
      for (const { at, isBooked } of times) (isBooked ? sent : waiting).push(at);
    }
    const ideal = bookSlots(pace, [], NOW, 300).slots.at(-1) ?? 0;
    expect(Math.max(...sent) - NOW).toBeLessThan((ideal - NOW) * 1.08);
  });

  test('a crowd that is gone leaves at most the near slots unused', () => {
    const { times, ...known } = bookNear('SLACK', { booked: [], expected: 0 }, want(10_000));
    expect(times).toHaveLength(10_000);
    expect(bookNear('SLACK', known, want(1, NOW + 1_000)).times[0]?.isBooked).toBe(true);
  });

  test('none is told a time before a hold ends', () => {
    const { times } = bookNear('SLACK', { booked: [], expected: 0 }, { nowMs: NOW, earliestMs: NOW + 3_600_000, count: 5 });
    expect(times.every(({ at, isBooked }) => !isBooked && at >= NOW + 3_600_000)).toBe(true);
  });
});
