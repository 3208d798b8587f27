import type { Sql } from '../db/database.ts';
import { createLiveIndex, type LiveIndex } from '../domain/live-index.ts';
import type { Matcher } from '../domain/match.ts';
import type { MatchChannel, MatchSubscription } from '../domain/subscription.ts';

export interface SubscriptionIndexes {
  /** The project's active subscriptions at exactly `version` of its rules: as at hand, brought up to it, or read by `sql`, which must hold the project's lock. */
  at(sql: Sql, projectId: string, version: number): Promise<Matcher>;
}

/** Projects whose index is kept; the one unused for longest goes first. */
const INDEXES_MAX = 10_000;
/** Versions whose changes are kept (rule_changes); an index that is further behind is read anew. */
const VERSIONS_KEPT = 10_000;

/** Keeps compiled subscriptions by project. Right across replicas, since each recording compares versions under the project's lock. */
export function createSubscriptionIndexes(): SubscriptionIndexes {
  const indexes = new Map<string, { version: number; index: LiveIndex }>();

  /** Two recordings may come here at once: both read the same, and what they put in place is the same. */
  async function broughtTo(sql: Sql, projectId: string, version: number): Promise<LiveIndex> {
    const known = indexes.get(projectId);
    if (known?.version === version) return known.index;
    if (known === undefined || known.version > version || version - known.version >= VERSIONS_KEPT)
      return createLiveIndex(await readSubscriptions(sql, projectId, 'ACTIVE'));
    // From its own version on: changes are noted under the version that they make, which may be that at hand where they came before it moved.
    const changes = await sql.query<{ id: string }>('SELECT DISTINCT subscription_id AS id FROM rule_changes WHERE project_id = $1::uuid AND version >= $2', [
      projectId,
      known.version,
    ]);
    const ids = changes.map(({ id }) => id);
    if (ids.length > known.index.size()) return createLiveIndex(await readSubscriptions(sql, projectId, 'ACTIVE'));
    known.index.update(ids, await readSubscriptions(sql, projectId, ids));
    return known.index;
  }

  return {
    at: async (sql, projectId, version) => {
      const index = await broughtTo(sql, projectId, version);
      indexes.delete(projectId);
      indexes.set(projectId, { version, index });
      if (indexes.size > INDEXES_MAX) indexes.delete(indexes.keys().next().value ?? '');
      return index;
    },
  };
}

/** Forgets changes that no index may ask for any more, those of projects that are gone with them. Returns how many. */
export async function forgetRuleChanges(sql: Sql): Promise<number> {
  const rows = await sql.query(
    `DELETE FROM rule_changes AS c WHERE NOT EXISTS (SELECT 1 FROM projects AS p WHERE p.id = c.project_id AND p.rules_version - c.version < ${String(VERSIONS_KEPT)})
     RETURNING 1 AS gone`,
  );
  return rows.length;
}

type SubscriptionRow = Omit<MatchSubscription, 'channels' | 'mutedUntil'> & { mutedUntil: Date | null };
type ChannelRow = MatchChannel & { subscriptionId: string };

/** The project's subscriptions as the matcher needs them, in the order of their ids: the active ones, all, or the active ones among these ids. */
export async function readSubscriptions(sql: Sql, projectId: string, which: 'ACTIVE' | 'ALL' | readonly string[]): Promise<MatchSubscription[]> {
  const wanted = typeof which === 'string' ? '($2::boolean OR s.is_active)' : 's.is_active AND s.id = ANY($2::uuid[])';
  const values = [projectId, typeof which === 'string' ? which === 'ALL' : which];
  const [subscriptions, channels] = await Promise.all([
    sql.query<SubscriptionRow>(
      `SELECT s.id, s.project_id AS "projectId", s.user_id AS "userId", s.user_id IS NULL OR m.user_id IS NOT NULL AS "isMember", s.trigger, s.is_active AS "isActive",
         s.in_app AS "inApp", s.is_default_copy AS "isDefaultCopy", s.priority_min AS "priorityMin", s.priority_max AS "priorityMax",
         s.task_name_pattern AS "taskNamePattern", s.queue, s.cooldown_seconds AS "cooldownSeconds", s.cooldown_by AS "cooldownBy", s.muted_until AS "mutedUntil"
       FROM subscriptions AS s LEFT JOIN memberships AS m ON m.project_id = s.project_id AND m.user_id = s.user_id
       WHERE s.project_id = $1::uuid AND ${wanted} ORDER BY s.id`,
      values,
    ),
    sql.query<ChannelRow>(
      `SELECT sc.subscription_id AS "subscriptionId", c.id, c.name, c.type, c.user_id AS "ownerUserId", c.is_active AS "isActive"
       FROM subscription_channels AS sc JOIN subscriptions AS s ON s.id = sc.subscription_id JOIN channels AS c ON c.id = sc.channel_id
       WHERE s.project_id = $1::uuid AND ${wanted} ORDER BY sc.subscription_id, c.id`,
      values,
    ),
  ]);
  const bySubscription = Map.groupBy(channels, (channel) => channel.subscriptionId);
  return subscriptions.map((row) => ({
    ...row,
    mutedUntil: row.mutedUntil?.getTime() ?? null,
    channels: bySubscription.get(row.id) ?? [],
  }));
}
