import type { Database, Sql } from '../db/database.ts';
import { admit } from '../domain/throttle.ts';
import { AppError } from '../lib/error.ts';

/** Who sends a test: each counts for itself. */
export interface Tester {
  userId: string;
  /** As domain/client-address.ts gives it. */
  address: string;
  /** Of a saved channel, or an edited config of one. */
  channelId: string | null;
}

/** Test sends a minute (spec 7). */
const WINDOW_MS = 60_000;
const USER_MAX = 20;
const ADDRESS_MAX = 20;
const CHANNEL_MAX = 5;

/**
 * Counts one test send, on all replicas together. Throws RATE_LIMITED, with the seconds after which there is room again, where the user, the address or the
 * channel has had as many as a minute may have: then it counts for none of them.
 */
export async function takeTest({ db, now }: { db: Database; now: () => number }, { userId, address, channelId }: Tester): Promise<void> {
  const limits = new Map([
    [`user:${userId}`, USER_MAX],
    [`address:${address}`, ADDRESS_MAX],
    ...(channelId === null ? [] : ([[`channel:${channelId}`, CHANNEL_MAX]] as const)),
  ]);
  await db.transaction(async (tx) => {
    const rows = await tx.query<{ key: string; hits: number[] }>(LOCK, [[...limits.keys()], new Date(now())]);
    const admissions = rows.map(({ key, hits }) => ({ key, admission: admit(hits, { max: limits.get(key) ?? 0, windowMs: WINDOW_MS }, now()) }));
    const waits = admissions.flatMap(({ admission }) => (admission.ok ? [] : [admission.retryAfterMs]));
    if (waits.length > 0) throw rateLimited('too many test sends within a minute', Math.max(...waits));
    const taken = admissions.flatMap(({ key, admission }) => (admission.ok ? [{ key, hits: admission.hits }] : []));
    await tx.query(
      'UPDATE test_throttles AS t SET hits = i.hits FROM json_to_recordset($1::json) AS i(key text, hits jsonb) WHERE t.key = i.key AND t.key = ANY($2::text[])',
      [JSON.stringify(taken), taken.map(({ key }) => key)],
    );
  });
}

/** RATE_LIMITED, with the whole seconds to wait. */
export function rateLimited(message: string, waitMs: number): AppError {
  return new AppError('RATE_LIMITED', message, { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) });
}

/** Locks the keys' rows in their order, made where they are missing. A refusal rolls the row's time back too. */
const LOCK = `
  INSERT INTO test_throttles AS t (key, hits, last_at) SELECT key, '[]', $2::timestamptz FROM unnest($1::text[]) AS key ORDER BY key
  ON CONFLICT (key) DO UPDATE SET last_at = greatest(t.last_at, excluded.last_at) RETURNING t.key, t.hits`;

/** Forgets whose last test no window holds any more. Returns how many. */
export async function forgetTests(sql: Sql, nowMs: number): Promise<number> {
  const rows = await sql.query(
    `WITH past AS (SELECT key FROM test_throttles WHERE last_at < $1::timestamptz FOR UPDATE SKIP LOCKED)
     DELETE FROM test_throttles AS t USING past WHERE t.key = past.key RETURNING 1 AS gone`,
    [new Date(nowMs - 2 * WINDOW_MS)],
  );
  return rows.length;
}
