import type { Delivery } from '../../generated/prisma/client.ts';
import { badInput } from '../../lib/error.ts';
import { type DeliveryScope, deliveryStats, listDeliveryIds } from '../../pipeline/deliveries.ts';
import { builder } from '../builder.ts';
import { type Connection, type ConnectionArgs, ID_CURSOR, readPage, rowsToAsk, toConnection } from '../connection.ts';
import { accessOf, type Context, userOf } from '../context.ts';
import { DeliveryStatsBucketType, DeliveryType } from './delivery.ts';
import { DeliveryFilterInput, readDeliveryFilter } from './delivery-filter.ts';
import { defineNode } from './node.ts';
import { ProjectType, requireIn } from './project.ts';
import { ViewerType } from './viewer.ts';

defineNode('Delivery', async (context, id) => {
  const delivery = await context.load.delivery(id);
  return delivery !== null && (await maySee(context, delivery)) ? delivery : null;
});

/** Whether the viewer may know of a delivery: it went to its own channel or for its own subscription, or the viewer reads the project's log. */
async function maySee(context: Context, { id, projectId, channelUserId }: Delivery): Promise<boolean> {
  const { userId } = userOf(context);
  if (channelUserId === userId) return true;
  if (projectId !== null && (await accessOf(context).decide('delivery.read', projectId)) === 'ALLOW') return true;
  return (await context.load.isOwnDelivery(id)) !== null;
}

/** Deliveries in the order of `ids`; those that are gone are left out. */
export async function deliveriesById(context: Context, ids: readonly string[]): Promise<Delivery[]> {
  const rows = await Promise.all(ids.map((id) => context.load.delivery(id)));
  return rows.filter((row) => row !== null);
}

type DeliveryArgs = ConnectionArgs & { filter?: typeof DeliveryFilterInput.$inferInput | null | undefined };

async function deliveryPage(scope: DeliveryScope, args: DeliveryArgs, context: Context): Promise<Connection<Delivery>> {
  const page = readPage(args, ID_CURSOR);
  const { below, above, backward } = page;
  const range = { below, above, backward, limit: rowsToAsk(page) };
  const ids = await listDeliveryIds(context.api.db.sql, scope, readDeliveryFilter(args.filter), range);
  return toConnection(page, await deliveriesById(context, ids), ID_CURSOR, (delivery) => delivery.id);
}

const DeliveryConnection = builder.connectionObject({ type: DeliveryType, name: 'DeliveryConnection' }, { name: 'DeliveryEdge' });

builder.objectField(ViewerType, 'deliveries', (t) =>
  t.connection(
    {
      type: DeliveryType,
      description: "Deliveries that a subscription of the viewer matched, and the viewer's own test sends.",
      args: { filter: t.arg({ type: DeliveryFilterInput }) },
      resolve: ({ userId }, args, context) => deliveryPage({ userId }, args, context),
    },
    DeliveryConnection,
  ),
);

const BUCKETS_MAX = 1_000;

builder.prismaObjectFields(ProjectType, (t) => ({
  deliveries: t.connection(
    {
      type: DeliveryType,
      nullable: true,
      description: 'Admins; for others null with a FORBIDDEN error at this path, like the next four.',
      args: { filter: t.arg({ type: DeliveryFilterInput }) },
      resolve: async ({ id }, args, context) => {
        await requireIn(context, 'delivery.read', id);
        return await deliveryPage({ projectId: id }, args, context);
      },
    },
    DeliveryConnection,
  ),
  deliveryStats: t.field({
    type: [DeliveryStatsBucketType],
    nullable: true,
    args: { since: t.arg({ type: 'DateTime', required: true }), until: t.arg({ type: 'DateTime' }), bucketSeconds: t.arg.int({ required: true }) },
    resolve: async ({ id }, { since, until, bucketSeconds }, context) => {
      await requireIn(context, 'delivery.read', id);
      const end = until ?? new Date(context.api.clock.now());
      if (bucketSeconds < 1) throw badInput([{ path: 'bucketSeconds', message: 'must be at least 1' }]);
      if (end.getTime() - since.getTime() > bucketSeconds * 1_000 * BUCKETS_MAX) {
        throw badInput([{ path: 'bucketSeconds', message: `makes more than ${String(BUCKETS_MAX)} buckets` }]);
      }
      return await deliveryStats(context.api.db.sql, id, since, end, bucketSeconds);
    },
  }),
}));
