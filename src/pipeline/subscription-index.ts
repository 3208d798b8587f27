import type { Sql } from '../db/database.ts';
import { createMatchIndex, type MatchIndex } from '../domain/match.ts';
import type { MatchChannel, MatchSubscription } from '../domain/subscription.ts';

/** A project's active subscriptions, compiled, and the rules' version that they are of. */
export interface ProjectIndex {
  version: number;
  index: MatchIndex;
}

export interface SubscriptionIndexes {
  /** The index of exactly `version`: that at hand, or one read by `sql`, which must hold the project's lock. */
  at(sql: Sql, projectId: string, version: number): Promise<ProjectIndex>;
}

/** Projects whose index is kept; the one unused for longest goes first. */
const INDEXES_MAX = 10_000;

/** Keeps compiled subscriptions by project. Right across replicas, since each recording compares versions under the project's lock. */
export function createSubscriptionIndexes(): SubscriptionIndexes {
  const indexes = new Map<string, ProjectIndex>();

  return {
    at: async (sql, projectId, version) => {
      const known = indexes.get(projectId);
      indexes.delete(projectId);
      const current = known?.version === version ? known : { version, index: createMatchIndex(await readSubscriptions(sql, projectId, 'ACTIVE')) };
      indexes.set(projectId, current);
      if (indexes.size > INDEXES_MAX) indexes.delete(indexes.keys().next().value ?? '');
      return current;
    },
  };
}

type SubscriptionRow = Omit<MatchSubscription, 'channels' | 'mutedUntil'> & { mutedUntil: Date | null };
type ChannelRow = MatchChannel & { subscriptionId: string };

/** The project's subscriptions as the matcher needs them, in the order of their ids. */
export async function readSubscriptions(sql: Sql, projectId: string, which: 'ACTIVE' | 'ALL'): Promise<MatchSubscription[]> {
  const subscriptions = await sql.query<SubscriptionRow>(
    `SELECT s.id, s.project_id AS "projectId", s.user_id AS "userId", s.user_id IS NULL OR m.user_id IS NOT NULL AS "isMember", s.trigger, s.is_active AS "isActive",
       s.in_app AS "inApp", s.is_default_copy AS "isDefaultCopy", s.priority_min AS "priorityMin", s.priority_max AS "priorityMax",
       s.task_name_pattern AS "taskNamePattern", s.queue, s.cooldown_seconds AS "cooldownSeconds", s.cooldown_by AS "cooldownBy", s.muted_until AS "mutedUntil"
     FROM subscriptions AS s LEFT JOIN memberships AS m ON m.project_id = s.project_id AND m.user_id = s.user_id
     WHERE s.project_id = $1::uuid AND ($2::boolean OR s.is_active) ORDER BY s.id`,
    [projectId, which === 'ALL'],
  );
  const channels = await sql.query<ChannelRow>(
    `SELECT sc.subscription_id AS "subscriptionId", c.id, c.name, c.type, c.user_id AS "ownerUserId", c.is_active AS "isActive"
     FROM subscription_channels AS sc JOIN subscriptions AS s ON s.id = sc.subscription_id JOIN channels AS c ON c.id = sc.channel_id
     WHERE s.project_id = $1::uuid AND ($2::boolean OR s.is_active) ORDER BY sc.subscription_id, c.id`,
    [projectId, which === 'ALL'],
  );
  const bySubscription = Map.groupBy(channels, (channel) => channel.subscriptionId);
  return subscriptions.map((row) => ({
    ...row,
    mutedUntil: row.mutedUntil?.getTime() ?? null,
    channels: bySubscription.get(row.id) ?? [],
  }));
}
