import { expect, test } from 'vitest';
import { createManualClock } from './clock.ts';

test('timers run in order of their time, at their time, those that they set included', () => {
  const clock = createManualClock(1_000);
  const ran: [string, number][] = [];
  const note = (name: string) => ran.push([name, clock.now()]);
  clock.after(20, () => note('late'));
  clock.after(10, () => {
    note('early');
    clock.after(5, () => note('set by early'));
    clock.after(100, () => note('beyond'));
  });
  clock.after(10, () => note('same time, set later'));
  clock.advance(30);
  expect(ran).toEqual([
    ['early', 1_010],
    ['same time, set later', 1_010],
    ['set by early', 1_015],
    ['late', 1_020],
  ]);
  expect(clock.now()).toBe(1_030);
  expect(clock.pending()).toBe(1);
});

test('a timer runs when its time is reached, not before, and not when it was taken back', () => {
  const clock = createManualClock();
  let ran = 0;
  clock.after(10, () => (ran += 1));
  const stop = clock.after(10, () => (ran += 10));
  stop();
  clock.advance(9);
  expect(ran).toBe(0);
  clock.advance(1);
  expect(ran).toBe(1);
  expect(clock.pending()).toBe(0);
});

test('advanceAsync lets what a timer began go on before the next one', async () => {
  const clock = createManualClock(0);
  const ran: number[] = [];
  async function loop(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) {
      await new Promise<void>((resolve) => clock.after(10, resolve));
      ran.push(clock.now());
    }
  }
  const done = loop();
  await clock.advanceAsync(30);
  await done;
  expect(ran).toEqual([10, 20, 30]);
});
