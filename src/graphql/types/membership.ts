import type { Role } from '../../domain/viewer.ts';
import type { Membership, Prisma, Project } from '../../generated/prisma/client.ts';
import { builder } from '../builder.ts';
import { JOINED_CURSOR, type JoinedKey, type PageRange, readPage, rowsToAsk, toConnection } from '../connection.ts';
import { accessOf, viewerOf } from '../context.ts';
import { RoleEnum } from '../enums.ts';
import { given } from '../given.ts';
import { readId, readOptionalId } from '../ids.ts';
import { nodeQuery } from '../page-query.ts';
import { deletedPayload } from '../payload.ts';
import { ProjectType, requireIn } from './project.ts';

const MembershipType = builder.prismaObject('Membership', {
  fields: (t) => ({
    user: t.relation('user'),
    role: t.field({ type: RoleEnum, resolve: (membership) => membership.role as Role }),
    joinedAt: t.expose('joinedAt', { type: 'DateTime' }),
  }),
});

const MembershipConnection = builder.connectionObject({ type: MembershipType, name: 'MembershipConnection' }, { name: 'MembershipEdge' });

builder.prismaObjectField(ProjectType, 'members', (t) =>
  t.connection(
    {
      type: MembershipType,
      resolve: async ({ id }, args, context, info) => {
        await requireIn(context, 'project.read', id);
        const page = readPage(args, JOINED_CURSOR);
        const { where, orderBy } = byJoining(page);
        const query = { ...nodeQuery(context, info), orderBy, take: rowsToAsk(page), where: { AND: [{ projectId: id }, where] } };
        return toConnection(page, await context.api.db.prisma.membership.findMany(query), JOINED_CURSOR, joiningOf);
      },
    },
    MembershipConnection,
  ),
);

/** A page of members, those who joined last first, as Prisma's arguments. */
function byJoining(page: PageRange<JoinedKey>): { where: Prisma.MembershipWhereInput; orderBy: Prisma.MembershipOrderByWithRelationInput[] } {
  const order = page.backward ? 'asc' : 'desc';
  const ranges = [...bound('lt', page.below), ...bound('gt', page.above)];
  return { where: { AND: ranges }, orderBy: [{ joinedAt: order }, { userId: order }] };
}

/** The place of a member in such a list. */
function joiningOf(membership: Membership): JoinedKey {
  return { joinedAtMs: membership.joinedAt.getTime(), userId: membership.userId };
}

function bound(comparison: 'lt' | 'gt', key: JoinedKey | null): Prisma.MembershipWhereInput[] {
  if (key === null) return [];
  const joinedAt = new Date(key.joinedAtMs);
  return [{ OR: [{ joinedAt: { [comparison]: joinedAt } }, { joinedAt, userId: { [comparison]: key.userId } }] }];
}

const SetMemberInput = builder.inputType('SetMemberInput', {
  description: 'Exactly one of userId and email (of an existing user).',
  fields: (t) => ({
    projectId: t.id({ required: true }),
    userId: t.id(),
    email: t.string(),
    role: t.field({ type: RoleEnum, required: true }),
  }),
});
const RemoveMemberInput = builder.inputType('RemoveMemberInput', {
  fields: (t) => ({ projectId: t.id({ required: true }), userId: t.id({ required: true }) }),
});
const LeaveProjectInput = builder.inputType('LeaveProjectInput', { fields: (t) => ({ projectId: t.id({ required: true }) }) });

const SetMemberPayload = builder.objectRef<{ project: Project; membership: Membership }>('SetMemberPayload').implement({
  fields: (t) => ({ project: t.expose('project', { type: ProjectType }), membership: t.expose('membership', { type: MembershipType }) }),
});
const RemoveMemberPayload = builder.objectRef<{ project: Project }>('RemoveMemberPayload').implement({
  fields: (t) => ({ project: t.expose('project', { type: ProjectType }) }),
});
const LeaveProjectPayload = deletedPayload('LeaveProjectPayload', 'Project');

builder.mutationFields((t) => ({
  setMember: t.field({
    type: SetMemberPayload,
    args: { input: t.arg({ type: SetMemberInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const ids = { projectId: readId('Project', input.projectId, 'projectId'), userId: readOptionalId('User', input.userId, 'userId') };
      const result = await context.api.members.setMember(viewerOf(context), given({ ...input, ...ids }));
      accessOf(context).forget();
      return result;
    },
  }),
  removeMember: t.field({
    type: RemoveMemberPayload,
    args: { input: t.arg({ type: RemoveMemberInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const ids = { projectId: readId('Project', input.projectId, 'projectId'), userId: readId('User', input.userId, 'userId') };
      const result = await context.api.members.removeMember(viewerOf(context), ids);
      accessOf(context).forget();
      return result;
    },
  }),
  leaveProject: t.field({
    type: LeaveProjectPayload,
    args: { input: t.arg({ type: LeaveProjectInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const result = await context.api.members.leaveProject(viewerOf(context), { projectId: readId('Project', input.projectId, 'projectId') });
      accessOf(context).forget();
      return result;
    },
  }),
}));
