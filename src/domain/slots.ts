import { isSuspect } from './retry.ts';

/** How a channel has been doing, as far as it decides how many sends it may have under way. */
export interface ChannelState {
  /** Attempts in a row that timed out or could not connect. */
  unreachable: number;
  /** Epoch milliseconds of its last delivery that was taken; null before the first. */
  lastSuccessAt: number | null;
}

export type ChannelClass = 'PROVEN' | 'NEW' | 'SUSPECT';

/**
 * PROVEN: it took a delivery within the last ten minutes. NEW: nothing is known of it, so that it may hang. SUSPECT: its last attempt timed out or could not
 * connect (spec 5).
 */
export function classOf(state: ChannelState, nowMs: number): ChannelClass {
  if (isSuspect(state.unreachable)) return 'SUSPECT';
  return state.lastSuccessAt !== null && nowMs - state.lastSuccessAt < PROVEN_MS ? 'PROVEN' : 'NEW';
}

const PROVEN_MS = 600_000;

/** Sends at once to one channel. A new one gets fewer: what hangs holds its slots for ten seconds. */
const CHANNEL_MAX: Record<ChannelClass, number> = { PROVEN: 4, NEW: 2, SUSPECT: 1 };
/** The share of all slots that channels of a class may hold together: spec 5 for suspects; half for the rest of those that might hang. */
const SHARE: Record<ChannelClass, number> = { PROVEN: 1, NEW: 0.5, SUSPECT: 0.25 };

export interface Slots {
  /** Takes a slot for a send to the channel, or says no. The answer's class goes back to `release`. */
  take(channelId: string, channelClass: ChannelClass): boolean;
  release(channelId: string, channelClass: ChannelClass): void;
  /** Whether the channel could take a slot of this class now. */
  isOpen(channelId: string, channelClass: ChannelClass): boolean;
  /** Sends under way. */
  used(): number;
}

/** The slots of one process: at most `total` sends at once, with the limits by channel and class above. */
export function createSlots(total: number): Slots {
  const byChannel = new Map<string, number>();
  const byClass: Record<ChannelClass, number> = { PROVEN: 0, NEW: 0, SUSPECT: 0 };

  function used(): number {
    return byClass.PROVEN + byClass.NEW + byClass.SUSPECT;
  }

  function isOpen(channelId: string, channelClass: ChannelClass): boolean {
    return (
      used() < total &&
      byClass[channelClass] < Math.max(1, Math.floor(total * SHARE[channelClass])) &&
      (byChannel.get(channelId) ?? 0) < CHANNEL_MAX[channelClass]
    );
  }

  return {
    isOpen,
    used,
    take: (channelId, channelClass) => {
      if (!isOpen(channelId, channelClass)) return false;
      byChannel.set(channelId, (byChannel.get(channelId) ?? 0) + 1);
      byClass[channelClass] += 1;
      return true;
    },
    release: (channelId, channelClass) => {
      const left = (byChannel.get(channelId) ?? 1) - 1;
      if (left === 0) byChannel.delete(channelId);
      else byChannel.set(channelId, left);
      byClass[channelClass] -= 1;
    },
  };
}
