import type { InboxReason } from './inbox.ts';
import type { MatchChannel, MatchSubscription } from './subscription.ts';

/** Matches that a cooldown dropped since `since` (epoch milliseconds), when the subscription last fired. */
export interface Suppressed {
  count: number;
  since: number;
}

/** A subscription that an event fires, after cooldowns. */
export interface FiredSubscription {
  subscription: MatchSubscription;
  suppressed: Suppressed | null;
}

/** The event in one user's inbox. */
export interface PlannedInboxItem {
  userId: string;
  subscriptionId: string;
  reason: InboxReason;
  suppressed: Suppressed | null;
}

/** The event to one channel. */
export interface PlannedChannelDelivery {
  channel: MatchChannel;
  /** All that brought it, by id. */
  subscriptionIds: string[];
  /** Owners of the personal ones among them. */
  userIds: string[];
  suppressed: Suppressed | null;
}

/**
 * What the subscriptions that an event fires, in the order of their ids, lead to: one item a user, which names a subscription of their own making
 * rather than a copied default, and one delivery a channel that is on. Both tell the largest count of what was dropped before.
 */
export function planEvent(fired: readonly FiredSubscription[]): { inbox: PlannedInboxItem[]; deliveries: PlannedChannelDelivery[] } {
  const inbox = new Map<string, PlannedInboxItem>();
  const deliveries = new Map<string, PlannedChannelDelivery>();
  for (const { subscription, suppressed } of fired) {
    if (subscription.userId !== null && subscription.inApp) planItem(inbox, subscription, subscription.userId, suppressed);
    for (const channel of subscription.channels) if (channel.isActive) planDelivery(deliveries, channel, subscription, suppressed);
  }
  return { inbox: [...inbox.values()], deliveries: [...deliveries.values()] };
}

function planItem(inbox: Map<string, PlannedInboxItem>, { id, isDefaultCopy }: MatchSubscription, userId: string, suppressed: Suppressed | null): void {
  const reason = isDefaultCopy ? 'DEFAULT' : 'SUBSCRIBED';
  const known = inbox.get(userId);
  if (known === undefined) inbox.set(userId, { userId, subscriptionId: id, reason, suppressed });
  else {
    known.suppressed = larger(known.suppressed, suppressed);
    if (known.reason === 'DEFAULT' && reason === 'SUBSCRIBED') Object.assign(known, { subscriptionId: id, reason });
  }
}

function planDelivery(
  deliveries: Map<string, PlannedChannelDelivery>,
  channel: MatchChannel,
  { id, userId }: MatchSubscription,
  suppressed: Suppressed | null,
): void {
  const userIds = userId === null ? [] : [userId];
  const known = deliveries.get(channel.id);
  if (known === undefined) deliveries.set(channel.id, { channel, subscriptionIds: [id], userIds, suppressed });
  else {
    known.subscriptionIds.push(id);
    if (userId !== null && !known.userIds.includes(userId)) known.userIds.push(userId);
    known.suppressed = larger(known.suppressed, suppressed);
  }
}

function larger(left: Suppressed | null, right: Suppressed | null): Suppressed | null {
  return (right?.count ?? 0) > (left?.count ?? 0) ? right : left;
}
