import type { GraphQLResolveInfo } from 'graphql';
import type { Trigger } from '../../domain/trigger.ts';
import type { NotificationSubscription, Prisma } from '../../generated/prisma/client.ts';
import { badInput } from '../../lib/error.ts';
import { builder } from '../builder.ts';
import { byId, type Connection, type ConnectionArgs, ID_CURSOR, readPage, toConnection } from '../connection.ts';
import { type Context, viewerOf } from '../context.ts';
import { TriggerEnum } from '../enums.ts';
import { given } from '../given.ts';
import { readId, readIds, readOptionalId } from '../ids.ts';
import { nodeQuery } from '../page-query.ts';
import { deletedPayload } from '../payload.ts';
import { ChannelType } from './channel.ts';
import { SubscriptionFiltersInput, SubscriptionFiltersType, withFilters } from './filters.ts';
import { defineNode, idOf, NodeInterface } from './node.ts';
import { ProjectType, requireIn } from './project.ts';
import { ViewerType } from './viewer.ts';

export const SubscriptionType = builder.prismaObject('NotificationSubscription', {
  description: 'What to be told of, and where. GraphQL keeps the name Subscription for itself, hence this one.',
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ resolve: (subscription) => idOf('NotificationSubscription', subscription.id) }),
    name: t.exposeString('name', { nullable: true }),
    project: t.relation('project'),
    user: t.relation('user', { nullable: true, description: 'Null on a team subscription.' }),
    trigger: t.field({ type: TriggerEnum, resolve: (subscription) => subscription.trigger as Trigger }),
    filters: t.field({ type: SubscriptionFiltersType, resolve: (subscription) => subscription }),
    inApp: t.exposeBoolean('inApp', { description: 'Always false on a team subscription.' }),
    channels: t.field({
      type: [ChannelType],
      select: (_args, _context, nested) => ({ channels: { orderBy: { channelId: 'asc' }, select: { channel: nested(true) } } }),
      resolve: ({ channels }) => channels.map(({ channel }) => channel),
    }),
    isActive: t.exposeBoolean('isActive'),
    lastFiredAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: async ({ id, lastFiredAt }, _args, context) => later(lastFiredAt, (await context.load.cooldown(id))?.lastFiredAt ?? null),
    }),
    suppressedCount: t.int({
      description: 'Dropped by the cooldown since it last fired.',
      resolve: async ({ id }, _args, context) => (await context.load.cooldown(id))?.suppressed ?? 0,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

defineNode('NotificationSubscription', (context, id) => context.load.subscription(id));

/** The subscription's own note of when it fired is written late; cooldowns know it at once. */
function later(noted: Date | null, claimed: Date | null): Date | null {
  if (noted === null || claimed === null) return noted ?? claimed;
  return noted > claimed ? noted : claimed;
}

const SubscriptionConnection = builder.connectionObject(
  { type: SubscriptionType, name: 'NotificationSubscriptionConnection' },
  { name: 'NotificationSubscriptionEdge' },
);

async function subscriptionPage(
  where: Prisma.NotificationSubscriptionWhereInput,
  args: ConnectionArgs,
  context: Context,
  info: GraphQLResolveInfo,
): Promise<Connection<NotificationSubscription>> {
  const page = readPage(args, ID_CURSOR);
  const range = byId(page);
  const query = { ...nodeQuery(context, info), ...range, where: { AND: [range.where, where] } };
  return toConnection(page, await context.api.db.prisma.notificationSubscription.findMany(query), ID_CURSOR, (subscription) => subscription.id);
}

builder.prismaObjectField(ProjectType, 'subscriptions', (t) =>
  t.connection(
    {
      type: SubscriptionType,
      description: 'Team subscriptions: owned by the project, not by a user.',
      resolve: async ({ id }, args, context, info) => {
        await requireIn(context, 'project.read', id);
        return await subscriptionPage({ projectId: id, userId: null }, args, context, info);
      },
    },
    SubscriptionConnection,
  ),
);

builder.objectField(ViewerType, 'subscriptions', (t) =>
  t.connection(
    {
      type: SubscriptionType,
      args: { projectId: t.arg.id() },
      resolve: async ({ userId }, args, context, info) => {
        const projectId = readOptionalId('Project', args.projectId, 'projectId');
        return await subscriptionPage({ userId, ...(projectId == null ? {} : { projectId }) }, args, context, info);
      },
    },
    SubscriptionConnection,
  ),
);

const CreateSubscriptionInput = builder.inputType('CreateSubscriptionInput', {
  description: "team: true makes a subscription of the project (admins only, no inbox); otherwise it is the viewer's own.",
  fields: (t) => ({
    projectId: t.id({ required: true }),
    team: t.boolean(),
    name: t.string(),
    trigger: t.field({ type: TriggerEnum, required: true }),
    filters: t.field({ type: SubscriptionFiltersInput }),
    inApp: t.boolean(),
    channelIds: t.idList(),
    isActive: t.boolean(),
  }),
});
const UpdateSubscriptionInput = builder.inputType('UpdateSubscriptionInput', {
  description: 'An omitted field keeps its value; a filter given as null is cleared.',
  fields: (t) => ({
    id: t.id({ required: true }),
    name: t.string(),
    trigger: t.field({ type: TriggerEnum }),
    filters: t.field({ type: SubscriptionFiltersInput }),
    inApp: t.boolean(),
    channelIds: t.idList(),
    isActive: t.boolean(),
  }),
});
const DeleteSubscriptionInput = builder.inputType('DeleteSubscriptionInput', { fields: (t) => ({ id: t.id({ required: true }) }) });
const MuteSubscriptionsInput = builder.inputType('MuteSubscriptionsInput', { fields: (t) => ({ projectId: t.id(), until: t.field({ type: 'DateTime' }) }) });

interface SubscriptionAnswer {
  subscription: NotificationSubscription;
}
const CreateSubscriptionPayload = builder.objectRef<SubscriptionAnswer>('CreateSubscriptionPayload').implement({
  fields: (t) => ({ subscription: t.expose('subscription', { type: SubscriptionType }) }),
});
const UpdateSubscriptionPayload = builder.objectRef<SubscriptionAnswer>('UpdateSubscriptionPayload').implement({
  fields: (t) => ({ subscription: t.expose('subscription', { type: SubscriptionType }) }),
});
const DeleteSubscriptionPayload = deletedPayload('DeleteSubscriptionPayload', 'NotificationSubscription');
const MuteSubscriptionsPayload = builder.objectRef<{ changed: number }>('MuteSubscriptionsPayload').implement({
  fields: (t) => ({ changed: t.exposeInt('changed') }),
});

builder.mutationFields((t) => ({
  createSubscription: t.field({
    type: CreateSubscriptionPayload,
    args: { input: t.arg({ type: CreateSubscriptionInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const ids = { projectId: readId('Project', input.projectId, 'projectId'), channelIds: readIds('Channel', input.channelIds, 'channelIds') };
      return context.api.subscriptions.createSubscription(viewerOf(context), withFilters({ ...input, ...ids }));
    },
  }),
  updateSubscription: t.field({
    type: UpdateSubscriptionPayload,
    args: { input: t.arg({ type: UpdateSubscriptionInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const ids = { id: readId('NotificationSubscription', input.id, 'id'), channelIds: readIds('Channel', input.channelIds, 'channelIds') };
      return context.api.subscriptions.updateSubscription(viewerOf(context), withFilters({ ...input, ...ids }));
    },
  }),
  deleteSubscription: t.field({
    type: DeleteSubscriptionPayload,
    args: { input: t.arg({ type: DeleteSubscriptionInput, required: true }) },
    resolve: (_root, { input }, context) =>
      context.api.subscriptions.deleteSubscription(viewerOf(context), { id: readId('NotificationSubscription', input.id, 'id') }),
  }),
  muteSubscriptions: t.field({
    type: MuteSubscriptionsPayload,
    description: "Mutes, or with until: null unmutes, all of the viewer's own subscriptions, or those of one project.",
    args: { input: t.arg({ type: MuteSubscriptionsInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const { until } = input;
      if (until === undefined) throw badInput([{ path: 'until', message: 'must be given: null unmutes' }]);
      const projectId = readOptionalId('Project', input.projectId, 'projectId');
      return context.api.subscriptions.muteSubscriptions(viewerOf(context), { ...given({ projectId }), until });
    },
  }),
}));
