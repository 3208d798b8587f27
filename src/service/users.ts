import { sqlOf } from '../db/open.ts';
import { checkEmail, checkName } from '../domain/names.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { User } from '../generated/prisma/client.ts';
import { notFound } from '../lib/error.ts';
import { cancelForChannel, lockWaiting } from '../pipeline/cancel.ts';
import { requireGeneral } from './access.ts';
import { orTaken, type Tx } from './change.ts';
import type { ServiceDeps } from './deps.ts';
import { leave, requireOtherAdmin } from './membership.ts';
import { lockChannelsOf, purgeUser } from './purge.ts';
import { accept, conflict, createProblems } from './refusals.ts';

export interface Users {
  createUser(viewer: Viewer, input: { email: string; name: string; isAdmin?: boolean | null }): Promise<{ user: User }>;
  /** A name is its user's to change too; isAdmin is the instance admins'. */
  updateUser(viewer: Viewer, input: { id: string; name?: string | null; isAdmin?: boolean | null }): Promise<{ user: User }>;
  /** Deletes a user and all that is the user's alone. CONFLICT where it is the last admin of the instance or of a project. */
  deleteUser(viewer: Viewer, input: { id: string }): Promise<{ id: string }>;
}

/** The instance's users. */
export function createUsers(deps: ServiceDeps): Users {
  const { changes, jobs, clock, newId } = deps;

  return {
    createUser: async (viewer, input) => {
      requireGeneral(viewer, 'user.manage');
      const problems = createProblems();
      const email = problems.take('email', checkEmail(input.email));
      const name = problems.take('name', checkName(input.name));
      problems.throwIfAny();
      const user = { id: newId(), email: email ?? '', name: name ?? '', isAdmin: input.isAdmin ?? false, createdAt: new Date(clock.now()) };
      const change = changes.alone([], async (tx) => await tx.user.create({ data: { ...user, inbox: { create: {} } } }));
      return { user: await orTaken(change, () => conflict('email', 'a user of this address exists')) };
    },

    updateUser: async (viewer, input) => {
      const isOwn = viewer.kind === 'user' && viewer.userId === input.id;
      requireGeneral(viewer, isOwn && input.isAdmin === undefined ? 'self.use' : 'user.manage');
      const problems = createProblems();
      const name = problems.given('name', input.name, checkName);
      const isAdmin = problems.given('isAdmin', input.isAdmin, accept<boolean>);
      problems.throwIfAny();
      return await changes.alone([], async (tx, after) => {
        const admins = isAdmin === false ? await lockAdminsAnd(tx, input.id) : [];
        const known = await tx.user.findUnique({ where: { id: input.id } });
        if (known === null) throw notFound('id', 'user');
        if (known.isAdmin && isAdmin === false) requireOtherInstanceAdmin(admins, known.id, 'isAdmin');
        if (isAdmin !== undefined && isAdmin !== known.isAdmin) after.access();
        const data = { ...(name === undefined ? {} : { name }), ...(isAdmin === undefined ? {} : { isAdmin }) };
        return { user: await tx.user.update({ where: { id: known.id }, data }) };
      });
    },

    deleteUser: async (viewer, { id }) => {
      requireGeneral(viewer, 'user.manage');
      const pin = async (tx: Tx) => await lockAdminsAnd(tx, id);
      return await changes.aloneWhere({ find: async (tx) => await projectsOf(tx, id), pin }, async (tx, after) => {
        const user = await tx.user.findUnique({ where: { id }, include: { memberships: true, channels: { select: { id: true }, orderBy: { id: 'asc' } } } });
        if (user === null) throw notFound('id', 'user');
        if (user.isAdmin) requireOtherInstanceAdmin(await pin(tx), id, 'id');
        for (const membership of user.memberships) if (membership.role === 'ADMIN') await requireOtherAdmin(tx, membership, 'id');
        // Channels, then the inbox, then deliveries, those of all projects at once: the order of locks (ARCHITECTURE.md).
        await lockChannelsOf(sqlOf(tx), id);
        await purgeUser(sqlOf(tx), id);
        const channelIds = user.channels.map((channel) => channel.id);
        await lockWaiting(sqlOf(tx), { subscriptionIds: await subscriptionsOf(tx, id), channelIds });
        for (const projectId of await projectsOf(tx, id)) await leave(deps, tx, after, { projectId, userId: id, inbox: 'DELETED' });
        for (const channelId of channelIds) after.deliveries(await cancelForChannel(sqlOf(tx), jobs, channelId, 'CHANNEL_DELETED', clock.now()));
        await tx.user.delete({ where: { id } });
        after.access();
        return { id };
      });
    },
  };
}

/** The projects in which a user has any say or any subscription (an instance admin needs no membership to have one). */
async function projectsOf(tx: Tx, userId: string): Promise<string[]> {
  const memberships = await tx.membership.findMany({ where: { userId }, select: { projectId: true } });
  const subscriptions = await tx.notificationSubscription.findMany({ where: { userId }, select: { projectId: true }, distinct: ['projectId'] });
  return [...new Set([...memberships, ...subscriptions].map(({ projectId }) => projectId))].sort();
}

async function subscriptionsOf(tx: Tx, userId: string): Promise<string[]> {
  const rows = await tx.notificationSubscription.findMany({ where: { userId }, select: { id: true } });
  return rows.map(({ id }) => id);
}

/** Locks the instance's admins and one more user, in the order of their ids: nobody else makes one of them none, or adds to what refers to them. */
async function lockAdminsAnd(tx: Tx, userId: string): Promise<string[]> {
  const rows = await sqlOf(tx).query<{ id: string; is_admin: boolean }>(
    'SELECT id, is_admin FROM users WHERE is_admin OR id = $1::uuid ORDER BY id FOR UPDATE',
    [userId],
  );
  return rows.filter((row) => row.is_admin).map((row) => row.id);
}

function requireOtherInstanceAdmin(admins: readonly string[], userId: string, path: string): void {
  if (!admins.some((id) => id !== userId)) throw conflict(path, 'the instance needs an admin: appoint another first');
}
