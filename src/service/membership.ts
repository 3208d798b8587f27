import { sqlOf } from '../db/open.ts';
import type { Role } from '../domain/viewer.ts';
import type { Membership } from '../generated/prisma/client.ts';
import { cancelForSubscriptions } from '../pipeline/cancel.ts';
import { removeInboxItems } from '../pipeline/inbox-log.ts';
import type { After, Tx } from './change.ts';
import type { ServiceDeps } from './deps.ts';
import { purgeDeliveryViews } from './purge.ts';
import { conflict } from './refusals.ts';

// What joining and leaving a project do (spec 3), for whoever is inside a transaction that holds the project alone.

interface Member {
  projectId: string;
  userId: string;
}

/** Makes a user a member and copies the project's default subscriptions to it, as its own. */
export async function join(
  { clock, newId }: Pick<ServiceDeps, 'clock' | 'newId'>,
  tx: Tx,
  { projectId, userId, role }: Member & { role: Role },
): Promise<Membership> {
  const now = new Date(clock.now());
  const membership = await tx.membership.create({ data: { projectId, userId, role, joinedAt: now } });
  const defaults = await tx.defaultSubscription.findMany({ where: { projectId }, include: { channels: true }, orderBy: { id: 'asc' } });
  const copies = defaults.map(({ id: _, channels, ...copied }) => ({
    channels,
    row: { ...copied, id: newId(), ownerId: userId, userId, isDefaultCopy: true },
  }));
  await tx.notificationSubscription.createMany({ data: copies.map(({ row }) => ({ ...row, createdAt: now, updatedAt: now })) });
  await tx.subscriptionChannel.createMany({
    data: copies.flatMap(({ row, channels }) => channels.map(({ channelId }) => ({ subscriptionId: row.id, channelId }))),
  });
  return membership;
}

/**
 * Ends a membership: the member's subscriptions there, what only they keep waiting, and, in one change, the project's items in the member's inbox
 * (where a user who is deleted altogether has none to keep).
 */
export async function leave(
  { jobs, clock }: Pick<ServiceDeps, 'jobs' | 'clock'>,
  tx: Tx,
  after: After,
  { inbox, ...member }: Member & { inbox: 'CLEARED' | 'DELETED' },
): Promise<void> {
  const { projectId, userId } = member;
  const nowMs = clock.now();
  const sql = sqlOf(tx);
  const subscriptions = await tx.notificationSubscription.findMany({ where: { projectId, userId }, select: { id: true } });
  const ids = subscriptions.map(({ id }) => id);
  await tx.notificationSubscription.deleteMany({ where: { id: { in: ids } } });
  await tx.membership.deleteMany({ where: member });
  if (inbox === 'CLEARED') after.inbox(await removeInboxItems(sql, { projectId, userIds: [userId] }, nowMs));
  if (ids.length > 0) after.deliveries(await cancelForSubscriptions(sql, jobs, projectId, ids, nowMs));
  await purgeDeliveryViews(sql, projectId, userId);
  after.access();
}

/** Throws CONFLICT at `path` where the member is the project's last admin. */
export async function requireOtherAdmin(tx: Tx, { projectId, userId }: Member, path: string): Promise<void> {
  const others = await tx.membership.count({ where: { projectId, role: 'ADMIN', userId: { not: userId } } });
  if (others === 0) throw conflict(path, 'a project needs an admin: appoint another first');
}
