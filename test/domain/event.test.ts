import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AcceptedEvent, indexedIssues, readEvent, readEvents } from '../../src/domain/event.ts';
import { TRIGGERS } from '../../src/domain/trigger.ts';
import type { InputIssue } from '../../src/lib/error.ts';

const NOW_MS = Date.UTC(2026, 10, 24, 12);
const LEAST = { id: 'e1', trigger: 'task.failed' };

function accepted(fields: object): AcceptedEvent {
  const read = readEvent({ ...LEAST, ...fields }, NOW_MS);
  if (!read.ok) throw new Error(`refused: ${JSON.stringify(read.issues)}`);
  return read.event;
}

function issuesOf(input: unknown): InputIssue[] {
  const read = readEvent(input, NOW_MS);
  return read.ok ? [] : read.issues;
}

function pathsOf(fields: object): string[] {
  return issuesOf({ ...LEAST, ...fields }).map(({ path }) => path);
}

test('the least event has null in all the rest', () => {
  const { id, trigger, ...rest } = accepted({});
  expect({ id, trigger }).toEqual(LEAST);
  expect(Object.keys(rest).sort()).toEqual(
    ['agent', 'data', 'engine', 'exception', 'occurredAt', 'priority', 'queue', 'runtimeMs', 'state', 'taskId', 'taskName', 'traceback'].sort(),
  );
  expect(new Set(Object.values(rest))).toEqual(new Set([null]));
});

test('a full event comes through as it is', () => {
  const full = {
    ...LEAST,
    taskId: 't1',
    taskName: 'billing.run',
    queue: 'default',
    engine: 'celery',
    priority: -5,
    state: 'FAILURE',
    agent: 'worker-3',
    runtimeMs: 0,
    exception: 'ValueError: no',
    traceback: 'Traceback…',
    data: { a: [1, null, true, { b: 'c' }] },
  };
  expect(accepted({ ...full, occurredAt: '2026-11-24T11:59:00Z' })).toEqual({ ...full, occurredAt: NOW_MS - 60_000 });
});

test.each(TRIGGERS)('%s is a trigger', (trigger) => {
  expect(accepted({ trigger }).trigger).toBe(trigger);
});

test('null counts as absent', () => {
  const fields = ['occurredAt', 'taskId', 'taskName', 'queue', 'engine', 'priority', 'state', 'agent', 'runtimeMs', 'exception', 'traceback', 'data'];
  expect(accepted(Object.fromEntries(fields.map((field) => [field, null])))).toEqual(accepted({}));
});

test.each([
  ['null', null],
  ['an array', []],
  ['a string', 'e1'],
  ['a number', 1],
  ['nothing', undefined],
])('%s is no event', (_what, input) => {
  expect(issuesOf(input)).toEqual([{ path: '', message: 'must be an object' }]);
});

test.each<[string, object, string]>([
  ['no id', { id: undefined }, 'id'],
  ['id null', { id: null }, 'id'],
  ['an empty id', { id: '' }, 'id'],
  ['an id that is a number', { id: 7 }, 'id'],
  ['no trigger', { trigger: undefined }, 'trigger'],
  ['an unknown trigger', { trigger: 'task.lost' }, 'trigger'],
  ["GraphQL's form of a trigger", { trigger: 'TASK_FAILED' }, 'trigger'],
  ['a trigger that is an array', { trigger: ['task.failed'] }, 'trigger'],
  ['a name that is an object', { taskName: {} }, 'taskName'],
  ['a priority that is text', { priority: '5' }, 'priority'],
  ['a broken priority', { priority: 1.5 }, 'priority'],
  ['a priority above 32 bits', { priority: 2 ** 31 }, 'priority'],
  ['a priority below 32 bits', { priority: -(2 ** 31) - 1 }, 'priority'],
  ['a priority that is no number', { priority: Number.NaN }, 'priority'],
  ['a negative run time', { runtimeMs: -1 }, 'runtimeMs'],
  ['a run time above 32 bits', { runtimeMs: 2 ** 31 }, 'runtimeMs'],
  ['data that is an array', { data: [] }, 'data'],
  ['data that is text', { data: '{}' }, 'data'],
  ['occurredAt that is a number', { occurredAt: NOW_MS }, 'occurredAt'],
])('%s is refused once, at its path', (_what, fields, path) => {
  expect(pathsOf(fields)).toEqual([path]);
});

