import type { GraphQLResolveInfo } from 'graphql';
import type { ApiToken, Prisma } from '../../generated/prisma/client.ts';
import type { Secret } from '../../lib/secret.ts';
import { builder } from '../builder.ts';
import { byId, type Connection, type ConnectionArgs, ID_CURSOR, readPage, toConnection } from '../connection.ts';
import { type Context, viewerOf } from '../context.ts';
import { given } from '../given.ts';
import { readOptionalId } from '../ids.ts';
import { nodeQuery } from '../page-query.ts';
import { deletedPayload } from '../payload.ts';
import { defineNode, idOf, NodeInterface } from './node.ts';
import { ProjectType, requireIn } from './project.ts';
import { ViewerType } from './viewer.ts';

const ApiTokenType = builder.prismaObject('ApiToken', {
  description: 'An access token. Its text is shown once, by createToken.',
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ resolve: (token) => idOf('ApiToken', token.id) }),
    name: t.exposeString('name'),
    project: t.relation('project', { nullable: true, description: 'Set on an agent token.' }),
    user: t.relation('user', { nullable: true, description: "Set on a user's token." }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', nullable: true }),
  }),
});

defineNode('ApiToken', (context, id) => context.load.token(id));

const ApiTokenConnection = builder.connectionObject({ type: ApiTokenType, name: 'ApiTokenConnection' }, { name: 'ApiTokenEdge' });

async function tokenPage(where: Prisma.ApiTokenWhereInput, args: ConnectionArgs, context: Context, info: GraphQLResolveInfo): Promise<Connection<ApiToken>> {
  const page = readPage(args, ID_CURSOR);
  const range = byId(page);
  const tokens = await context.api.db.prisma.apiToken.findMany({ ...nodeQuery(context, info), ...range, where: { AND: [range.where, where] } });
  return toConnection(page, tokens, ID_CURSOR, (token) => token.id);
}

builder.prismaObjectField(ProjectType, 'tokens', (t) =>
  t.connection(
    {
      type: ApiTokenType,
      nullable: true,
      resolve: async ({ id }, args, context, info) => {
        await requireIn(context, 'agentToken.manage', id);
        return await tokenPage({ projectId: id }, args, context, info);
      },
    },
    ApiTokenConnection,
  ),
);

builder.objectField(ViewerType, 'tokens', (t) =>
  t.connection({ type: ApiTokenType, resolve: ({ userId }, args, context, info) => tokenPage({ userId }, args, context, info) }, ApiTokenConnection),
);

const CreateTokenInput = builder.inputType('CreateTokenInput', {
  description:
    'projectId makes an agent token, which may only publish events and heartbeats of that project; userId (instance admins) a token of that user; ' +
    "neither, the viewer's own; both is refused.",
  fields: (t) => ({ name: t.string({ required: true }), projectId: t.id(), userId: t.id(), expiresAt: t.field({ type: 'DateTime' }) }),
});
const RevokeTokenInput = builder.inputType('RevokeTokenInput', {
  description: 'Exactly one; token: the leaked text itself.',
  fields: (t) => ({ id: t.id(), token: t.string() }),
});

const CreateTokenPayload = builder.objectRef<{ apiToken: ApiToken; token: Secret }>('CreateTokenPayload').implement({
  fields: (t) => ({ apiToken: t.expose('apiToken', { type: ApiTokenType }), token: t.string({ resolve: ({ token }) => token.reveal() }) }),
});
const RevokeTokenPayload = deletedPayload('RevokeTokenPayload', 'ApiToken');

builder.mutationFields((t) => ({
  createToken: t.field({
    type: CreateTokenPayload,
    description: "The token's text is in this answer and nowhere else.",
    args: { input: t.arg({ type: CreateTokenInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const ids = { projectId: readOptionalId('Project', input.projectId, 'projectId'), userId: readOptionalId('User', input.userId, 'userId') };
      return context.api.tokens.createToken(viewerOf(context), given({ ...input, ...ids }));
    },
  }),
  revokeToken: t.field({
    type: RevokeTokenPayload,
    args: { input: t.arg({ type: RevokeTokenInput, required: true }) },
    resolve: (_root, { input }, context) =>
      context.api.tokens.revokeToken(viewerOf(context), given({ token: input.token, id: readOptionalId('ApiToken', input.id, 'id') })),
  }),
}));
