import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  byId,
  type ConnectionArgs,
  type CursorCodec,
  ID_CURSOR,
  JOINED_CURSOR,
  readPage,
  rowsToAsk,
  SEQ_CURSOR,
  toConnection,
} from '../../src/graphql/connection.ts';

const UUID = '0192f0c1-7a3b-7def-8123-456789abcdef';

/** What a query would answer for a page of `seqs`, which are listed newest first. */
function find(seqs: readonly number[], page: ReturnType<typeof readPage<number>>): number[] {
  const inRange = seqs.filter((seq) => (page.below === null || seq < page.below) && (page.above === null || seq > page.above));
  const ordered = inRange.sort((a, b) => (page.backward ? a - b : b - a));
  return ordered.slice(0, rowsToAsk(page));
}

function list(seqs: readonly number[], args: ConnectionArgs) {
  const page = readPage(args, SEQ_CURSOR);
  return toConnection(page, find(seqs, page), SEQ_CURSOR, (seq) => seq);
}

const nodes = (connection: ReturnType<typeof list>): number[] => connection.edges.map((edge) => edge.node);

test('20 by default, newest first', () => {
  const page = list(
    Array.from({ length: 30 }, (_, i) => i + 1),
    {},
  );
  expect(nodes(page)).toEqual(Array.from({ length: 20 }, (_, i) => 30 - i));
  expect(page.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
});

test.each<[string, ConnectionArgs, number[], boolean, boolean]>([
  ['first 2', { first: 2 }, [5, 4], true, false],
  ['first of exactly all', { first: 5 }, [5, 4, 3, 2, 1], false, false],
  ['first 0', { first: 0 }, [], true, false],
  ['last 2: still newest first', { last: 2 }, [2, 1], false, true],
  ['last of exactly all', { last: 5 }, [5, 4, 3, 2, 1], false, false],
])('%s of five', (_what, args, expected, hasNextPage, hasPreviousPage) => {
  const page = list([1, 2, 3, 4, 5], args);
  expect(nodes(page)).toEqual(expected);
  expect(page.pageInfo).toMatchObject({ hasNextPage, hasPreviousPage });
});

test('after and before enclose a range; a cursor stays good when its row is gone', () => {
  const cursors = Object.fromEntries(list([1, 2, 3, 4, 5], {}).edges.map((edge) => [edge.node, edge.cursor]));
  expect(nodes(list([1, 2, 3, 4, 5], { after: cursors[4] ?? '' }))).toEqual([3, 2, 1]);
  expect(nodes(list([1, 2, 3, 5], { after: cursors[4] ?? '' }))).toEqual([3, 2, 1]);
  expect(nodes(list([1, 2, 3, 4, 5], { after: cursors[5] ?? '', before: cursors[2] ?? '' }))).toEqual([4, 3]);
  expect(nodes(list([1, 2, 3, 4, 5], { last: 2, before: cursors[2] ?? '' }))).toEqual([4, 3]);
});

test.each<[string, ConnectionArgs, string]>([
  ['more than 100', { first: 101 }, 'first'],
  ['more than 100 from the end', { last: 101 }, 'last'],
  ['less than none', { first: -1 }, 'first'],
  ['both directions', { first: 1, last: 1 }, 'last'],
  ['garbage', { after: 'garbage' }, 'after'],
  ['no base64url', { after: '???' }, 'after'],
  ['an empty cursor', { before: '' }, 'before'],
  ['a cursor of another kind of list', { before: (list([1], {}).pageInfo.startCursor ?? '').slice(0, -1) }, 'before'],
  ['a long one', { after: 'A'.repeat(10_000) }, 'after'],
])('refuses %s at its argument', (_why, args, path) => {
  expect(() => readPage(args, SEQ_CURSOR)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT', issues: [expect.objectContaining({ path })] }));
});

test('a cursor of one list is none of another', () => {
  const cursor = list([7], {}).pageInfo.endCursor;
  expect(() => readPage({ after: cursor }, ID_CURSOR)).toThrow(/not a cursor/);
  expect(() => readPage({ after: cursor }, JOINED_CURSOR)).toThrow(/not a cursor/);
});

describe.each<[string, CursorCodec<unknown>, unknown]>([
  ['ids', ID_CURSOR, UUID],
  ['numbers', SEQ_CURSOR, 42],
  ['members', JOINED_CURSOR, { joinedAtMs: 1_700_000_000_123, userId: UUID }],
])('cursors of %s', (_what, codec, key) => {
  test('go there and back', () => {
    expect(codec.read(codec.write(key))).toEqual(key);
  });

  test('are read from nothing else', () => {
    fc.assert(fc.property(fc.string(), (text) => codec.read(text) === null || codec.write(codec.read(text)) === text));
  });
});

test('Prisma gets the range as conditions on the id', () => {
  expect(byId({ limit: 2, backward: false, below: UUID, above: null })).toEqual({ where: { id: { lt: UUID } }, orderBy: { id: 'desc' }, take: 3 });
  expect(byId({ limit: 2, backward: true, below: null, above: UUID })).toEqual({ where: { id: { gt: UUID } }, orderBy: { id: 'asc' }, take: 3 });
});

test('any walk, forwards or backwards, meets each row once', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 1_000 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 17 }),
      fc.boolean(),
      (seqs, size, backward) => {
        const met: number[] = [];
        for (let args: ConnectionArgs = backward ? { last: size } : { first: size }; ; ) {
          const page = list(seqs, args);
          if (backward) met.unshift(...nodes(page));
          else met.push(...nodes(page));
          const { hasNextPage, hasPreviousPage, startCursor, endCursor } = page.pageInfo;
          if (!(backward ? hasPreviousPage : hasNextPage)) break;
          args = backward ? { last: size, before: startCursor } : { first: size, after: endCursor };
        }
        expect(met).toEqual([...seqs].sort((a, b) => b - a));
      },
    ),
  );
});
