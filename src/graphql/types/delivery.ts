import type { Attempt, AttemptOutcome, DeliveryStatus } from '../../domain/delivery.ts';
import type { Delivery } from '../../generated/prisma/client.ts';
import type { StatsBucket } from '../../pipeline/deliveries.ts';
import { builder } from '../builder.ts';
import { type Context, userOf } from '../context.ts';
import { AttemptOutcomeEnum, DeliveryStatusEnum } from '../enums.ts';
import { ChannelType } from './channel.ts';
import { ChannelTypeEnum } from './channel-config.ts';
import { idOf, NodeInterface } from './node.ts';
import { ProjectType } from './project.ts';
import { SubscriptionType } from './subscription.ts';
import { UserType } from './user.ts';

/** What a personal channel is called to everybody but its owner (spec 10). */
const PERSONAL = 'personal';

const DeliveryAttemptType = builder.objectRef<Attempt>('DeliveryAttempt').implement({
  fields: (t) => ({
    number: t.exposeInt('number'),
    startedAt: t.field({ type: 'DateTime', resolve: ({ startedAt }) => new Date(startedAt) }),
    durationMs: t.exposeInt('durationMs'),
    outcome: t.field({ type: AttemptOutcomeEnum, resolve: ({ outcome }): AttemptOutcome => outcome }),
    reason: t.exposeString('reason', { nullable: true }),
    statusCode: t.exposeInt('statusCode', { nullable: true }),
    error: t.exposeString('error', { nullable: true }),
    responseBody: t.exposeString('responseBody', { nullable: true }),
  }),
});

export const DeliveryType = builder.objectRef<Delivery>('Delivery').implement({
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ resolve: (delivery) => idOf('Delivery', delivery.id) }),
    project: t.field({ type: ProjectType, nullable: true, resolve: ({ projectId }, _args, { load }) => (projectId === null ? null : load.project(projectId)) }),
    channel: t.field({
      type: ChannelType,
      nullable: true,
      description: 'Null once the channel is deleted; name and type are as they were when it was recorded.',
      resolve: ({ channelId }, _args, { load }) => load.channel(channelId),
    }),
    channelName: t.string({ resolve: (delivery, _args, context) => (isOthers(delivery, context) ? PERSONAL : delivery.channelName) }),
    channelType: t.expose('channelType', { type: ChannelTypeEnum }),
    subscriptions: t.field({
      type: [SubscriptionType],
      description: 'Those that matched, the viewer may see, and still exist.',
      resolve: async ({ subscriptionIds }, _args, { load }) => (await Promise.all(subscriptionIds.map(load.subscription))).filter((found) => found !== null),
    }),
    user: t.field({
      type: UserType,
      nullable: true,
      description: 'Who asked for it, on a test send.',
      resolve: (delivery, _args, context) => (delivery.userId === null || isOthers(delivery, context) ? null : context.load.user(delivery.userId)),
    }),
    eventId: t.string({ nullable: true, description: "The producer's event id.", resolve: ownersOnly((delivery) => delivery.eventId) }),
    trigger: t.exposeString('trigger', { description: 'task.failed and so on; test.dispatch for a test send.' }),
    taskId: t.string({ nullable: true, resolve: ownersOnly((delivery) => delivery.taskId) }),
    taskName: t.string({ nullable: true, resolve: ownersOnly((delivery) => delivery.taskName) }),
    agent: t.string({ nullable: true, resolve: ownersOnly((delivery) => delivery.agent) }),
    status: t.field({ type: DeliveryStatusEnum, resolve: ({ status }) => status as DeliveryStatus }),
    statusCode: t.exposeInt('statusCode', { nullable: true, description: 'HTTP status, or SMTP reply code.' }),
    reason: t.exposeString('reason', { nullable: true, description: 'One word of a closed list: why it is not delivered.' }),
    error: t.string({
      nullable: true,
      description: 'Sanitized: no secret of the channel, no resolved address.',
      resolve: ownersOnly((delivery) => delivery.error),
    }),
    responseBody: t.string({ nullable: true, resolve: ownersOnly((delivery) => delivery.responseBody) }),
    attemptCount: t.exposeInt('attemptCount'),
    nextAttemptAt: t.expose('nextAttemptAt', { type: 'DateTime', nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true }),
    attempts: t.field({
      type: [DeliveryAttemptType],
      resolve: (delivery, _args, context) => {
        const attempts = attemptsOf(delivery);
        return isOthers(delivery, context) ? attempts.map((attempt) => ({ ...attempt, error: null, responseBody: null })) : attempts;
      },
    }),
  }),
});

export const DeliveryStatsBucketType = builder.objectRef<StatsBucket>('DeliveryStatsBucket').implement({
  fields: (t) => ({
    start: t.expose('start', { type: 'DateTime' }),
    channelType: t.expose('channelType', { type: ChannelTypeEnum }),
    status: t.expose('status', { type: DeliveryStatusEnum }),
    count: t.exposeInt('count'),
  }),
});

/** Whether it went to a personal channel of somebody else: then only type, trigger and outcome are shown. */
function isOthers({ channelUserId }: Delivery, context: Context): boolean {
  return channelUserId !== null && channelUserId !== userOf(context).userId;
}

function ownersOnly<T>(read: (delivery: Delivery) => T): (delivery: Delivery, args: object, context: Context) => T | null {
  return (delivery, _args, context) => (isOthers(delivery, context) ? null : read(delivery));
}

/** The column holds what the settling wrote: an array of attempts, oldest first. */
function attemptsOf({ attempts }: Delivery): Attempt[] {
  return Array.isArray(attempts) ? (attempts as object[] as Attempt[]) : [];
}
