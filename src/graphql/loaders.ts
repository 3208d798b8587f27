import type { Database } from '../db/database.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { ApiToken, Channel, DefaultSubscription, Delivery, NotificationSubscription, Project, User } from '../generated/prisma/client.ts';
import { inboxItemKey, splitInboxItemKey } from '../lib/global-id.ts';
import { type InboxItemRow, loadItems } from '../pipeline/inbox-read.ts';
import { visibleChannels, visibleDefaults, visibleProjects, visibleSubscriptions, visibleTokens, visibleUsers } from '../service/visible.ts';
import { createBatch } from './batch.ts';

type Load<Row> = (id: string) => Promise<Row | null>;

/** Objects by their ids, those asked for together in one query: null for what the viewer may not know of, where nothing else is said. */
export interface Loaders {
  user: Load<User>;
  project: Load<Project>;
  token: Load<ApiToken>;
  channel: Load<Channel>;
  subscription: Load<NotificationSubscription>;
  defaultSubscription: Load<DefaultSubscription>;
  /** By subscription, over all of its keys. */
  cooldown: Load<{ lastFiredAt: Date | null; suppressed: number }>;
  /** By channel. */
  queuedDeliveries: Load<number>;
  /** Whoever the viewer is: whether it may know of a delivery depends on where it was found. */
  delivery: Load<Delivery>;
  /** By delivery: whether one of the viewer's subscriptions matched it. */
  isOwnDelivery: Load<true>;
  /** By the item's key (lib/global-id.ts): the viewer's own. */
  inboxItem: Load<InboxItemRow>;
}

/** Loaders of one operation, for whom its session stands for at the time. A stranger finds nothing. */
export function createLoaders({ prisma, sql }: Database, session: { readonly viewer: Viewer | null }): Loaders {
  function of<Row extends { id: string }>(find: (viewer: Viewer, id: { in: string[] }) => Promise<Row[]>): Load<Row> {
    return createBatch(async (ids) => (session.viewer === null ? new Map<string, Row>() : byId(await find(session.viewer, { in: ids }))));
  }

  return {
    user: of((who, id) => prisma.user.findMany({ where: { AND: [{ id }, visibleUsers(who)] } })),
    project: of((who, id) => prisma.project.findMany({ where: { AND: [{ id }, visibleProjects(who)] } })),
    token: of((who, id) => prisma.apiToken.findMany({ where: { AND: [{ id }, visibleTokens(who)] } })),
    channel: of((who, id) => prisma.channel.findMany({ where: { AND: [{ id }, visibleChannels(who)] } })),
    subscription: of((who, id) => prisma.notificationSubscription.findMany({ where: { AND: [{ id }, visibleSubscriptions(who)] } })),
    defaultSubscription: of((who, id) => prisma.defaultSubscription.findMany({ where: { AND: [{ id }, visibleDefaults(who)] } })),
    cooldown: createBatch(async (ids) => {
      const where = { subscriptionId: { in: ids } };
      const rows = await prisma.cooldown.groupBy({ by: 'subscriptionId', where, _sum: { suppressed: true }, _max: { lastFiredAt: true } });
      return new Map(rows.map((row) => [row.subscriptionId, { lastFiredAt: row._max.lastFiredAt, suppressed: row._sum.suppressed ?? 0 }]));
    }),
    queuedDeliveries: createBatch(async (ids) => {
      const rows = await prisma.delivery.groupBy({ by: 'channelId', where: { channelId: { in: ids }, status: 'QUEUED' }, _count: true });
      return new Map(rows.map((row) => [row.channelId, row._count]));
    }),
    delivery: createBatch(async (ids) => byId(await prisma.delivery.findMany({ where: { id: { in: ids } } }))),
    isOwnDelivery: createBatch(async (ids) => {
      if (session.viewer?.kind !== 'user') return new Map();
      const rows = await prisma.deliveryViewer.findMany({ where: { userId: session.viewer.userId, deliveryId: { in: ids } } });
      return new Map(rows.map((row) => [row.deliveryId, true]));
    }),
    inboxItem: createBatch(async (keys) => {
      const { viewer } = session;
      const own = keys.map(splitInboxItemKey).filter(({ userId }) => viewer?.kind === 'user' && viewer.userId === userId);
      return new Map((await loadItems(sql, own)).map((item) => [inboxItemKey(item.userId, item.seq), item]));
    }),
  };
}

function byId<Row extends { id: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.id, row]));
}