test('every problem of an event is told, without any value', () => {
  const issues = issuesOf({ id: 'secret'.repeat(50), trigger: 'secret', taskId: 'secret\0', priority: 'secret', data: ['secret'], occurredAt: 'secret' });
  expect(issues.map(({ path }) => path)).toEqual(['id', 'trigger', 'occurredAt', 'taskId', 'priority', 'data']);
  expect(JSON.stringify(issues)).not.toContain('secret');
});

test.each([
  [-(2 ** 31), -(2 ** 31)],
  [2 ** 31 - 1, 2 ** 31 - 1],
  [-0, 0],
])('priority %d is taken as %d', (priority, expected) => {
  expect(accepted({ priority }).priority).toBe(expected);
});

describe('sizes in bytes', () => {
  test.each([
    ['id', 200],
    ['taskId', 200],
    ['agent', 200],
    ['queue', 200],
    ['taskName', 500],
    ['engine', 50],
    ['state', 50],
  ])('%s takes %d, and one more is refused', (field, bytesMax) => {
    const euros = '€'.repeat(Math.floor(bytesMax / 3)) + 'x'.repeat(bytesMax % 3);
    expect(accepted({ [field]: euros })).toMatchObject({ [field]: euros });
    expect(accepted({ [field]: 'x'.repeat(bytesMax) })).toMatchObject({ [field]: 'x'.repeat(bytesMax) });
    expect(pathsOf({ [field]: `${euros}x` })).toEqual([field]);
    expect(pathsOf({ [field]: 'x'.repeat(bytesMax + 1) })).toEqual([field]);
  });

  test.each([
    ['exception', 16_384],
    ['traceback', 65_536],
  ] as const)('%s takes %d, and is cut there on a code-point boundary', (field, bytesMax) => {
    expect(accepted({ [field]: 'x'.repeat(bytesMax) })[field]).toBe('x'.repeat(bytesMax));
    const cut = accepted({ [field]: `x${'😀'.repeat(bytesMax)}` })[field] ?? '';
    expect(Buffer.byteLength(cut)).toBeGreaterThan(bytesMax - 8);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytesMax);
    expect(cut).toMatch(/^x(😀)+…$/u);
  });

  test('a text that grows when it is made storable is still cut to size', () => {
    expect(Buffer.byteLength(accepted({ exception: '\0'.repeat(16_384) }).exception ?? '')).toBeLessThanOrEqual(16_384);
  });
});

describe('NUL and lone surrogates', () => {
  test.each(['id', 'taskId', 'agent'])('are refused in %s', (field) => {
    expect(pathsOf({ [field]: 'a\0b' })).toEqual([field]);
    expect(pathsOf({ [field]: 'a\ud83d' })).toEqual([field]);
    expect(pathsOf({ [field]: '\udc00a' })).toEqual([field]);
  });

  test.each(['taskName', 'queue', 'engine', 'state', 'exception', 'traceback'])('become U+FFFD in %s', (field) => {
    expect(accepted({ [field]: 'a\0\ud83d😀\udc00' })).toMatchObject({ [field]: 'a��😀�' });
  });

  test('become U+FFFD in data, keys and values, at every depth', () => {
    const data = { 'k\0': ['v\ud800', { '\udc00': 'w\0' }], n: 1 };
    expect(accepted({ data }).data).toEqual({ 'k�': ['v�', { '�': 'w�' }], n: 1 });
    expect(data).toHaveProperty(['k\0']);
  });
});

