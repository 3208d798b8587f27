import type { Database } from '../db/database.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelMemory } from './channel-memory.ts';
import type { ClaimedJob } from './jobs.ts';
import { type LoadedChannel, type LoadedDelivery, loadDeliveries } from './load.ts';
import { AT_ONCE_MS, LATE_MS, slotsFor } from './pacer.ts';
import type { Settler } from './settler.ts';
import { triage } from './triage.ts';

/** A claimed job whose delivery may be sent as soon as there is room for it. */
export interface Ready {
  job: ClaimedJob;
  delivery: LoadedDelivery;
  channel: LoadedChannel;
  loadedAt: number;
  /** Epoch milliseconds: later its slot is lost. Infinity where it is not paced. */
  sendBy: number;
}

interface IntakeDeps {
  db: Database;
  clock: Clock;
  settler: Pick<Settler, 'add'>;
  memory: Pick<ChannelMemory, 'refresh'>;
  /** Called when what had to wait for its destination's slot is due. */
  onDue: () => void;
}

/** What comes between claiming a job and sending it: its delivery is loaded, decided without the network where that is possible, and paced. */
export function createIntake({ db, clock, settler, memory, onDue }: IntakeDeps): { take(jobs: readonly ClaimedJob[]): Promise<Ready[]> } {
  /** Jobs that cannot be loaded or paced are given back, as soon as the database takes it: nobody else gets them before their claims expire. */
  async function orGiveBack<T>(jobs: readonly ClaimedJob[], run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      for (const job of jobs) settler.add({ job, kind: 'GIVE_BACK' });
      throw error;
    }
  }

  function decide(job: ClaimedJob, loaded: LoadedDelivery | undefined): Ready[] {
    const loadedAt = clock.now();
    const decided = triage(loaded, loadedAt);
    if (decided.kind === 'SEND') return [{ job, delivery: decided.delivery, channel: memory.refresh(decided.channel), loadedAt, sendBy: Infinity }];
    settler.add({ job, ...decided });
    return [];
  }

  /** What has to wait for a slot of its destination goes back into the queue until then. */
  async function pace(entries: readonly Ready[]): Promise<Ready[]> {
    const jobs = entries.map(({ job }) => job);
    const slots = await orGiveBack(jobs, () => slotsFor(db, entries, clock.now()));
    return entries.flatMap((entry, index) => {
      const slot = slots[index] ?? null;
      if (slot === null) return [entry];
      if (slot.inMs <= AT_ONCE_MS) return [{ ...entry, sendBy: clock.now() + slot.inMs + LATE_MS }];
      settler.add({ job: entry.job, kind: 'POSTPONE', at: slot.at, hasSlot: slot.isBooked });
      clock.after(slot.inMs + AT_ONCE_MS, onDue);
      return [];
    });
  }

  return {
    take: async (jobs) => {
      const deliveries = await orGiveBack(jobs, () => loadDeliveries(db.sql, jobs));
      return await pace(jobs.flatMap((job) => decide(job, deliveries.get(job.deliveryId))));
    },
  };
}
