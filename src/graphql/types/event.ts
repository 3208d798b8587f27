import { indexedIssues, readEvents } from '../../domain/event.ts';
import type { MatchReason } from '../../domain/subscription.ts';
import type { NotificationSubscription } from '../../generated/prisma/client.ts';
import { badInput } from '../../lib/error.ts';
import { previewMatch } from '../../pipeline/preview.ts';
import type { PublishResult } from '../../pipeline/publish.ts';
import { requireInProject } from '../../service/access.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { MatchReasonEnum, TriggerEnum } from '../enums.ts';
import { readId, readOptionalId } from '../ids.ts';
import { SubscriptionType } from './subscription.ts';

const EventInput = builder.inputType('EventInput', {
  fields: (t) => ({
    id: t.string({ required: true, description: "The producer's own id of this event; the same id of the same project is taken once." }),
    trigger: t.field({ type: TriggerEnum, required: true }),
    occurredAt: t.field({ type: 'DateTime' }),
    taskId: t.string(),
    taskName: t.string(),
    queue: t.string(),
    engine: t.string(),
    priority: t.int(),
    state: t.string(),
    agent: t.string(),
    runtimeMs: t.int(),
    exception: t.string(),
    traceback: t.string(),
    data: t.field({ type: 'JSON' }),
  }),
});

const PublishEventsInput = builder.inputType('PublishEventsInput', {
  description: 'projectId may be left out with an agent token. At most 1,000 events.',
  fields: (t) => ({ projectId: t.id(), events: t.field({ type: [EventInput], required: true }) }),
});

const PublishEventsPayload = builder.objectRef<PublishResult>('PublishEventsPayload').implement({
  fields: (t) => ({
    accepted: t.exposeInt('accepted'),
    duplicates: t.exposeInt('duplicates', { description: 'Taken before, by their ids.' }),
    inboxItems: t.exposeInt('inboxItems', { description: 'Inbox items and external deliveries that this call recorded.' }),
    deliveries: t.exposeInt('deliveries'),
  }),
});

builder.mutationField('publishEvents', (t) =>
  t.field({
    type: PublishEventsPayload,
    skipTypeScopes: true,
    authScopes: { caller: true },
    args: { input: t.arg({ type: PublishEventsInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const viewer = viewerOf(context);
      const given = readOptionalId('Project', input.projectId, 'projectId') ?? null;
      const projectId = given ?? (viewer.kind === 'agent' ? viewer.projectId : null);
      if (projectId === null) throw badInput([{ path: 'projectId', message: "must be given, but with an agent's token" }]);
      await requireInProject(context.api.db.prisma, viewer, 'events.publish', projectId, 'projectId');
      const batch = readEvents(input.events, context.api.clock.now());
      if (!batch.ok) throw badInput(batch.issues.map((issue) => ({ ...issue, path: 'events' })));
      if (batch.rejected.length > 0) throw badInput(indexedIssues(batch.rejected, 'events'));
      return await context.api.publisher.publish(projectId, batch.events);
    },
  }),
);

interface MatchPreview {
  subscription: NotificationSubscription;
  reason: MatchReason;
  detail: string | null;
}

const MatchPreviewType = builder.objectRef<MatchPreview>('MatchPreview').implement({
  fields: (t) => ({
    subscription: t.expose('subscription', { type: SubscriptionType }),
    reason: t.expose('reason', { type: MatchReasonEnum }),
    detail: t.exposeString('detail', { nullable: true }),
  }),
});

builder.queryField('previewMatch', (t) =>
  t.field({
    type: [MatchPreviewType],
    description:
      'What the event would do now to each subscription that the viewer may see (a member: own, team and default ones), in the order that the matcher ' +
      'looks at them. Writes nothing.',
    args: { projectId: t.arg.id({ required: true }), event: t.arg({ type: EventInput, required: true }) },
    resolve: async (_root, args, context) => {
      const { api, load } = context;
      const projectId = readId('Project', args.projectId, 'projectId');
      await requireInProject(api.db.prisma, viewerOf(context), 'match.preview', projectId, 'projectId');
      const batch = readEvents([args.event], api.clock.now());
      const [event] = batch.ok ? batch.events : [];
      if (!batch.ok || event === undefined)
        throw badInput((batch.ok ? batch.rejected : batch.issues).map(({ path, message }) => ({ path: `event.${path}`, message })));
      const previews = await previewMatch({ db: api.db, now: () => api.clock.now() }, projectId, event);
      const visible = await Promise.all(previews.map(async (preview) => ({ ...preview, subscription: await load.subscription(preview.subscription.id) })));
      return visible.flatMap(({ subscription, reason, detail }) => (subscription === null ? [] : [{ subscription, reason, detail }]));
    },
  }),
);
