import { INBOX_ITEM_KINDS, INBOX_REASONS, type InboxItemKind } from '../domain/inbox.ts';
import { COOLDOWN_BY, MATCH_REASONS } from '../domain/subscription.ts';
import { TRIGGERS, type Trigger } from '../domain/trigger.ts';
import { builder } from './builder.ts';

/** A trigger's name in the API: `task.failed` is TASK_FAILED. */
function triggerName(trigger: Trigger): string {
  return trigger.replace('.', '_').toUpperCase();
}

export const TriggerEnum = builder.enumType('Trigger', {
  values: Object.fromEntries(TRIGGERS.map((trigger) => [triggerName(trigger), { value: trigger }])),
});

export const RoleEnum = builder.enumType('Role', { values: ['MEMBER', 'ADMIN'] });

export const CooldownByEnum = builder.enumType('CooldownBy', {
  description: 'What a cooldown counts by: the subscription as a whole, or each task name or agent on its own.',
  values: COOLDOWN_BY,
});

export const MatchReasonEnum = builder.enumType('MatchReason', { description: 'Why an event does, or does not, fire a subscription.', values: MATCH_REASONS });

export const DeliveryStatusEnum = builder.enumType('DeliveryStatus', {
  values: {
    QUEUED: { description: 'Waiting for its first or next attempt.' },
    SENT: { description: 'The receiver accepted it.' },
    FAILED: { description: 'The receiver or the egress policy refused it for good, or the retries ran out.' },
    CANCELLED: { description: 'Given up before it was sent: nobody it was for is left, channel deleted or off, too old, resolved first.' },
  },
});

export const AttemptOutcomeEnum = builder.enumType('AttemptOutcome', { values: ['DELIVERED', 'RETRY', 'FAILED'] });

const KIND_DESCRIPTIONS: Record<InboxItemKind, string> = {
  EVENT: "An event that one of the user's subscriptions matched.",
  CHANNEL_FAILING: 'A channel that the user answers for fails: its first failed delivery since it last worked.',
  CHANNEL_DISABLED: 'Such a channel was switched off.',
  SOURCE_SILENT: 'A source of heartbeats went silent; its agents are not judged meanwhile.',
};

export const InboxItemKindEnum = builder.enumType('InboxItemKind', {
  values: Object.fromEntries(INBOX_ITEM_KINDS.map((kind) => [kind, { value: kind, description: KIND_DESCRIPTIONS[kind] }])),
});

export const InboxReasonEnum = builder.enumType('InboxReason', { values: INBOX_REASONS });
