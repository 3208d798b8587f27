import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AcceptedEvent } from '../../src/domain/event.ts';
import { firstMiss } from '../../src/domain/filter.ts';
import { createMatchIndex } from '../../src/domain/match.ts';
import { type FiredSubscription, planEvent } from '../../src/domain/plan.ts';
import type { MatchChannel, MatchSubscription } from '../../src/domain/subscription.ts';
import { TRIGGERS } from '../../src/domain/trigger.ts';
import { anyRules, anyStream, event, idsOf, NOW_MS, subscription } from '../support/rules.ts';
import vectors from '../vectors/task-name-patterns.json' with { type: 'json' };

function matched(subscriptions: readonly MatchSubscription[], happened: Partial<AcceptedEvent>, nowMs = NOW_MS): string[] {
  return idsOf(createMatchIndex(subscriptions).match(event(happened), nowMs));
}

/** The rules of spec 3 once more, word by word, sharing no code with src: filter by filter, and fnmatch by recursion. */
function naiveMatch(all: readonly MatchSubscription[], happened: AcceptedEvent, nowMs: number): string[] {
  const { priority, taskName } = happened;
  return all
    .filter((one) => one.trigger === happened.trigger)
    .filter((one) => one.isActive)
    .filter((one) => !(one.mutedUntil !== null && nowMs < one.mutedUntil))
    .filter((one) => one.isMember)
    .filter((one) => one.priorityMin === null || (priority !== null && priority >= one.priorityMin))
    .filter((one) => one.priorityMax === null || (priority !== null && priority <= one.priorityMax))
    .filter((one) => one.taskNamePattern === null || (taskName !== null && globs([...one.taskNamePattern], [...taskName])))
    .filter((one) => one.queue === null || one.queue === happened.queue)
    .map(({ id }) => id)
    .sort();
}

function globs([head, ...pattern]: string[], name: string[]): boolean {
  if (head === undefined) return name.length === 0;
  if (head === '*') return globs(pattern, name) || (name.length > 0 && globs([head, ...pattern], name.slice(1)));
  const [first, ...rest] = name;
  const close = pattern.indexOf(']', pattern[0] === '!' ? 2 : 1);
  if (head === '[' && close >= 0) {
    const isNegated = pattern[0] === '!';
    const members = pattern.slice(isNegated ? 1 : 0, close);
    return first !== undefined && members.includes(first) !== isNegated && globs(pattern.slice(close + 1), rest);
  }
  return first !== undefined && (head === '?' || head === first) && globs(pattern, rest);
}

test('the index finds what a naive walk through all subscriptions finds, in the order of ids', () => {
  fc.assert(
    fc.property(anyRules, anyStream, (rules, stream) => {
      const index = createMatchIndex(rules);
      for (const one of stream) expect(idsOf(index.match(one, NOW_MS))).toEqual(naiveMatch(rules, one, NOW_MS));
    }),
    { numRuns: 300 },
  );
});

test('the index and firstMiss agree on every subscription of the trigger', () => {
  fc.assert(
    fc.property(anyRules, anyStream, (rules, stream) => {
      const index = createMatchIndex(rules);
      for (const one of stream) {
        const firing = rules.filter((rule) => rule.trigger === one.trigger && firstMiss(rule, one, NOW_MS) === 'FIRES');
        expect(new Set(index.match(one, NOW_MS))).toEqual(new Set(firing));
      }
    }),
    { numRuns: 300 },
  );
});

test('all vectors of patterns match through the index too, alone and among the others', () => {
  const rows = vectors as [string, string, boolean][];
  const rules = rows.map(([taskNamePattern], at) => subscription({ id: String(at).padStart(4, '0'), taskNamePattern }));
  const index = createMatchIndex(rules);
  for (const [at, [taskNamePattern, taskName, expected]] of rows.entries()) {
    const id = String(at).padStart(4, '0');
    expect(matched([subscription({ id, taskNamePattern })], { taskName }), `${taskNamePattern} on ${taskName}`).toEqual(expected ? [id] : []);
    expect(idsOf(index.match(event({ taskName }), NOW_MS)).includes(id)).toBe(expected);
  }
});

