import { badInput } from '../../lib/error.ts';
import type { FeedStart, InboxFeedEvent } from '../../pipeline/inbox-feed.ts';
import type { Api } from '../api.ts';
import { builder } from '../builder.ts';
import { accessOf, userOf } from '../context.ts';
import { stoppable } from '../stream.ts';
import { InboxCountsType } from './inbox.ts';
import { InboxItemType, itemId } from './inbox-item.ts';

type Event = InboxFeedEvent & { userId: string };

const TYPE_NAMES: Record<Event['kind'], string> = {
  READY: 'InboxReady',
  GAP: 'InboxGap',
  ADDED: 'InboxItemAdded',
  UPDATED: 'InboxItemsUpdated',
  REMOVED: 'InboxItemsRemoved',
};

const InboxEvent = builder.interfaceRef<Event>('InboxEvent').implement({
  description: 'What the inbox subscription sends. cursor: pass the last one received as `after` to go on without a gap.',
  resolveType: ({ kind }) => TYPE_NAMES[kind],
  fields: (t) => ({
    cursor: t.string({ resolve: ({ userId, seq }, _args, { api }) => api.feedCursors.encode(userId, seq) }),
    counts: t.expose('counts', { type: InboxCountsType }),
  }),
});

builder.objectRef<Event>('InboxReady').implement({
  description: 'The stream is live from here: all that was missed has been replayed.',
  interfaces: [InboxEvent],
});
builder.objectRef<Event>('InboxItemAdded').implement({
  interfaces: [InboxEvent],
  fields: (t) => ({ item: t.field({ type: InboxItemType, resolve: ({ items }) => only(items) }) }),
});
builder.objectRef<Event>('InboxItemsUpdated').implement({
  description: 'Items seen, read, unread, archived or restored, here or on another device.',
  interfaces: [InboxEvent],
  fields: (t) => ({ items: t.expose('items', { type: [InboxItemType] }) }),
});
builder.objectRef<Event>('InboxItemsRemoved').implement({
  description: 'Items gone: a project left or deleted, retention.',
  interfaces: [InboxEvent],
  fields: (t) => ({ ids: t.idList({ resolve: ({ userId, seqs }) => seqs.map((seq) => itemId(userId, seq)) }) }),
});
builder.objectRef<Event>('InboxGap').implement({
  description: 'The history after the given cursor is gone, or the database is another one: fetch the inbox anew, then go on from this cursor.',
  interfaces: [InboxEvent],
});

builder.subscriptionField('inbox', (t) =>
  t.field({
    type: InboxEvent,
    description: "The viewer's inbox, live over graphql-ws. With `after`, first all that has happened since, in order, each once; then InboxReady, then live.",
    args: { after: t.arg.string() },
    subscribe: (_root, { after }, context) => {
      const { userId } = userOf(context);
      const start = startOf(context.api, userId, after);
      return stoppable((signal) => withUser(userId, context.api.inboxFeed.open(userId, start, signal)));
    },
    resolve: (event, _args, context) => {
      accessOf(context).forget();
      return event;
    },
  }),
);

async function* withUser(userId: string, events: AsyncIterable<InboxFeedEvent>): AsyncGenerator<Event, void, undefined> {
  for await (const event of events) yield { ...event, userId };
}

function startOf({ feedCursors }: Pick<Api, 'feedCursors'>, userId: string, after: string | null | undefined): FeedStart {
  if (after === null || after === undefined) return null;
  const position = feedCursors.decode(userId, after);
  if (position.ok) return position.seq;
  if (position.reason === 'INVALID') throw badInput([{ path: 'after', message: 'is not a cursor of this inbox' }]);
  return 'OTHER_EPOCH';
}

function only<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new Error('an addition has one item');
  return item;
}
