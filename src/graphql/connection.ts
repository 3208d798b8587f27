import { badInput } from '../lib/error.ts';
import { isUuid } from '../lib/id.ts';

export interface ConnectionArgs {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/**
 * Where a page lies among rows that are listed newest first: keys below `below` and above `above`, each where given. With `backward` the page is the
 * oldest `limit` of them. Keys outlive their rows, so cursors stay good when rows are added or deleted.
 */
export interface PageRange<Key> {
  limit: number;
  backward: boolean;
  below: Key | null;
  above: Key | null;
}

/** How keys are written into cursors; `read` gives null for what is no such key. */
export interface CursorCodec<Key> {
  write(key: Key): string;
  read(text: string): Key | null;
}

export interface Connection<Row> {
  edges: { cursor: string; node: Row }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
}

const PAGE_SIZE_DEFAULT = 20;
const PAGE_SIZE_MAX = 100;

/** Reads a connection's arguments. BAD_USER_INPUT at the argument's path: page size not 0 to 100, both directions at once, a cursor that is not ours. */
export function readPage<Key>(args: ConnectionArgs, codec: CursorCodec<Key>): PageRange<Key> {
  const backward = args.last !== null && args.last !== undefined;
  if (backward && args.first !== null && args.first !== undefined) throw badInput([{ path: 'last', message: 'give first or last, not both' }]);
  const limit = (backward ? args.last : args.first) ?? PAGE_SIZE_DEFAULT;
  if (limit < 0 || limit > PAGE_SIZE_MAX) throw badInput([{ path: backward ? 'last' : 'first', message: `must be 0 to ${String(PAGE_SIZE_MAX)}` }]);
  return { limit, backward, below: readCursor('after', args.after, codec), above: readCursor('before', args.before, codec) };
}

/**
 * Makes a connection of the rows that a query found for `page`: it asks for `rowsToAsk(page)` rows, in the page's own direction (newest first, or oldest
 * first where it is `backward`).
 */
export function toConnection<Row, Key>(page: PageRange<Key>, found: readonly Row[], codec: CursorCodec<Key>, keyOf: (row: Row) => Key): Connection<Row> {
  const hasMore = found.length > page.limit;
  const rows = found.slice(0, page.limit);
  if (page.backward) rows.reverse();
  const edges = rows.map((node) => ({ cursor: encode(codec.write(keyOf(node))), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: page.backward ? page.above !== null : hasMore,
      hasPreviousPage: page.backward ? hasMore : page.below !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** One row more than the page has says whether there is another page. */
export function rowsToAsk(page: PageRange<unknown>): number {
  return page.limit + 1;
}

/** The page's range and order as Prisma's arguments, for rows that are keyed by `id`. */
export function byId(page: PageRange<string>): { where: { id: { lt?: string; gt?: string } }; orderBy: { id: 'asc' | 'desc' }; take: number } {
  const id: { lt?: string; gt?: string } = {};
  if (page.below !== null) id.lt = page.below;
  if (page.above !== null) id.gt = page.above;
  return { where: { id }, orderBy: { id: page.backward ? 'asc' : 'desc' }, take: rowsToAsk(page) };
}

/** Marks what cursors are of, so that one of another kind of list is known as such. */
function prefixed<Key>(prefix: string, codec: CursorCodec<Key>): CursorCodec<Key> {
  return {
    write: (key) => `${prefix}${codec.write(key)}`,
    read: (text) => (text.startsWith(prefix) ? codec.read(text.slice(prefix.length)) : null),
  };
}

/** Rows by their UUIDv7, whose order is that of their making. */
export const ID_CURSOR: CursorCodec<string> = prefixed('id:', { write: (id) => id, read: (text) => (isUuid(text) ? text : null) });

/** Inbox items by their number. */
export const SEQ_CURSOR: CursorCodec<number> = prefixed<number>('seq:', {
  write: String,
  read: (text) => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : null),
});

export interface JoinedKey {
  joinedAtMs: number;
  userId: string;
}

/** Members by when they joined, and by user where that is the same. */
export const JOINED_CURSOR: CursorCodec<JoinedKey> = prefixed('joined:', {
  write: ({ joinedAtMs, userId }) => `${String(joinedAtMs)}:${userId}`,
  read: (text) => {
    const [time = '', userId = ''] = text.split(':', 2);
    return /^\d{1,15}$/.test(time) && isUuid(userId) ? { joinedAtMs: Number(time), userId } : null;
  },
});

const CURSOR_CHARS_MAX = 200;

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}

function readCursor<Key>(path: string, cursor: string | null | undefined, codec: CursorCodec<Key>): Key | null {
  if (cursor === null || cursor === undefined) return null;
  const text = cursor.length > CURSOR_CHARS_MAX ? '' : Buffer.from(cursor, 'base64url').toString('utf8');
  const key = encode(text) === cursor ? codec.read(text) : null;
  if (key === null) throw badInput([{ path, message: 'is not a cursor of this list' }]);
  return key;
}
