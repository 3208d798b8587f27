import type { CancelReason } from '../domain/delivery.ts';
import { isTooOld } from '../domain/retry.ts';
import type { LoadedChannel, LoadedDelivery } from './load.ts';

/** What can be decided of a claimed job without the network. */
export type Triage = { kind: 'STALE' } | { kind: 'CANCEL'; reason: CancelReason } | { kind: 'SEND'; delivery: LoadedDelivery; channel: LoadedChannel };

/** `delivery`: what was loaded for the job; undefined where it is no longer queued under it. */
export function triage(delivery: LoadedDelivery | undefined, nowMs: number): Triage {
  if (delivery === undefined) return { kind: 'STALE' };
  const { channel, event, project } = delivery;
  if (channel === null) return { kind: 'CANCEL', reason: 'CHANNEL_DELETED' };
  if (!channel.isActive) return { kind: 'CANCEL', reason: 'CHANNEL_OFF' };
  if (!delivery.stands || event === null || project === null) return { kind: 'CANCEL', reason: 'NO_SUBSCRIPTION' };
  if (isTooOld(delivery.queuedAt.getTime(), delivery.roundAttempts, nowMs)) return { kind: 'CANCEL', reason: 'TOO_OLD' };
  return { kind: 'SEND', delivery, channel };
}