describe('by task name', () => {
  const RULES = [
    subscription({ id: '1-any' }),
    subscription({ id: '2-all', taskNamePattern: '*' }),
    subscription({ id: '3-literal', taskNamePattern: 'billing.run' }),
    subscription({ id: '4-prefix', taskNamePattern: 'billing.*' }),
    subscription({ id: '5-longer', taskNamePattern: 'billing.r*' }),
    subscription({ id: '6-suffix', taskNamePattern: '*.run' }),
    subscription({ id: '7-both', taskNamePattern: 'bill*.run' }),
    subscription({ id: '8-middle', taskNamePattern: '*ing*' }),
    subscription({ id: '9-set', taskNamePattern: '[ab]illing.ru?' }),
  ];

  test.each([
    ['billing.run', ['1-any', '2-all', '3-literal', '4-prefix', '5-longer', '6-suffix', '7-both', '8-middle', '9-set']],
    ['billing.', ['1-any', '2-all', '4-prefix', '8-middle']],
    ['billing', ['1-any', '2-all', '8-middle']],
    ['.run', ['1-any', '2-all', '6-suffix']],
    ['mail.run', ['1-any', '2-all', '6-suffix']],
    ['ailling.run', ['1-any', '2-all', '6-suffix', '8-middle', '9-set']],
    ['', ['1-any', '2-all']],
    [null, ['1-any']],
    ['x'.repeat(500), ['1-any', '2-all']],
  ])('%j', (taskName, expected) => {
    expect(matched(RULES, { taskName })).toEqual(expected);
    expect(matched(RULES.toReversed(), { taskName })).toEqual(expected);
  });

  test('a name is known as the same whatever way its characters are stored', () => {
    const rules = [subscription({ id: '1', taskNamePattern: 'jobÿ.*' }), subscription({ id: '2', taskNamePattern: 'jobЖ.*' })];
    expect(matched(rules, { taskName: 'jobÿ.a' })).toEqual(['1']);
    expect(matched(rules, { taskName: 'jobÿ.Ж' })).toEqual(['1']);
    expect(matched(rules, { taskName: 'jobЖ.a' })).toEqual(['2']);
  });
});

test.each([1, 47, 48, 49, 95, 200])('a text of %d characters is compared to its last', (length) => {
  for (const unit of ['x', 'Ж']) {
    const text = unit.repeat(length);
    const rules = [
      subscription({ id: '1', taskNamePattern: `${text}a` }),
      subscription({ id: '2', taskNamePattern: `${text}a*` }),
      subscription({ id: '3', taskNamePattern: `*a${text}` }),
    ];
    expect(matched(rules, { taskName: `${text}a` })).toEqual(['1', '2']);
    expect(matched(rules, { taskName: `${text}b` })).toEqual([]);
    expect(matched(rules, { taskName: `a${text}` })).toEqual(['3']);
    expect(matched(rules, { taskName: `b${text}` })).toEqual([]);
  }
});

test('names of one hash (FNV-1a, which the index uses) stay apart', () => {
  const [known, other] = collision();
  const backwards = (text: string) => [...text].reverse().join('');
  const patterns = [known, `${known}*`, `*${backwards(known)}`];
  const rules = patterns.map((taskNamePattern, at) => subscription({ id: `${at}`, taskNamePattern }));
  expect(matched(rules, { taskName: known })).toEqual(['0', '1']);
  expect(matched(rules, { taskName: other })).toEqual([]);
  expect(matched(rules, { taskName: backwards(known) })).toEqual(['2']);
  expect(matched(rules, { taskName: backwards(other) })).toEqual([]);
});

/** Two texts of equal length and equal hash: by the birthday paradox, among some 100,000. */
function collision(): [string, string] {
  const seen = new Map<number, string>();
  for (let number = 100_000_000; ; number += 7919) {
    const text = String(number);
    const hash = [...text].reduce((sum, char) => Math.imul(sum ^ char.charCodeAt(0), 16_777_619), 0);
    const known = seen.get(hash);
    if (known !== undefined) return [known, text];
    seen.set(hash, text);
  }
}

test('by trigger: the same rule for another trigger stays silent', () => {
  const rules = TRIGGERS.map((one) => subscription({ id: one, trigger: one }));
  for (const one of TRIGGERS) expect(matched(rules, { trigger: one })).toEqual([one]);
  expect(matched([], { trigger: 'task.slow' })).toEqual([]);
});

test('by queue: its own and those without one', () => {
  const rules = [subscription({ id: '1', queue: 'a' }), subscription({ id: '2', queue: 'b' }), subscription({ id: '3' }), subscription({ id: '4', queue: '' })];
  expect(matched(rules, { queue: 'a' })).toEqual(['1', '3']);
  expect(matched(rules, { queue: 'c' })).toEqual(['3']);
  expect(matched(rules, { queue: null })).toEqual(['3']);
  expect(matched(rules, { queue: '' })).toEqual(['3', '4']);
});

test('a mute ends by itself, without a new index', () => {
  const index = createMatchIndex([subscription({ mutedUntil: NOW_MS })]);
  expect(idsOf(index.match(event(), NOW_MS - 1))).toEqual([]);
  expect(idsOf(index.match(event(), NOW_MS))).toEqual(['s1']);
});

test('what is inactive or belongs to no member is not in the index', () => {
  const index = createMatchIndex([subscription({ isActive: false }), subscription({ isMember: false }), subscription({ id: 's3', userId: null })]);
  expect(idsOf(index.match(event(), NOW_MS))).toEqual(['s3']);
});

