import { cancelDeliveries, clearDeliveries, redeliver } from '../../pipeline/deliveries.ts';
import { requireInProject } from '../../service/access.ts';
import { type DeliverySelection, selectDeliveries } from '../../service/delivery-selection.ts';
import { builder } from '../builder.ts';
import { accessOf, viewerOf } from '../context.ts';
import { given } from '../given.ts';
import { readId, readIds, readOptionalId } from '../ids.ts';
import { DeliveryType } from './delivery.ts';
import { DeliveryFilterInput, readDeliveryFilter } from './delivery-filter.ts';
import { deliveriesById } from './delivery-list.ts';

const RedeliverInput = builder.inputType('RedeliverInput', {
  description: 'Exactly one of ids (at most 100) and filter.',
  fields: (t) => ({ ids: t.idList(), projectId: t.id(), filter: t.field({ type: DeliveryFilterInput }) }),
});
const ClearDeliveriesInput = builder.inputType('ClearDeliveriesInput', {
  fields: (t) => ({ projectId: t.id({ required: true }), before: t.field({ type: 'DateTime', required: true }) }),
});

/** Deliveries that an answer shows of those it changed. */
const SHOWN_MAX = 100;

const RedeliverPayload = builder.objectRef<{ ids: readonly string[] }>('RedeliverPayload').implement({
  description: 'deliveries: the first 100 of those changed.',
  fields: (t) => ({
    changed: t.int({ resolve: ({ ids }) => ids.length }),
    deliveries: t.field({ type: [DeliveryType], resolve: ({ ids }, _args, context) => deliveriesById(context, ids.slice(0, SHOWN_MAX)) }),
  }),
});
const ClearDeliveriesPayload = builder.objectRef<{ deleted: number }>('ClearDeliveriesPayload').implement({
  fields: (t) => ({ deleted: t.exposeInt('deleted') }),
});

function readInput({ ids, projectId, filter }: typeof RedeliverInput.$inferInput): DeliverySelection {
  return given({
    ids: readIds('Delivery', ids, 'ids'),
    projectId: readOptionalId('Project', projectId, 'projectId'),
    filter: filter === null || filter === undefined ? filter : readDeliveryFilter(filter),
  });
}

builder.mutationFields((t) => ({
  redeliver: t.field({
    type: RedeliverPayload,
    description: 'Queues failed or cancelled deliveries again, by ids or by filter (project admins), as new attempts of the same delivery.',
    args: { input: t.arg({ type: RedeliverInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const ids = await selectDeliveries(context.api.db, accessOf(context), readInput(input), ['FAILED', 'CANCELLED']);
      return { ids: await redeliver(context.api.deliveryDeps, ids) };
    },
  }),
  cancelDeliveries: t.field({
    type: RedeliverPayload,
    description: 'Cancels what is still queued, by the same selection.',
    args: { input: t.arg({ type: RedeliverInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const ids = await selectDeliveries(context.api.db, accessOf(context), readInput(input), ['QUEUED']);
      return { ids: await cancelDeliveries(context.api.deliveryDeps, ids) };
    },
  }),
  clearDeliveries: t.field({
    type: ClearDeliveriesPayload,
    description: 'Deletes finished deliveries older than `before` from the log (the audit log keeps them).',
    args: { input: t.arg({ type: ClearDeliveriesInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const projectId = readId('Project', input.projectId, 'projectId');
      await requireInProject(context.api.db.prisma, viewerOf(context), 'delivery.manage', projectId, 'projectId');
      return { deleted: await clearDeliveries(context.api.deliveryDeps, projectId, input.before) };
    },
  }),
}));
