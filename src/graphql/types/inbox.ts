import type { InboxCounts, InboxOperation } from '../../domain/inbox.ts';
import { changeInbox, type InboxChanged } from '../../pipeline/change-inbox.ts';
import { countProjectInbox, loadItems, readInboxState } from '../../pipeline/inbox-read.ts';
import { builder } from '../builder.ts';
import { type Context, userOf } from '../context.ts';
import { readOptionalId } from '../ids.ts';
import { InboxSelectionInput, readSelection } from './inbox-filter.ts';
import { InboxItemType } from './inbox-item.ts';
import { ViewerType } from './viewer.ts';

export const InboxCountsType = builder.objectRef<InboxCounts>('InboxCounts').implement({
  fields: (t) => ({ unread: t.exposeInt('unread'), unseen: t.exposeInt('unseen') }),
});

builder.objectFields(ViewerType, (t) => ({
  inboxCounts: t.field({
    type: InboxCountsType,
    args: { projectId: t.arg.id() },
    resolve: ({ userId }, args, { inbox }) => {
      const projectId = readOptionalId('Project', args.projectId, 'projectId');
      return inbox.read((sql) => (projectId == null ? readInboxState(sql, userId) : countProjectInbox(sql, userId, projectId)));
    },
  }),
  inboxCursor: t.string({
    description: 'The feed cursor of the same snapshot as inbox and inboxCounts of this operation: subscribe with it and nothing falls between.',
    resolve: async ({ userId }, _args, { api, inbox }) => api.feedCursors.encode(userId, (await inbox.read((sql) => readInboxState(sql, userId))).head),
  }),
}));

const InboxPayload = builder.objectRef<InboxChanged & { userId: string }>('InboxPayload').implement({
  description: 'items: the first 100 of those changed.',
  fields: (t) => ({
    changed: t.exposeInt('changed'),
    counts: t.expose('counts', { type: InboxCountsType }),
    items: t.field({
      type: [InboxItemType],
      resolve: async ({ userId, seqs }, _args, { api }) => {
        const items = await loadItems(
          api.db.sql,
          seqs.map((seq) => ({ userId, seq })),
        );
        return items.sort((a, b) => b.seq - a.seq);
      },
    }),
  }),
});

async function change(operation: InboxOperation, input: typeof InboxSelectionInput.$inferInput, context: Context): Promise<InboxChanged & { userId: string }> {
  const { userId } = userOf(context);
  const { db, wakeups, clock } = context.api;
  const changed = await changeInbox({ db, wakeups, now: () => clock.now() }, userId, operation, readSelection(context.api, userId, input));
  return { ...changed, userId };
}

const OPERATIONS = { markSeen: 'SEEN', markRead: 'READ', markUnread: 'UNREAD', archive: 'ARCHIVE', unarchive: 'UNARCHIVE' } as const satisfies Record<
  string,
  InboxOperation
>;

for (const [name, operation] of Object.entries(OPERATIONS)) {
  builder.mutationField(name, (t) =>
    t.field({
      type: InboxPayload,
      args: { input: t.arg({ type: InboxSelectionInput, required: true }) },
      resolve: (_root, { input }, context) => change(operation, input, context),
    }),
  );
}
