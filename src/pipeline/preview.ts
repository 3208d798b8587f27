import type { Database } from '../db/database.ts';
import type { AcceptedEvent } from '../domain/event.ts';
import { cooldownKey, firstMiss } from '../domain/filter.ts';
import type { MatchReason, MatchSubscription } from '../domain/subscription.ts';
import { readSubscriptions } from './subscription-index.ts';

/** What an event would do now to one subscription. */
export interface Preview {
  subscription: MatchSubscription;
  reason: MatchReason;
  detail: string | null;
}

/** What the event would do now to each subscription of the project to its trigger, in the order in which the matcher looks at them. Writes nothing. */
export async function previewMatch(deps: { db: Database; now: () => number }, projectId: string, event: AcceptedEvent): Promise<Preview[]> {
  const all = await readSubscriptions(deps.db.sql, projectId, 'ALL');
  const subscriptions = all.filter((subscription) => subscription.trigger === event.trigger);
  const cooling = await readCooling(deps.db, subscriptions, event);
  return subscriptions.map((subscription) => {
    const miss = firstMiss(subscription, event, deps.now());
    const until = cooling.get(subscription.id);
    if (miss === 'FIRES' && until !== undefined) return { subscription, reason: 'COOLDOWN', detail: `cools down until ${until.toISOString()}` };
    return { subscription, reason: miss, detail: detailOf(miss, subscription) };
  });
}

/** Subscriptions whose cooldown, by the database's clock, would drop the event, with its end. */
async function readCooling(db: Database, subscriptions: readonly MatchSubscription[], event: AcceptedEvent): Promise<Map<string, Date>> {
  const counted = subscriptions.filter((subscription) => subscription.cooldownSeconds > 0);
  if (counted.length === 0) return new Map();
  const rows = await db.sql.query<{ id: string; until: Date }>(
    `SELECT k.id, c.last_fired_at + make_interval(secs => k.seconds) AS until
     FROM unnest($1::uuid[], $2::text[], $3::int[]) AS k(id, key, seconds) JOIN cooldowns AS c ON c.subscription_id = k.id AND c.key = k.key
     WHERE c.last_fired_at + make_interval(secs => k.seconds) > now()`,
    [counted.map((s) => s.id), counted.map((s) => cooldownKey(s, event)), counted.map((s) => s.cooldownSeconds)],
  );
  return new Map(rows.map((row) => [row.id, row.until]));
}

function detailOf(reason: MatchReason, subscription: MatchSubscription): string | null {
  switch (reason) {
    case 'MUTED':
      return subscription.mutedUntil === null ? null : `muted until ${new Date(subscription.mutedUntil).toISOString()}`;
    case 'PRIORITY':
      return `takes priorities from ${String(subscription.priorityMin ?? 'any')} to ${String(subscription.priorityMax ?? 'any')}`;
    case 'TASK_NAME':
      return 'the task name does not match the pattern';
    case 'QUEUE':
      return 'the queue is another one';
    default:
      return null;
  }
}