describe('occurredAt', () => {
  test.each([
    ['UTC', '2026-11-24T11:00:00Z', NOW_MS - 3_600_000],
    ['an offset ahead', '2026-11-24T12:30:00+01:30', NOW_MS - 3_600_000],
    ['an offset behind', '2026-11-24T09:30:00-01:30', NOW_MS - 3_600_000],
    ['fractions, cut to milliseconds', '2026-11-24T11:00:00.123999999Z', NOW_MS - 3_600_000 + 123],
    ['a short fraction', '2026-11-24T11:00:00.5Z', NOW_MS - 3_600_000 + 500],
    ['small letters and a space, as RFC 3339 allows', '2026-11-24 11:00:00z', NOW_MS - 3_600_000],
    ['a leap second', '2016-12-31T23:59:60Z', Date.UTC(2017, 0, 1)],
    ['a leap day', '2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ["Go's zero time", '0001-01-01T00:00:00Z', -62_135_596_800_000],
    ['exactly 60 s ahead', '2026-11-24T12:01:00Z', NOW_MS + 60_000],
    ['more than 60 s ahead, as now', '2026-11-24T12:01:00.001Z', NOW_MS],
    ['the end of time, as now', '9999-12-31T23:59:59-23:59', NOW_MS],
    ['a Date', new Date(NOW_MS - 5), NOW_MS - 5],
    ['a Date far ahead, as now', new Date(8.64e15), NOW_MS],
  ])('takes %s', (_what, occurredAt, expected) => {
    expect(accepted({ occurredAt }).occurredAt).toBe(expected);
  });

  test.each([
    '',
    'now',
    '2026-11-24',
    '2026-11-24T11:00:00',
    '2026-11-24T11:00Z',
    '2026-11-24T11:00:00+0100',
    '2026-11-24T11:00:00.Z',
    '2026-11-24T24:00:00Z',
    '2026-11-24T11:60:00Z',
    '2026-11-24T11:00:61Z',
    '2026-11-24T11:00:00+24:00',
    '2026-00-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-11-31T00:00:00Z',
    '2026-11-00T00:00:00Z',
    '+002026-11-24T11:00:00Z',
    '0001-01-01T00:00:00+00:01',
    ' 2026-11-24T11:00:00Z',
    '2026-11-24T11:00:00Z\n',
    new Date(Number.NaN),
    new Date(-8.64e15),
  ])('refuses %j', (occurredAt) => {
    expect(pathsOf({ occurredAt })).toEqual(['occurredAt']);
  });

  test('agrees with Date on every instant that it writes', () => {
    const min = new Date('0001-01-01T00:00:00.000Z');
    fc.assert(
      fc.property(
        fc.date({ min, max: new Date(NOW_MS), noInvalidDate: true }),
        (date) => accepted({ occurredAt: date.toISOString() }).occurredAt === date.getTime(),
      ),
    );
  });
});

describe('data', () => {
  function nested(depth: number): unknown {
    let value: unknown = {};
    for (let level = 1; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
    return Array.isArray(value) ? { a: value } : value;
  }
  function objects(depth: number): object {
    let value: object = {};
    for (let level = 1; level < depth; level += 1) value = { a: value };
    return value;
  }
  function sized(bytes: number): object {
    return { k: 'x'.repeat(bytes - '{"k":""}'.length) };
  }

  test('takes 32 levels, and refuses 33', () => {
    expect(accepted({ data: objects(32) }).data).toEqual(objects(32));
    expect(pathsOf({ data: objects(33) })).toEqual(['data']);
    expect(pathsOf({ data: { a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]] } })).toEqual(['data']);
  });

  test.each([1000, 100_000, 1_000_000])('%d levels are refused, and nothing overflows', (depth) => {
    expect(pathsOf({ data: nested(depth) })).toEqual(['data']);
  });

  test('a cycle is refused', () => {
    const data: Record<string, unknown> = {};
    data['self'] = data;
    expect(pathsOf({ data })).toEqual(['data']);
  });

  test('takes 64 KiB as JSON, and refuses a byte more', () => {
    expect(accepted({ data: sized(65_536) }).data).toEqual(sized(65_536));
    expect(pathsOf({ data: sized(65_537) })).toEqual(['data']);
  });

  test.each([
    ['bytes, not characters', { k: '€'.repeat(21_843) }],
    ['escapes', { k: '"'.repeat(32_765) }],
    ['keys', Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key-${index}`, null]))],
    ['many small values', { k: Array.from({ length: 40_000 }, () => 1) }],
    ['a million values', { k: new Array<number>(1_000_000).fill(1) }],
  ])('its size counts %s', (_what, data) => {
    expect(Buffer.byteLength(JSON.stringify(data))).toBeGreaterThan(65_536);
    expect(pathsOf({ data })).toEqual(['data']);
  });

  test.each([
    ['what JSON.parse makes of 1e400', JSON.parse('{"a":1e400}') as object],
    ['NaN', { a: Number.NaN }],
    ['undefined', { a: undefined }],
    ['a big integer', { a: 1n }],
    ['a function', { a: () => 1 }],
    ['a Date', { a: new Date(0) }],
    ['a Map for data', new Map()],
    ['a Date for data', new Date(0)],
  ])('%s is no JSON', (_what, data) => {
    expect(pathsOf({ data })).toEqual(['data']);
  });

  test('keeps a key __proto__ as a key, whether or not something had to be replaced', () => {
    for (const text of ['{"__proto__":{"polluted":true},"k":"v"}', '{"__proto__":{"polluted":"\\u0000"},"k":"v"}']) {
      const { data } = accepted({ data: JSON.parse(text) as object });
      expect(Object.keys(data ?? {})).toEqual(['__proto__', 'k']);
      expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
      expect(data).not.toHaveProperty('polluted');
    }
    expect({}).not.toHaveProperty('polluted');
  });

  test('takes objects without a prototype, as GraphQL makes them', () => {
    const data = Object.assign(Object.create(null) as object, { a: 1 });
    expect(accepted({ data }).data).toEqual({ a: 1 });
  });

  test('any JSON object of ordinary size comes through unchanged', () => {
    const json = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 6, stringUnit: 'grapheme' }), { maxKeys: 8 });
    fc.assert(
      fc.property(json, (data) => {
        const isStorable = !JSON.stringify(data).includes('\\u0000');
        const text = JSON.stringify(data);
        return !isStorable || JSON.stringify(accepted({ data: JSON.parse(text) as object }).data) === text;
      }),
    );
  });
});

describe('unknown fields', () => {
  test('are refused by name', () => {
    expect(issuesOf({ ...LEAST, task_id: 't1' })).toEqual([{ path: 'task_id', message: 'unknown field' }]);
  });

  test('a field that only the prototype has is not read', () => {
    expect(issuesOf(Object.create(LEAST)).map(({ path }) => path)).toEqual(['id', 'trigger']);
  });

  test('__proto__ is one of them, and pollutes nothing', () => {
    const input: unknown = JSON.parse('{"id":"e1","trigger":"task.failed","__proto__":{"taskId":"t1"}}');
    expect(issuesOf(input)).toEqual([{ path: '__proto__', message: 'unknown field' }]);
  });

  test.each([
    ['constructor', 'constructor'],
    ['x'.repeat(50), 'x'.repeat(50)],
    ['x'.repeat(51), `${'x'.repeat(49)}…`],
    ['x'.repeat(100_000), `${'x'.repeat(49)}…`],
    ['😀'.repeat(60), `${'😀'.repeat(49)}…`],
    ['a\nb\u001b[31m\u202e\u2028\0\ud800', 'a�b�[31m����'],
  ])('a hostile name is cut to 50 printable characters: %#', (name, path) => {
    expect(issuesOf({ ...LEAST, [name]: 1 })).toEqual([{ path, message: 'unknown field' }]);
  });

  test('no more than 20 are told', () => {
    expect(issuesOf({ ...LEAST, ...Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`f${index}`, 1])) })).toHaveLength(20);
  });
});

describe('the events of one call', () => {
  test('the valid ones keep their order, the others are told by index', () => {
    const batch = readEvents([{ id: 'a', trigger: 'task.slow' }, 5, { id: 'b', trigger: 'x', priority: 'y' }, { id: 'c', trigger: 'task.slow' }], NOW_MS);
    if (!batch.ok) throw new Error('refused');
    expect(batch.events.map(({ id }) => id)).toEqual(['a', 'c']);
    expect(batch.rejected.map(({ index, path }) => [index, path])).toEqual([
      [1, ''],
      [2, 'trigger'],
      [2, 'priority'],
    ]);
    expect(indexedIssues(batch.rejected).map(({ path }) => path)).toEqual(['1', '2.trigger', '2.priority']);
    expect(indexedIssues(batch.rejected, 'events').map(({ path }) => path)).toEqual(['events.1', 'events.2.trigger', 'events.2.priority']);
  });

  test('1,000 are taken, 1,001 refused as a whole', () => {
    const inputs = Array.from({ length: 1001 }, (_, index) => ({ id: `e${index}`, trigger: 'task.failed' }));
    const most = readEvents(inputs.slice(1), NOW_MS);
    expect(most.ok && most.events.length).toBe(1000);
    expect(readEvents(inputs, NOW_MS)).toEqual({ ok: false, issues: [{ path: '', message: 'at most 1000 events a call' }] });
    expect(readEvents(inputs, NOW_MS, { max: 10 }).ok).toBe(false);
  });

  test('none is no problem', () => {
    expect(readEvents([], NOW_MS)).toEqual({ ok: true, events: [], rejected: [] });
  });
});

test('whatever JSON comes in, the answer is an event that can be stored or issues with paths, never an error', () => {
  const field = fc.constantFrom('id', 'trigger', 'taskId', 'taskName', 'agent', 'priority', 'data', 'occurredAt', 'other');
  const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string({ unit: 'binary' }), fc.constantFrom('task.failed', 'a\0', '\ud800'));
  fc.assert(
    fc.property(fc.oneof(fc.dictionary(field, value, { maxKeys: 6 }), fc.jsonValue({ maxDepth: 2 })), (input) => {
      const read = readEvent(input, NOW_MS);
      if (!read.ok) return read.issues.length > 0;
      return JSON.stringify(read.event).isWellFormed() && !/\\u0000|\\ud[89a-f]/.test(JSON.stringify(read.event).replaceAll('\\\\', ''));
    }),
  );
});
