import type { Sql } from '../db/database.ts';
import type { AcceptedEvent } from '../domain/event.ts';
import { cooldownKey } from '../domain/filter.ts';
import type { FiredSubscription } from '../domain/plan.ts';
import type { MatchSubscription } from '../domain/subscription.ts';

/** An event with the subscriptions that it matches, cooldowns not yet looked at. */
export interface Match {
  event: AcceptedEvent;
  subscriptions: readonly MatchSubscription[];
}

export interface Cooldowns {
  /** Decides by cooldown which matches fire: for each match, in order, its fired subscriptions. Claims and counts in the same statement. */
  claim(tx: Sql, matches: readonly Match[]): Promise<FiredSubscription[][]>;
}

/** Keys a subscription keeps (spec 3); further ones share OVERFLOW_KEY. */
const KEYS_MAX = 10_000;
/** No task name or agent: those hold no NUL, and PostgreSQL takes no NUL, hence a newline at the front. */
const OVERFLOW_KEY = '\n…';
/** How long a count of keys is believed. */
const COUNT_MS = 60_000;

interface Claim {
  subscription: MatchSubscription;
  key: string;
  matches: number;
}

interface ClaimRow {
  subscription_id: string;
  key: string;
  fires: boolean;
  suppressed: number;
  since: Date | null;
}

/** Claims cooldowns: after a match fires, those less than cooldownSeconds after it, by the database's clock, are dropped and counted. */
export function createCooldowns(deps: { now: () => number; newId: () => string }): Cooldowns {
  const keyCounts = new Map<string, { keys: number; at: number }>();

  /** The keys of a subscription are counted now and then; where they are too many, those that it does not have yet share one. */
  async function boundKeys(tx: Sql, claims: readonly Claim[]): Promise<void> {
    const keyed = claims.filter((claim) => claim.key !== '');
    for (const [subscriptionId, mine] of Map.groupBy(keyed, (claim) => claim.subscription.id)) {
      let count = keyCounts.get(subscriptionId);
      if (count === undefined || deps.now() - count.at > COUNT_MS || count.keys + mine.length > KEYS_MAX) {
        count = { keys: await countKeys(tx, subscriptionId), at: deps.now() };
        keyCounts.set(subscriptionId, count);
      }
      if (count.keys + mine.length > KEYS_MAX) await shareKeys(tx, mine);
      else count.keys += mine.length;
    }
  }

  return {
    claim: async (tx, matches) => {
      const claims = new Map<string, Claim>();
      for (const { event, subscriptions } of matches) {
        for (const subscription of subscriptions) {
          if (subscription.cooldownSeconds === 0) continue;
          const key = cooldownKey(subscription, event);
          const id = `${subscription.id} ${key}`;
          const claim = claims.get(id) ?? { subscription, key, matches: 0 };
          claims.set(id, claim);
          claim.matches += 1;
        }
      }
      if (claims.size > 0) await boundKeys(tx, [...claims.values()]);
      const rows = claims.size > 0 ? await claimRows(tx, [...claims.values()], deps.newId()) : new Map<string, ClaimRow>();
      return matches.map(({ event, subscriptions }) =>
        subscriptions.flatMap((subscription) => fire(subscription, claims.get(`${subscription.id} ${cooldownKey(subscription, event)}`), rows)),
      );
    },
  };
}

/** The first match of a claim that fires takes it; all later ones of the same batch are dropped, as the statement has counted them. */
function fire(subscription: MatchSubscription, claim: Claim | undefined, rows: Map<string, ClaimRow>): FiredSubscription[] {
  if (subscription.cooldownSeconds === 0) return [{ subscription, suppressed: null }];
  const row = claim && rows.get(`${subscription.id} ${claim.key}`);
  if (!row?.fires) return [];
  row.fires = false;
  return [{ subscription, suppressed: row.suppressed > 0 && row.since !== null ? { count: row.suppressed, since: row.since.getTime() } : null }];
}