test('a match gives the very subscriptions, in a list of its own, and leaves the given list as it was', () => {
  const rules = [subscription({ id: '2' }), subscription({ id: '1' })];
  const index = createMatchIndex(rules);
  const first = index.match(event(), NOW_MS);
  expect(first).toEqual([rules[1], rules[0]]);
  expect(first[0]).toBe(rules[1]);
  first.length = 0;
  expect(index.match(event(), NOW_MS)).toHaveLength(2);
  expect(idsOf(rules)).toEqual(['2', '1']);
});

test.each([1, 32, 33, 2000])('%d matches from several places come in the order of ids', (count) => {
  const patterns = [null, '*', 'a.b', 'a.*', '*.b', 'a*b', '*.*', '?.b'];
  const rules = Array.from({ length: count }, (_, at) =>
    subscription({ id: `${(at * 7919) % count}`.padStart(5, '0'), taskNamePattern: patterns[at % patterns.length] ?? null }),
  );
  expect(matched(rules, { taskName: 'a.b' })).toEqual(idsOf(rules).sort());
});

test('a match looks at none but those that its task name and queue lead to', () => {
  const touched = new Set<string>();
  const rules = Array.from({ length: 3000 }, (_, at) => {
    const group = Math.floor(at / 3);
    const taskNamePattern = [`billing${group}.a.deliver${group}`, `billing${group}.*`, `*.deliver${group}`][at % 3] ?? null;
    const one = subscription({ id: `${at}`.padStart(5, '0'), taskNamePattern, queue: at < 1500 ? 'slow' : null, mutedUntil: 0 });
    return new Proxy(one, {
      get: (target, key): unknown => {
        touched.add(one.id);
        return Reflect.get(target, key);
      },
    });
  });
  const index = createMatchIndex(rules);
  touched.clear();
  expect(index.match(event({ taskName: 'billing700.a.deliver700', queue: 'fast' }), NOW_MS)).toHaveLength(3);
  expect([...touched].sort()).toEqual(['02100', '02101', '02102']);
});

describe('what an event leads to', () => {
  const HOOK: MatchChannel = { id: 'c1', name: 'hook', type: 'webhook', ownerUserId: null, isActive: true };
  const MINE: MatchChannel = { id: 'c2', name: 'mine', type: 'webhook', ownerUserId: 'u1', isActive: true };
  const OFF: MatchChannel = { id: 'c3', name: 'off', type: 'webhook', ownerUserId: null, isActive: false };

  function fired(given: Partial<MatchSubscription>, suppressed: FiredSubscription['suppressed'] = null): FiredSubscription {
    return { subscription: subscription(given), suppressed };
  }

  test('one item a user, put down to the first of the user’s own', () => {
    const { inbox } = planEvent([
      fired({ id: '1', userId: 'u1', isDefaultCopy: true }),
      fired({ id: '2', userId: 'u1' }),
      fired({ id: '3', userId: 'u1' }),
      fired({ id: '4', userId: 'u2', isDefaultCopy: true }),
      fired({ id: '5', userId: 'u2', isDefaultCopy: true }),
      fired({ id: '6', userId: 'u3', inApp: false }),
      fired({ id: '7', userId: null, inApp: false }),
    ]);
    expect(inbox.map(({ userId, subscriptionId, reason }) => [userId, subscriptionId, reason])).toEqual([
      ['u1', '2', 'SUBSCRIBED'],
      ['u2', '4', 'DEFAULT'],
    ]);
  });

  test('one delivery a channel, for all that lead there; none to a channel that is off', () => {
    const { deliveries } = planEvent([
      fired({ id: '1', channels: [HOOK, MINE] }),
      fired({ id: '2', channels: [HOOK, OFF] }),
      fired({ id: '3', userId: null, inApp: false, channels: [HOOK] }),
    ]);
    expect(deliveries.map(({ channel, subscriptionIds }) => [channel.id, subscriptionIds])).toEqual([
      ['c1', ['1', '2', '3']],
      ['c2', ['1']],
    ]);
  });

  test('the largest count of what a cooldown dropped goes along, to item and delivery apart', () => {
    const { inbox, deliveries } = planEvent([
      fired({ id: '1', channels: [HOOK], inApp: false }, { count: 9, since: 900 }),
      fired({ id: '2', channels: [HOOK] }, { count: 3, since: 300 }),
      fired({ id: '3' }, { count: 5, since: 500 }),
      fired({ id: '4', channels: [MINE] }),
    ]);
    expect(inbox.map(({ suppressed }) => suppressed)).toEqual([{ count: 5, since: 500 }]);
    expect(deliveries.map(({ channel, suppressed }) => [channel.id, suppressed])).toEqual([
      ['c1', { count: 9, since: 900 }],
      ['c2', null],
    ]);
  });

  test('nothing fired leads to nothing', () => {
    expect(planEvent([])).toEqual({ inbox: [], deliveries: [] });
  });
});
