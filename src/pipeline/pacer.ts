import type { Database, Sql } from '../db/database.ts';
import { bookSlots, type Pace } from '../domain/pacing.ts';
import { heldUntil } from './channel-memory.ts';
import type { LoadedChannel, LoadedDelivery } from './load.ts';

/** `at`: epoch milliseconds by the database's clock, which is one for all replicas; `inMs`: how far off that was. */
export interface Slot {
  at: number;
  inMs: number;
}

interface Paced {
  key: string;
  pace: Pace;
  /** Not earlier than in so many milliseconds. */
  earliestInMs: number;
}

interface Sendable {
  delivery: LoadedDelivery;
  channel: LoadedChannel;
}

/** A slot that passed so long ago is lost: others have the next ones. */
const LATE_MS = 1_000;

/** Slots for what is about to be sent, in its order: null where it may go as it is, because its channel is not paced, or this is its slot. */
export async function slotsFor(db: Database, entries: readonly Sendable[], nowMs: number): Promise<(Slot | null)[]> {
  const wanted = entries.map((entry) => pacedOf(entry, nowMs));
  const byKey = await book(
    db,
    wanted.filter((paced) => paced !== null),
  );
  return wanted.map((paced) => (paced === null ? null : (byKey.get(paced.key)?.shift() ?? null)));
}

function pacedOf({ delivery: { hasSlot, lateMs }, channel }: Sendable, nowMs: number): Paced | null {
  const { destination, pace } = channel;
  if (destination === null || pace === null) return null;
  const until = heldUntil(channel, nowMs);
  if (until === null && hasSlot && lateMs < LATE_MS) return null;
  return { key: destination, pace, earliestInMs: until === null ? 0 : until - nowMs };
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
    const added = tx.query('INSERT INTO destinations (key) SELECT key FROM unnest($1::text[]) AS key ORDER BY key ON CONFLICT DO NOTHING', [keys]);
    const [rows] = await Promise.all([lock(tx, keys), added]);
    const bookings = rows.map(({ key, booked, nowMs, heldMs }) => {
      const group = groups.get(key) ?? [];
      const earliestMs = Math.max(nowMs + Math.max(0, ...group.map(({ earliestInMs }) => earliestInMs)), heldMs);
      return { key, nowMs, ...bookSlots(group[0]?.pace ?? 'SLACK', booked, earliestMs, group.length) };
    });
    await tx.query('UPDATE destinations AS d SET booked = i.booked FROM json_to_recordset($1::json) AS i(key text, booked jsonb) WHERE d.key = i.key', [
      JSON.stringify(bookings.map(({ key, booked }) => ({ key, booked }))),
    ]);
    return new Map(bookings.map(({ key, slots, nowMs }) => [key, slots.map((at) => ({ at, inMs: at - nowMs }))]));
  });
}

interface DestinationRow {
  key: string;
  booked: number[];
  nowMs: number;
  /** 0: it is not held. */
  heldMs: number;
}

async function lock(tx: Sql, keys: readonly string[]): Promise<DestinationRow[]> {
  return await tx.query(
    `SELECT key, booked, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS "nowMs",
       coalesce(floor(extract(epoch FROM held_until) * 1000), 0)::bigint AS "heldMs"
     FROM destinations WHERE key = ANY($1::text[]) ORDER BY key FOR NO KEY UPDATE`,
    [keys],
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
