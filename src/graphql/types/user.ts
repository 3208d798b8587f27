import type { User } from '../../generated/prisma/client.ts';
import { requireGeneral } from '../../service/access.ts';
import { searchUsers } from '../../service/visible.ts';
import { builder } from '../builder.ts';
import { byId, ID_CURSOR, readPage, toConnection } from '../connection.ts';
import { viewerOf } from '../context.ts';
import { given } from '../given.ts';
import { readId } from '../ids.ts';
import { nodeQuery } from '../page-query.ts';
import { deletedPayload } from '../payload.ts';
import { defineNode, idOf, NodeInterface } from './node.ts';

export const UserType = builder.prismaObject('User', {
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ resolve: (user) => idOf('User', user.id) }),
    email: t.exposeString('email'),
    name: t.exposeString('name'),
    isAdmin: t.exposeBoolean('isAdmin'),
  }),
});

defineNode('User', (context, id) => context.load.user(id));

const UserConnection = builder.connectionObject({ type: UserType, name: 'UserConnection' }, { name: 'UserEdge' });

builder.queryField('users', (t) =>
  t.connection(
    {
      type: UserType,
      description: 'Instance admins. query: part of a name or address.',
      args: { query: t.arg.string() },
      resolve: async (_root, args, context, info) => {
        requireGeneral(viewerOf(context), 'user.manage');
        const page = readPage(args, ID_CURSOR);
        const { where, ...rest } = byId(page);
        const matching = { AND: [where, searchUsers(args.query ?? null)] };
        const users = await context.api.db.prisma.user.findMany({ ...nodeQuery(context, info), ...rest, where: matching });
        return toConnection(page, users, ID_CURSOR, (user) => user.id);
      },
    },
    UserConnection,
  ),
);

const CreateUserInput = builder.inputType('CreateUserInput', {
  fields: (t) => ({ email: t.string({ required: true }), name: t.string({ required: true }), isAdmin: t.boolean() }),
});
const UpdateUserInput = builder.inputType('UpdateUserInput', {
  fields: (t) => ({ id: t.id({ required: true }), name: t.string(), isAdmin: t.boolean() }),
});
const DeleteUserInput = builder.inputType('DeleteUserInput', { fields: (t) => ({ id: t.id({ required: true }) }) });

const CreateUserPayload = builder.objectRef<{ user: User }>('CreateUserPayload').implement({ fields: (t) => ({ user: t.expose('user', { type: UserType }) }) });
const UpdateUserPayload = builder.objectRef<{ user: User }>('UpdateUserPayload').implement({ fields: (t) => ({ user: t.expose('user', { type: UserType }) }) });
const DeleteUserPayload = deletedPayload('DeleteUserPayload', 'User');

builder.mutationFields((t) => ({
  createUser: t.field({
    type: CreateUserPayload,
    args: { input: t.arg({ type: CreateUserInput, required: true }) },
    resolve: (_root, { input }, context) => context.api.users.createUser(viewerOf(context), given(input)),
  }),
  updateUser: t.field({
    type: UpdateUserPayload,
    args: { input: t.arg({ type: UpdateUserInput, required: true }) },
    resolve: (_root, { input }, context) => context.api.users.updateUser(viewerOf(context), { ...given(input), id: readId('User', input.id, 'id') }),
  }),
  deleteUser: t.field({
    type: DeleteUserPayload,
    args: { input: t.arg({ type: DeleteUserInput, required: true }) },
    resolve: (_root, { input }, context) => context.api.users.deleteUser(viewerOf(context), { id: readId('User', input.id, 'id') }),
  }),
}));
