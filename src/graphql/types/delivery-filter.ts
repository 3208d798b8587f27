import type { DeliveryFilter } from '../../pipeline/deliveries.ts';
import { builder } from '../builder.ts';
import { DeliveryStatusEnum, TriggerEnum } from '../enums.ts';
import { given } from '../given.ts';
import { readOptionalId } from '../ids.ts';
import { ChannelTypeEnum } from './channel-config.ts';

export const DeliveryFilterInput = builder.inputType('DeliveryFilter', {
  fields: (t) => ({
    projectId: t.id(),
    status: t.field({ type: [DeliveryStatusEnum] }),
    channelId: t.id(),
    channelType: t.field({ type: [ChannelTypeEnum] }),
    subscriptionId: t.id(),
    eventId: t.string(),
    trigger: t.field({ type: [TriggerEnum] }),
    taskId: t.string(),
    taskName: t.string(),
    since: t.field({ type: 'DateTime' }),
    until: t.field({ type: 'DateTime' }),
    includeTests: t.boolean(),
  }),
});

/** A filter as it was given at `path`; none lets everything through. */
export function readDeliveryFilter(filter: typeof DeliveryFilterInput.$inferInput | null | undefined): DeliveryFilter {
  if (filter === null || filter === undefined) return {};
  const ids = {
    projectId: readOptionalId('Project', filter.projectId, 'filter.projectId'),
    channelId: readOptionalId('Channel', filter.channelId, 'filter.channelId'),
    subscriptionId: readOptionalId('NotificationSubscription', filter.subscriptionId, 'filter.subscriptionId'),
  };
  return given({ ...filter, ...ids });
}
