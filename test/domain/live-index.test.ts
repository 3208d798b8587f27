import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLiveIndex } from '../../src/domain/live-index.ts';
import { createMatchIndex } from '../../src/domain/match.ts';
import type { MatchSubscription } from '../../src/domain/subscription.ts';
import { anyRules, anyStream, anySubscription, event, idsOf, NOW_MS, subscription } from '../support/rules.ts';

/** Changes at once: of the subscription at some place in the list, or of this id, which is new or unknown; a change to null removes it. */
const anyUpdate = fc.array(
  fc.record({ place: fc.option(fc.nat(), { nil: null }), id: fc.uuid({ version: 7 }), rule: fc.option(anySubscription, { nil: null }) }),
  { maxLength: 6 },
);

test('after any updates the index finds what one compiled anew finds, in the order of ids', () => {
  fc.assert(
    fc.property(anyRules, fc.array(anyUpdate, { maxLength: 12 }), anyStream, (rules, updates, stream) => {
      const index = createLiveIndex(rules);
      const expected = new Map(rules.map((rule) => [rule.id, rule]));
      for (const update of updates) {
        const ids = [...expected.keys()];
        const idOf = (place: number | null, id: string): string => (place === null ? id : (ids[place % ids.length] ?? id));
        const changes = new Map(update.map(({ place, id, rule }) => [idOf(place, id), rule && { ...rule, id: idOf(place, id) }]));
        for (const [id, rule] of changes) {
          if (rule === null) expected.delete(id);
          else expected.set(id, rule);
        }
        index.update(
          [...changes.keys()],
          [...changes.values()].filter((rule) => rule !== null),
        );
        const fresh = createMatchIndex([...expected.values()]);
        for (const one of stream) expect(index.match(one, NOW_MS)).toEqual(fresh.match(one, NOW_MS));
      }
    }),
    { numRuns: 200 },
  );
});

/** Counts how often each of its rules is compiled. */
function counted(count: number): { rules: MatchSubscription[]; compiled: () => number } {
  let reads = 0;
  const rules = Array.from(
    { length: count },
    (_, at) =>
      new Proxy(subscription({ id: `s${String(at).padStart(5, '0')}`, taskNamePattern: `task${String(at)}` }), {
        get: (target, key): unknown => {
          if (key === 'priorityMax') reads += 1;
          return Reflect.get(target, key);
        },
      }),
  );
  return { rules, compiled: () => reads / count };
}

test('single changes do not compile the rest again, until they are an eighth of it', () => {
  const { rules, compiled } = counted(2_000);
  const index = createLiveIndex(rules);
  for (let at = 0; at < 200; at += 1) index.update([`s${String(at).padStart(5, '0')}`], [subscription({ id: `s${String(at).padStart(5, '0')}` })]);
  expect(compiled()).toBe(1);
  expect(index.match(event(), NOW_MS)).toHaveLength(200);
  for (let at = 200; at < 400; at += 1) index.update([`s${String(at).padStart(5, '0')}`], [subscription({ id: `s${String(at).padStart(5, '0')}` })]);
  expect(compiled()).toBeGreaterThan(1);
  expect(compiled()).toBeLessThan(3);
  expect(idsOf(index.match(event({ taskName: 'task1999' }), NOW_MS))).toHaveLength(401);
});

test('a subscription that changes again and again does not fill memory', () => {
  const { rules, compiled } = counted(10);
  const index = createLiveIndex(rules);
  for (let turn = 0; turn < 1_000; turn += 1) index.update(['s00001'], [subscription({ id: 's00001', queue: String(turn) })]);
  for (let turn = 0; turn < 1_000; turn += 1) expect(index.match(event({ queue: String(turn) }), NOW_MS)).toHaveLength(turn === 999 ? 1 : 0);
  expect(compiled()).toBeLessThan(100);
});

test('what is removed and not replaced is compiled away when it is the larger part', () => {
  const { rules, compiled } = counted(1_000);
  const index = createLiveIndex(rules);
  index.update(idsOf(rules.slice(0, 400)), []);
  expect(compiled()).toBe(1);
  index.update(idsOf(rules.slice(400, 800)), []);
  expect(compiled()).toBe(1.2);
  expect(idsOf(index.match(event({ taskName: 'task900' }), NOW_MS))).toEqual(['s00900']);
  expect(index.match(event({ taskName: 'task100' }), NOW_MS)).toEqual([]);
});