async function claimRows(tx: Sql, claims: readonly Claim[], claimId: string): Promise<Map<string, ClaimRow>> {
  const totals = new Map<string, { subscription_id: string; key: string; n: number }>();
  for (const { subscription, key, matches } of claims) {
    const id = `${subscription.id} ${key}`;
    const total = totals.get(id) ?? { subscription_id: subscription.id, key, n: 0 };
    totals.set(id, total);
    total.n += matches;
  }
  const rows = await tx.query<ClaimRow>(CLAIM, [JSON.stringify([...totals.values()]), claimId]);
  return new Map(rows.map((row) => [`${row.subscription_id} ${row.key}`, row]));
}

const IS_OVER = `c.last_fired_at + make_interval(secs => (SELECT cooldown_seconds FROM subscriptions WHERE id = c.subscription_id)) <= now()`;

/** Rows in the order of their keys, so that two batches never wait for each other in a ring. A new row fires. */
const CLAIM = `
  INSERT INTO cooldowns AS c (subscription_id, key, last_fired_at, suppressed, claim, claim_suppressed, claim_since)
  SELECT subscription_id, key, now(), n - 1, $2::uuid, 0, NULL
  FROM json_to_recordset($1::json) AS m(subscription_id uuid, key text, n int) ORDER BY subscription_id, key
  ON CONFLICT (subscription_id, key) DO UPDATE SET
    last_fired_at = CASE WHEN ${IS_OVER} THEN now() ELSE c.last_fired_at END,
    suppressed = CASE WHEN ${IS_OVER} THEN excluded.suppressed ELSE c.suppressed + excluded.suppressed + 1 END,
    claim = CASE WHEN ${IS_OVER} THEN excluded.claim ELSE c.claim END,
    claim_suppressed = CASE WHEN ${IS_OVER} THEN c.suppressed ELSE c.claim_suppressed END,
    claim_since = CASE WHEN ${IS_OVER} THEN c.last_fired_at ELSE c.claim_since END
  RETURNING subscription_id, key, claim = $2::uuid AS fires, claim_suppressed AS suppressed, claim_since AS since`;

async function countKeys(tx: Sql, subscriptionId: string): Promise<number> {
  const [row] = await tx.query<{ n: number }>('SELECT count(*)::int AS n FROM cooldowns WHERE subscription_id = $1::uuid', [subscriptionId]);
  return row?.n ?? 0;
}

async function shareKeys(tx: Sql, claims: readonly Claim[]): Promise<void> {
  const [first] = claims;
  if (first === undefined) return;
  const rows = await tx.query<{ key: string }>('SELECT key FROM cooldowns WHERE subscription_id = $1::uuid AND key = ANY($2::text[])', [
    first.subscription.id,
    claims.map((claim) => claim.key),
  ]);
  const known = new Set(rows.map((row) => row.key));
  for (const claim of claims) if (!known.has(claim.key)) claim.key = OVERFLOW_KEY;
}

/**
 * Forgets keyed rows that hold nothing any more: long over, with no dropped match to tell of. Those that a recording is claiming at this moment are left
 * alone: it locks them in the order of their keys, which a deletion does not keep. Returns how many.
 */
export async function forgetCooldowns(sql: Sql): Promise<number> {
  const rows = await sql.query(
    `WITH over AS (
       SELECT c.subscription_id, c.key FROM cooldowns AS c JOIN subscriptions AS s ON s.id = c.subscription_id
       WHERE c.key <> '' AND c.suppressed = 0 AND c.last_fired_at + make_interval(secs => s.cooldown_seconds) < now() - interval '1 day' FOR UPDATE OF c SKIP LOCKED
     )
     DELETE FROM cooldowns AS c USING over WHERE c.subscription_id = over.subscription_id AND c.key = over.key RETURNING 1 AS gone`,
  );
  return rows.length;
}
