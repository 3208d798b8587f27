import { eventBody, eventTitle, eventUrl, type MessageEvent } from '../../domain/message.ts';
import { inboxItemKey } from '../../lib/global-id.ts';
import { type InboxEventRow, type InboxItemRow, listItems } from '../../pipeline/inbox-read.ts';
import { builder } from '../builder.ts';
import { readPage, rowsToAsk, SEQ_CURSOR, toConnection } from '../connection.ts';
import { InboxItemKindEnum, InboxReasonEnum, TriggerEnum } from '../enums.ts';
import { ChannelType } from './channel.ts';
import { InboxFilterInput, readFilter } from './inbox-filter.ts';
import { defineNode, idOf, NodeInterface } from './node.ts';
import { ProjectType } from './project.ts';
import { SubscriptionType } from './subscription.ts';
import { ViewerType } from './viewer.ts';

export const InboxItemType = builder.objectRef<InboxItemRow>('InboxItem').implement({
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ resolve: (item) => itemId(item.userId, item.seq) }),
    kind: t.expose('kind', { type: InboxItemKindEnum }),
    project: t.field({ type: ProjectType, nullable: true, resolve: (item, _args, { load }) => loadIf(load.project, item.projectId) }),
    trigger: t.field({ type: TriggerEnum, nullable: true, resolve: ({ event }) => event?.trigger ?? null }),
    reason: t.expose('reason', { type: InboxReasonEnum }),
    title: t.string({ resolve: ({ event, notice }) => (event === null ? (notice?.title ?? '') : eventTitle(asMessage(event))) }),
    body: t.string({ nullable: true, resolve: ({ event, notice }) => (event === null ? (notice?.body ?? null) : eventBody(event)) }),
    url: t.string({
      nullable: true,
      resolve: async ({ event, projectId }, _args, { api, load }) => {
        const project = await loadIf(load.project, projectId);
        return event === null || project === null ? null : eventUrl({ event: asMessage(event), project, publicUrl: api.publicUrl });
      },
    }),
    eventId: t.string({ nullable: true, description: "The producer's event id.", resolve: ({ event }) => event?.eventId ?? null }),
    taskId: t.string({ nullable: true, resolve: ({ event }) => event?.taskId ?? null }),
    taskName: t.string({ nullable: true, resolve: ({ event }) => event?.taskName ?? null }),
    agent: t.string({ nullable: true, resolve: ({ event }) => event?.agent ?? null }),
    queue: t.string({ nullable: true, resolve: ({ event }) => event?.queue ?? null }),
    subscription: t.field({
      type: SubscriptionType,
      nullable: true,
      description: 'What brought it, to mute or edit it from there; null on a notice or once deleted.',
      resolve: (item, _args, { load }) => loadIf(load.subscription, item.subscriptionId),
    }),
    channel: t.field({
      type: ChannelType,
      nullable: true,
      description: 'On a notice about a channel.',
      resolve: (item, _args, { load }) => loadIf(load.channel, item.channelId),
    }),
    suppressedCount: t.exposeInt('suppressedCount', { description: 'How many like it the cooldown dropped before it.' }),
    data: t.field({ type: 'JSON', nullable: true, description: "The producer's data, unchanged.", resolve: ({ event }) => event?.data ?? null }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    seenAt: t.expose('seenAt', { type: 'DateTime', nullable: true }),
    readAt: t.expose('readAt', { type: 'DateTime', nullable: true }),
    archivedAt: t.expose('archivedAt', { type: 'DateTime', nullable: true }),
  }),
});

defineNode('InboxItem', (context, key) => context.load.inboxItem(key));

/** The global id of an item. */
export function itemId(userId: string, seq: number): string {
  return idOf('InboxItem', inboxItemKey(userId, seq));
}

function loadIf<Row>(load: (id: string) => Promise<Row | null>, id: string | null): Promise<Row | null> {
  return id === null ? Promise.resolve(null) : load(id);
}

function asMessage({ eventId, ...event }: InboxEventRow): MessageEvent {
  return { ...event, id: eventId };
}

const InboxItemConnection = builder.connectionObject({ type: InboxItemType, name: 'InboxItemConnection' }, { name: 'InboxItemEdge' });

builder.objectField(ViewerType, 'inbox', (t) =>
  t.connection(
    {
      type: InboxItemType,
      args: { filter: t.arg({ type: InboxFilterInput }) },
      resolve: async ({ userId }, args, { inbox }) => {
        const page = readPage(args, SEQ_CURSOR);
        const { below, above, backward } = page;
        const filter = readFilter(args.filter, 'filter');
        const items = await inbox.read((sql) => listItems(sql, userId, filter, { below, above, backward, limit: rowsToAsk(page) }));
        return toConnection(page, items, SEQ_CURSOR, (item) => item.seq);
      },
    },
    InboxItemConnection,
  ),
);
