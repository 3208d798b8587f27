import type { Trigger } from './trigger.ts';

export const COOLDOWN_BY = ['SUBSCRIPTION', 'TASK_NAME', 'AGENT'] as const;
export type CooldownBy = (typeof COOLDOWN_BY)[number];

/** Filters of a subscription (spec 3); null means "not given". */
export interface Filters {
  priorityMin: number | null;
  priorityMax: number | null;
  taskNamePattern: string | null;
  queue: string | null;
  cooldownSeconds: number;
  cooldownBy: CooldownBy;
  /** Epoch milliseconds. */
  mutedUntil: number | null;
}

/** A channel as the matcher needs it: enough to record a delivery to it. */
export interface MatchChannel {
  id: string;
  name: string;
  type: string;
  /** A personal channel's owner; null on a project's. */
  ownerUserId: string | null;
  isActive: boolean;
}

/** A subscription as the matcher needs it. */
export interface MatchSubscription extends Filters {
  id: string;
  projectId: string;
  /** Null on a team subscription. */
  userId: string | null;
  /** Whether the owner is a member of the project now; true on a team subscription. */
  isMember: boolean;
  trigger: Trigger;
  isActive: boolean;
  inApp: boolean;
  isDefaultCopy: boolean;
  channels: MatchChannel[];
}

/** Why an event does, or does not, fire a subscription, in the order in which the filters are looked at (spec 3). */
export const MATCH_REASONS = ['FIRES', 'INACTIVE', 'MUTED', 'NOT_MEMBER', 'PRIORITY', 'TASK_NAME', 'QUEUE', 'COOLDOWN'] as const;
export type MatchReason = (typeof MATCH_REASONS)[number];
