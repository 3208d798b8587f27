import type { InboxFilter } from '../../domain/inbox.ts';
import { badInput, notFound } from '../../lib/error.ts';
import { keyOf, splitInboxItemKey } from '../../lib/global-id.ts';
import type { InboxSelection } from '../../pipeline/change-inbox.ts';
import type { Api } from '../api.ts';
import { builder } from '../builder.ts';
import { TriggerEnum } from '../enums.ts';
import { given } from '../given.ts';
import { readOptionalId } from '../ids.ts';

export const InboxFilterInput = builder.inputType('InboxFilter', {
  fields: (t) => ({
    projectId: t.id(),
    trigger: t.field({ type: [TriggerEnum] }),
    taskName: t.string(),
    unreadOnly: t.boolean(),
    archived: t.boolean(),
  }),
});

export const InboxSelectionInput = builder.inputType('InboxSelectionInput', {
  description: 'ids, or all: true for everything the filter selects; upTo: only items added up to this feed cursor.',
  fields: (t) => ({ ids: t.idList(), all: t.boolean(), filter: t.field({ type: InboxFilterInput }), upTo: t.string() }),
});

/** A filter as it was given at `path`; none selects what is not archived. */
export function readFilter(filter: typeof InboxFilterInput.$inferInput | null | undefined, path: string): InboxFilter {
  if (filter === null || filter === undefined) return {};
  return given({ ...filter, projectId: readOptionalId('Project', filter.projectId, `${path}.projectId`) });
}

const IDS_MAX = 1_000;

/** Which items of the user are meant. BAD_USER_INPUT unless it is by ids or by all; NOT_FOUND for an id that is no item of this user. */
export function readSelection({ feedCursors }: Pick<Api, 'feedCursors'>, userId: string, input: typeof InboxSelectionInput.$inferInput): InboxSelection {
  const { ids, all, filter, upTo } = input;
  const upToSeq = upTo === null || upTo === undefined ? null : readUpTo(feedCursors, userId, upTo);
  if (ids === null || ids === undefined) {
    if (all !== true) throw badInput([{ path: 'ids', message: 'give ids, or all: true' }]);
    return { filter: readFilter(filter, 'filter'), upToSeq };
  }
  if (all === true) throw badInput([{ path: 'all', message: 'must not be given together with ids' }]);
  if (filter !== null && filter !== undefined) throw badInput([{ path: 'filter', message: 'must not be given together with ids' }]);
  if (ids.length > IDS_MAX) throw badInput([{ path: 'ids', message: `at most ${String(IDS_MAX)} ids` }]);
  return { seqs: ids.map((id, index) => readItemId(userId, id, `ids.${String(index)}`)), upToSeq };
}

function readItemId(userId: string, id: string, path: string): number {
  const key = keyOf('InboxItem', id);
  const item = key === null ? null : splitInboxItemKey(key);
  if (item?.userId !== userId) throw notFound(path, 'inbox item');
  return item.seq;
}

/** Of a database that is gone, a cursor comes before everything that this one holds. */
function readUpTo(cursors: Api['feedCursors'], userId: string, text: string): number {
  const position = cursors.decode(userId, text);
  if (position.ok) return position.seq;
  if (position.reason === 'INVALID') throw badInput([{ path: 'upTo', message: 'is not a cursor of this inbox' }]);
  return 0;
}
