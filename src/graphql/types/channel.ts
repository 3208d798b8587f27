import type { GraphQLResolveInfo } from 'graphql';
import type { Channel, Prisma } from '../../generated/prisma/client.ts';
import { builder } from '../builder.ts';
import { byId, type Connection, type ConnectionArgs, ID_CURSOR, readPage, toConnection } from '../connection.ts';
import { accessOf, type Context, userOf, viewerOf } from '../context.ts';
import { given } from '../given.ts';
import { readId, readOptionalId } from '../ids.ts';
import { nodeQuery } from '../page-query.ts';
import { deletedPayload } from '../payload.ts';
import { ChannelConfigInput, ChannelConfigUnion, ChannelTypeEnum, configView } from './channel-config.ts';
import { defineNode, idOf, NodeInterface } from './node.ts';
import { ProjectType, requireIn } from './project.ts';
import { ViewerType } from './viewer.ts';

export const ChannelType = builder.prismaObject('Channel', {
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ resolve: (channel) => idOf('Channel', channel.id) }),
    name: t.exposeString('name'),
    type: t.field({ type: ChannelTypeEnum, resolve: (channel) => channel.type }),
    project: t.relation('project', { nullable: true, description: 'Set on a project channel; exactly one of project and owner is set.' }),
    owner: t.relation('user', { nullable: true, description: 'Set on a personal channel.' }),
    config: t.field({
      type: ChannelConfigUnion,
      nullable: true,
      description: 'Secrets read as •••••••• here. Null for members who are not project admins.',
      resolve: async (channel, _args, context) => ((await mayManage(context, channel)) ? configView(channel.type, channel.config) : null),
    }),
    isActive: t.exposeBoolean('isActive'),
    disabledReason: t.exposeString('disabledReason', { nullable: true, description: 'Why the server switched it off.' }),
    lastSuccessAt: t.field({ type: 'DateTime', nullable: true, select: { health: true }, resolve: ({ health }) => health?.lastSuccessAt ?? null }),
    lastFailureAt: t.field({ type: 'DateTime', nullable: true, select: { health: true }, resolve: ({ health }) => health?.lastFailureAt ?? null }),
    lastError: t.string({
      nullable: true,
      description: 'Sanitized. Null for members who are not project admins.',
      select: { health: true },
      resolve: async (channel, _args, context) => ((await mayManage(context, channel)) ? (channel.health?.lastError ?? null) : null),
    }),
    consecutiveFailures: t.int({ select: { health: true }, resolve: ({ health }) => health?.consecutiveFailures ?? 0 }),
    heldUntil: t.field({
      type: 'DateTime',
      nullable: true,
      description: "Held back by the provider's answer or by pacing until then.",
      select: { health: true },
      resolve: ({ health }, _args, { api }) => (health?.heldUntil && health.heldUntil.getTime() > api.clock.now() ? health.heldUntil : null),
    }),
    queuedDeliveries: t.int({ resolve: async ({ id }, _args, context) => (await context.load.queuedDeliveries(id)) ?? 0 }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

defineNode('Channel', (context, id) => context.load.channel(id));

/** Whether the viewer may read and change a channel's config: the owner, or an admin of its project. */
async function mayManage(context: Context, channel: Channel): Promise<boolean> {
  if (channel.projectId === null) return channel.userId === userOf(context).userId;
  return (await accessOf(context).decide('channel.readConfig', channel.projectId)) === 'ALLOW';
}

const ChannelConnection = builder.connectionObject({ type: ChannelType, name: 'ChannelConnection' }, { name: 'ChannelEdge' });

async function channelPage(where: Prisma.ChannelWhereInput, args: ConnectionArgs, context: Context, info: GraphQLResolveInfo): Promise<Connection<Channel>> {
  const page = readPage(args, ID_CURSOR);
  const range = byId(page);
  const channels = await context.api.db.prisma.channel.findMany({ ...nodeQuery(context, info), ...range, where: { AND: [range.where, where] } });
  return toConnection(page, channels, ID_CURSOR, (channel) => channel.id);
}

builder.prismaObjectField(ProjectType, 'channels', (t) =>
  t.connection(
    {
      type: ChannelType,
      resolve: async ({ id }, args, context, info) => {
        await requireIn(context, 'project.read', id);
        return await channelPage({ projectId: id }, args, context, info);
      },
    },
    ChannelConnection,
  ),
);

builder.objectField(ViewerType, 'channels', (t) =>
  t.connection(
    { type: ChannelType, description: 'Personal channels.', resolve: ({ userId }, args, context, info) => channelPage({ userId }, args, context, info) },
    ChannelConnection,
  ),
);

const CreateChannelInput = builder.inputType('CreateChannelInput', {
  description: "Without projectId the channel is the viewer's own.",
  fields: (t) => ({
    projectId: t.id(),
    name: t.string({ required: true }),
    config: t.field({ type: ChannelConfigInput, required: true }),
    isActive: t.boolean(),
  }),
});
const CopyChannelInput = builder.inputType('CopyChannelInput', {
  fields: (t) => ({ id: t.id({ required: true }), projectId: t.id(), name: t.string({ required: true }) }),
});
const UpdateChannelInput = builder.inputType('UpdateChannelInput', {
  fields: (t) => ({ id: t.id({ required: true }), name: t.string(), config: t.field({ type: ChannelConfigInput }), isActive: t.boolean() }),
});
const DeleteChannelInput = builder.inputType('DeleteChannelInput', { fields: (t) => ({ id: t.id({ required: true }) }) });

const CreateChannelPayload = builder.objectRef<{ channel: Channel }>('CreateChannelPayload').implement({
  fields: (t) => ({ channel: t.expose('channel', { type: ChannelType }) }),
});
const UpdateChannelPayload = builder.objectRef<{ channel: Channel }>('UpdateChannelPayload').implement({
  fields: (t) => ({ channel: t.expose('channel', { type: ChannelType }) }),
});
const DeleteChannelPayload = deletedPayload('DeleteChannelPayload', 'Channel');

builder.mutationFields((t) => ({
  createChannel: t.field({
    type: CreateChannelPayload,
    args: { input: t.arg({ type: CreateChannelInput, required: true }) },
    resolve: (_root, { input }, context) =>
      context.api.channels.createChannel(viewerOf(context), given({ ...input, projectId: readOptionalId('Project', input.projectId, 'projectId') })),
  }),
  copyChannel: t.field({
    type: CreateChannelPayload,
    description: "A copy with its secrets: of a personal channel into a project, of a project's into another or into the admin's own.",
    args: { input: t.arg({ type: CopyChannelInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const ids = { id: readId('Channel', input.id, 'id'), projectId: readOptionalId('Project', input.projectId, 'projectId') };
      return context.api.channels.copyChannel(viewerOf(context), given({ name: input.name, ...ids }));
    },
  }),
  updateChannel: t.field({
    type: UpdateChannelPayload,
    args: { input: t.arg({ type: UpdateChannelInput, required: true }) },
    resolve: (_root, { input }, context) => context.api.channels.updateChannel(viewerOf(context), { ...given(input), id: readId('Channel', input.id, 'id') }),
  }),
  deleteChannel: t.field({
    type: DeleteChannelPayload,
    args: { input: t.arg({ type: DeleteChannelInput, required: true }) },
    resolve: (_root, { input }, context) => context.api.channels.deleteChannel(viewerOf(context), { id: readId('Channel', input.id, 'id') }),
  }),
}));
