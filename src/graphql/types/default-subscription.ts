import type { Trigger } from '../../domain/trigger.ts';
import type { DefaultSubscription } from '../../generated/prisma/client.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { TriggerEnum } from '../enums.ts';
import { readId, readIds } from '../ids.ts';
import { deletedPayload } from '../payload.ts';
import { ChannelType } from './channel.ts';
import { SubscriptionFiltersInput, SubscriptionFiltersType, withFilters } from './filters.ts';
import { defineNode, idOf, NodeInterface } from './node.ts';
import { ProjectType, requireIn } from './project.ts';

const DefaultSubscriptionType = builder.prismaObject('DefaultSubscription', {
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ resolve: (subscription) => idOf('DefaultSubscription', subscription.id) }),
    project: t.relation('project'),
    trigger: t.field({ type: TriggerEnum, resolve: (subscription) => subscription.trigger as Trigger }),
    filters: t.field({ type: SubscriptionFiltersType, resolve: (subscription) => subscription }),
    inApp: t.exposeBoolean('inApp'),
    channels: t.field({
      type: [ChannelType],
      select: (_args, _context, nested) => ({ channels: { orderBy: { channelId: 'asc' }, select: { channel: nested(true) } } }),
      resolve: ({ channels }) => channels.map(({ channel }) => channel),
    }),
  }),
});

defineNode('DefaultSubscription', (context, id) => context.load.defaultSubscription(id));

builder.prismaObjectField(ProjectType, 'defaultSubscriptions', (t) =>
  t.prismaField({
    type: [DefaultSubscriptionType],
    resolve: async (query, { id }, _args, context) => {
      await requireIn(context, 'project.read', id);
      return await context.api.db.prisma.defaultSubscription.findMany({ ...query, where: { projectId: id }, orderBy: { id: 'desc' } });
    },
  }),
);

const CreateDefaultSubscriptionInput = builder.inputType('CreateDefaultSubscriptionInput', {
  fields: (t) => ({
    projectId: t.id({ required: true }),
    trigger: t.field({ type: TriggerEnum, required: true }),
    filters: t.field({ type: SubscriptionFiltersInput }),
    inApp: t.boolean(),
    channelIds: t.idList(),
  }),
});
const UpdateDefaultSubscriptionInput = builder.inputType('UpdateDefaultSubscriptionInput', {
  fields: (t) => ({
    id: t.id({ required: true }),
    trigger: t.field({ type: TriggerEnum }),
    filters: t.field({ type: SubscriptionFiltersInput }),
    inApp: t.boolean(),
    channelIds: t.idList(),
  }),
});
const DeleteDefaultSubscriptionInput = builder.inputType('DeleteDefaultSubscriptionInput', { fields: (t) => ({ id: t.id({ required: true }) }) });

interface DefaultAnswer {
  defaultSubscription: DefaultSubscription;
}
const CreateDefaultSubscriptionPayload = builder.objectRef<DefaultAnswer>('CreateDefaultSubscriptionPayload').implement({
  fields: (t) => ({ defaultSubscription: t.expose('defaultSubscription', { type: DefaultSubscriptionType }) }),
});
const UpdateDefaultSubscriptionPayload = builder.objectRef<DefaultAnswer>('UpdateDefaultSubscriptionPayload').implement({
  fields: (t) => ({ defaultSubscription: t.expose('defaultSubscription', { type: DefaultSubscriptionType }) }),
});
const DeleteDefaultSubscriptionPayload = deletedPayload('DeleteDefaultSubscriptionPayload', 'DefaultSubscription');

builder.mutationFields((t) => ({
  createDefaultSubscription: t.field({
    type: CreateDefaultSubscriptionPayload,
    args: { input: t.arg({ type: CreateDefaultSubscriptionInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const ids = { projectId: readId('Project', input.projectId, 'projectId'), channelIds: readIds('Channel', input.channelIds, 'channelIds') };
      return context.api.defaults.createDefaultSubscription(viewerOf(context), withFilters({ ...input, ...ids }));
    },
  }),
  updateDefaultSubscription: t.field({
    type: UpdateDefaultSubscriptionPayload,
    args: { input: t.arg({ type: UpdateDefaultSubscriptionInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const ids = { id: readId('DefaultSubscription', input.id, 'id'), channelIds: readIds('Channel', input.channelIds, 'channelIds') };
      return context.api.defaults.updateDefaultSubscription(viewerOf(context), withFilters({ ...input, ...ids }));
    },
  }),
  deleteDefaultSubscription: t.field({
    type: DeleteDefaultSubscriptionPayload,
    args: { input: t.arg({ type: DeleteDefaultSubscriptionInput, required: true }) },
    resolve: (_root, { input }, context) =>
      context.api.defaults.deleteDefaultSubscription(viewerOf(context), { id: readId('DefaultSubscription', input.id, 'id') }),
  }),
}));
