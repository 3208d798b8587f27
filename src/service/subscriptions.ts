import { sqlOf } from '../db/open.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { NotificationSubscription } from '../generated/prisma/client.ts';
import { type AppError, badInput, notFound } from '../lib/error.ts';
import { cancelForSubscriptions } from '../pipeline/cancel.ts';
import { requireInProject, requireUser } from './access.ts';
import { orTaken, type Tx } from './change.ts';
import { changeProject, type ServiceDeps } from './deps.ts';
import { findChannels } from './destinations.ts';
import { checkMutedUntil } from './filters.ts';
import { conflict } from './refusals.ts';
import { type CreateSubscriptionInput, isCountedAnew, readNew, readUpdate, type UpdateSubscriptionInput } from './subscription-input.ts';
import { visibleSubscriptions } from './visible.ts';

export interface Subscriptions {
  createSubscription(viewer: Viewer, input: CreateSubscriptionInput): Promise<{ subscription: NotificationSubscription }>;
  updateSubscription(viewer: Viewer, input: UpdateSubscriptionInput): Promise<{ subscription: NotificationSubscription }>;
  deleteSubscription(viewer: Viewer, input: { id: string }): Promise<{ id: string }>;
  /** Mutes all of the viewer's own subscriptions, or those in one project; `until: null` unmutes them. Answers how many that altered. */
  muteSubscriptions(viewer: Viewer, input: { projectId?: string | null; until: Date | null }): Promise<{ changed: number }>;
}

/** Personal and team subscriptions. */
export function createSubscriptions(deps: ServiceDeps): Subscriptions {
  const { db, changes, jobs, clock, newId } = deps;

  /** The subscription, as whom may change it: NOT_FOUND at `id` where the viewer may not know of it. */
  async function find(viewer: Viewer, id: string): Promise<{ projectId: string; action: 'subscription.own' | 'subscription.team' }> {
    const known = await db.prisma.notificationSubscription.findFirst({ where: { AND: [{ id }, visibleSubscriptions(viewer)] } });
    if (known === null) throw notFound('id', 'subscription');
    return { projectId: known.projectId, action: known.userId === null ? 'subscription.team' : 'subscription.own' };
  }

  return {
    createSubscription: async (viewer, input) => {
      const { projectId } = input;
      const { isTeam, values, channelIds } = readNew(input);
      const action = isTeam ? 'subscription.team' : 'subscription.own';
      const change = changeProject(deps, { viewer, action, projectId, path: 'projectId' }, async (tx) => {
        const userId = isTeam ? null : requireUser(viewer);
        const allowed = await findChannels(tx, channelIds, { projectId, userId });
        const now = new Date(clock.now());
        const row = { ...values, id: newId(), projectId, userId, ownerId: userId ?? projectId, createdAt: now, updatedAt: now };
        const channels = { create: allowed.map((channelId) => ({ channelId })) };
        return { subscription: await tx.notificationSubscription.create({ data: { ...row, channels } }) };
      });
      return await orTaken(change, nameTaken);
    },

    updateSubscription: async (viewer, input) => {
      const { projectId, action } = await find(viewer, input.id);
      const change = changeProject(deps, { viewer, action, projectId, path: 'id' }, async (tx, after) => {
        const before = await tx.notificationSubscription.findUnique({ where: { id: input.id } });
        if (before === null) throw notFound('id', 'subscription');
        const { values, channelIds } = readUpdate(before, input);
        if (channelIds !== undefined) await setChannels(tx, before, channelIds);
        if (isCountedAnew(before, values)) await tx.cooldown.deleteMany({ where: { subscriptionId: before.id } });
        const subscription = await tx.notificationSubscription.update({ where: { id: before.id }, data: { ...values, updatedAt: new Date(clock.now()) } });
        if (before.isActive && !subscription.isActive) after.deliveries(await cancelForSubscriptions(sqlOf(tx), jobs, projectId, [before.id], clock.now()));
        return { subscription };
      });
      return await orTaken(change, nameTaken);
    },

    deleteSubscription: async (viewer, { id }) => {
      const { projectId, action } = await find(viewer, id);
      return await changeProject(deps, { viewer, action, projectId, path: 'id' }, async (tx, after) => {
        const { count } = await tx.notificationSubscription.deleteMany({ where: { id } });
        if (count === 0) throw notFound('id', 'subscription');
        after.deliveries(await cancelForSubscriptions(sqlOf(tx), jobs, projectId, [id], clock.now()));
        return { id };
      });
    },

    muteSubscriptions: async (viewer, { projectId, until }) => {
      const userId = requireUser(viewer);
      if (projectId != null) await requireInProject(db.prisma, viewer, 'subscription.own', projectId, 'projectId');
      const checked = until === null ? null : checkMutedUntil(until);
      if (checked?.ok === false) throw badInput([{ path: 'until', message: checked.message }]);
      // Spelled out, since "not equal" leaves out those that are not muted.
      const differs = until === null ? [{ mutedUntil: { not: null } }] : [{ mutedUntil: null }, { mutedUntil: { not: until } }];
      const where = { userId, ...(projectId == null ? {} : { projectId }), OR: differs };
      const find = async (tx: Tx): Promise<string[]> => {
        const rows = await tx.notificationSubscription.findMany({ where, select: { projectId: true }, distinct: ['projectId'] });
        return rows.map((row) => row.projectId);
      };
      return await changes.aloneWhere({ find, pin: async () => {} }, async (tx, _after, held) => {
        // What came into another project meanwhile is left: its rules are not held.
        const { count } = await tx.notificationSubscription.updateMany({
          where: { ...where, projectId: { in: [...held] } },
          data: { mutedUntil: until, updatedAt: new Date(clock.now()) },
        });
        return { changed: count };
      });
    },
  };
}

async function setChannels(tx: Tx, { id, projectId, userId }: NotificationSubscription, channelIds: readonly string[]): Promise<void> {
  const allowed = await findChannels(tx, channelIds, { projectId, userId });
  await tx.subscriptionChannel.deleteMany({ where: { subscriptionId: id } });
  await tx.subscriptionChannel.createMany({ data: allowed.map((channelId) => ({ subscriptionId: id, channelId })) });
}

function nameTaken(): AppError {
  return conflict('name', 'a subscription of this name exists');
}
