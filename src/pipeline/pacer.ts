import type { Database, Sql } from '../db/database.ts';
import { bookNear, type Pace } from '../domain/pacing.ts';
import { heldUntil } from './channel-memory.ts';
import type { LoadedChannel, LoadedDelivery } from './load.ts';

/** `at`: epoch milliseconds by the database's clock, which is one for all replicas; `inMs`: how far off that is, below 0 where it has passed. */
export interface Slot {
  at: number;
  inMs: number;
  /** Nobody else gets it. Beyond the horizon it is only when to ask again. */
  isBooked: boolean;
}

interface Paced {
  key: string;
  pace: Pace;
  /** The one that it has, which is now. */
  slot: Slot | null;
  /** Not earlier than in so many milliseconds. */
  earliestInMs: number;
}

interface Sendable {
  delivery: LoadedDelivery;
  channel: LoadedChannel;
}

/** A slot that is so near is now. */
export const AT_ONCE_MS = 3;
/** A slot that passed so long ago is lost: others have the next ones. */
export const LATE_MS = 250;

/** Slots for what is about to be sent, in its order: null where its channel is not paced. */
export async function slotsFor(db: Database, entries: readonly Sendable[], nowMs: number): Promise<(Slot | null)[]> {
  const wanted = entries.map((entry) => pacedOf(entry, nowMs));
  const byKey = await book(
    db,
    wanted.flatMap((paced) => (paced?.slot === null ? [paced] : [])),
  );
  return wanted.map((paced) => (paced === null ? null : (paced.slot ?? byKey.get(paced.key)?.shift() ?? null)));
}

function pacedOf({ delivery: { hasSlot, lateMs }, channel }: Sendable, nowMs: number): Paced | null {
  const { destination, pace } = channel;
  if (destination === null || pace === null) return null;
  const until = heldUntil(channel, nowMs);
  const isNow = until === null && hasSlot && lateMs >= -AT_ONCE_MS && lateMs < LATE_MS;
  return {
    key: destination,
    pace,
    slot: isNow ? { at: nowMs - lateMs, inMs: -lateMs, isBooked: true } : null,
    earliestInMs: until === null ? 0 : until - nowMs,
  };
}

/**
 * Books slots in one transaction: replicas that want slots of one destination get them one after the other. Destinations are locked in the order of their
 * keys, and nothing else is locked meanwhile.
 */
async function book(db: Database, wanted: readonly Paced[]): Promise<Map<string, Slot[]>> {
  if (wanted.length === 0) return new Map();
  const groups = Map.groupBy(wanted, ({ key }) => key);
  const keys = [...groups.keys()].sort();
  return await db.transaction(async (tx) => {
    const rows = await lock(tx, keys);
    const bookings = rows.map(({ key, booked, expected, nowMs, heldMs }) => {
      const group = groups.get(key) ?? [];
      const earliestMs = Math.max(nowMs + Math.max(0, ...group.map(({ earliestInMs }) => earliestInMs)), heldMs);
      const { times, ...now } = bookNear(group[0]?.pace ?? 'SLACK', { booked, expected }, { nowMs, earliestMs, count: group.length });
      return { key, ...now, slots: times.map((time) => ({ ...time, inMs: time.at - nowMs })) };
    });
    await tx.query(
      `UPDATE destinations AS d SET booked = i.booked, expected = i.expected FROM json_to_recordset($1::json) AS i(key text, booked jsonb, expected bigint)
       WHERE d.key = i.key AND d.key = ANY($2::text[])`,
      [JSON.stringify(bookings.map(({ key, booked, expected }) => ({ key, booked, expected }))), keys],
    );
    return new Map(bookings.map(({ key, slots }) => [key, slots]));
  });
}

interface DestinationRow {
  key: string;
  booked: number[];
  expected: number;
  nowMs: number;
  /** 0: it is not held. */
  heldMs: number;
}

async function lock(tx: Sql, keys: readonly string[]): Promise<DestinationRow[]> {
  return await tx.query(
    `INSERT INTO destinations AS d (key) SELECT key FROM unnest($1::text[]) AS key ORDER BY key ON CONFLICT (key) DO UPDATE SET key = excluded.key
     RETURNING d.key, d.booked, d.expected, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS "nowMs",
       coalesce(floor(extract(epoch FROM d.held_until) * 1000), 0)::bigint AS "heldMs"`,
    [keys],
  );
}

/** What waits for a channel that now sends to another place has no slots there. */
export async function forgetSlots(tx: Sql, channelId: string): Promise<void> {
  await tx.query(
    `WITH slotted AS (SELECT id FROM deliveries WHERE channel_id = $1::uuid AND status = 'QUEUED' AND has_slot ORDER BY id FOR NO KEY UPDATE)
     UPDATE deliveries SET has_slot = false WHERE id = ANY(ARRAY(SELECT id FROM slotted))`,
    [channelId],
  );
}

/** Holds the destinations of these channels, those that are paced, until a time. Called in a transaction that locks nothing afterwards. */
export async function holdDestinations(tx: Sql, held: readonly { channelId: string; heldUntil: Date | null }[]): Promise<void> {
  const rows = held.filter(({ heldUntil: until }) => until !== null);
  if (rows.length === 0) return;
  await tx.query(
    `INSERT INTO destinations AS d (key, held_until)
     SELECT c.destination, max(i."heldUntil") FROM json_to_recordset($1::json) AS i("channelId" uuid, "heldUntil" timestamptz) JOIN channels AS c ON c.id = i."channelId"
     WHERE c.destination IS NOT NULL GROUP BY c.destination ORDER BY c.destination
     ON CONFLICT (key) DO UPDATE SET held_until = greatest(d.held_until, excluded.held_until)`,
    [JSON.stringify(rows)],
  );
}

/** Forgets destinations that nothing was booked of for a day, those that are being booked left alone. Returns how many. */
export async function forgetDestinations(sql: Sql): Promise<number> {
  const rows = await sql.query(
    `WITH over AS (
       SELECT key FROM destinations WHERE coalesce((booked->>-1)::numeric, 0) < extract(epoch FROM now() - interval '1 day') * 1000
         AND coalesce(held_until, now()) <= now() FOR UPDATE SKIP LOCKED
     )
     DELETE FROM destinations AS d USING over WHERE d.key = over.key RETURNING 1 AS gone`,
  );
  return rows.length;
}
