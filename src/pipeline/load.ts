import type { Sql } from '../db/database.ts';
import type { AnsweredRecipients } from '../domain/outcome.ts';
import type { Pace } from '../domain/pacing.ts';
import type { Trigger } from '../domain/trigger.ts';
import type { JsonObject } from '../lib/json.ts';
import { STANDS } from './cancel.ts';
import type { ClaimedJob } from './jobs.ts';

/** A delivery with all that an attempt needs, as it is in the database now. */
export interface LoadedDelivery {
  id: string;
  eventRef: string;
  attemptCount: number;
  roundAttempts: number;
  queuedAt: Date;
  suppressedCount: number;
  suppressedSince: Date | null;
  url: string | null;
  /** Whether its time is a slot of its destination, and how long ago that was, in milliseconds. */
  hasSlot: boolean;
  lateMs: number;
  /** Of a mail: who was answered for good; null where nobody was yet. */
  recipients: AnsweredRecipients | null;
  /** Whether one of its subscriptions still stands: it exists, is active, and its owner is a member. */
  stands: boolean;
  project: { id: string; slug: string } | null;
  channel: LoadedChannel | null;
  event: LoadedEvent | null;
}

export interface LoadedChannel {
  id: string;
  type: string;
  config: unknown;
  /** Sealed. */
  secrets: string;
  version: number;
  /** What it sends to, and how fast that may be; null where it is not paced. */
  destination: string | null;
  pace: Pace | null;
  isActive: boolean;
  lastSuccessAt: Date | null;
  unreachable: number;
  probeAt: Date | null;
  heldUntil: Date | null;
}

export interface LoadedEvent {
  eventId: string;
  trigger: Trigger;
  occurredAt: Date | null;
  acceptedAt: Date;
  taskId: string | null;
  taskName: string | null;
  queue: string | null;
  engine: string | null;
  priority: number | null;
  state: string | null;
  agent: string | null;
  runtimeMs: number | null;
  exception: string | null;
  traceback: string | null;
  data: JsonObject | null;
}

/** Loads the deliveries of these jobs, by delivery id. One that is missing is no longer queued, or queued under another job: its job is stale. */
export async function loadDeliveries(sql: Sql, jobs: readonly ClaimedJob[]): Promise<Map<string, LoadedDelivery>> {
  const rows = await sql.query<LoadedRow>(LOAD, [jobs.map((job) => job.deliveryId), jobs.map((job) => job.id)]);
  return new Map(rows.map((row) => [row.id, nest(row)]));
}

const LOAD = `
  SELECT d.id, d.event_ref AS "eventRef", d.attempt_count AS "attemptCount", d.round_attempts AS "roundAttempts", d.queued_at AS "queuedAt",
    d.suppressed_count AS "suppressedCount", d.suppressed_since AS "suppressedSince", d.url,
    d.has_slot AS "hasSlot", (extract(epoch FROM clock_timestamp() - d.next_attempt_at) * 1000)::float8 AS "lateMs", d.recipients,
    ${STANDS} AS stands,
    p.id AS "projectId", p.slug,
    c.id AS "channelId", c.type, c.config, c.secrets, c.version, c.destination, c.pace, c.is_active AS "isActive",
    h.last_success_at AS "lastSuccessAt", coalesce(h.unreachable, 0) AS unreachable, h.probe_at AS "probeAt", greatest(h.held_until, w.held_until) AS "heldUntil",
    e.event_id AS "eventId", e.trigger, e.occurred_at AS "occurredAt", e.accepted_at AS "acceptedAt", e.task_id AS "taskId", e.task_name AS "taskName", e.queue, e.engine,
    e.priority, e.state, e.agent, e.runtime_ms AS "runtimeMs", e.exception, e.traceback, e.data
  FROM unnest($1::uuid[], $2::uuid[]) AS j(delivery_id, job_id)
  CROSS JOIN LATERAL (SELECT * FROM deliveries WHERE id = j.delivery_id OFFSET 0) AS d
  LEFT JOIN projects AS p ON p.id = d.project_id LEFT JOIN channels AS c ON c.id = d.channel_id LEFT JOIN channel_health AS h ON h.channel_id = d.channel_id
  LEFT JOIN destinations AS w ON w.key = c.destination
  LEFT JOIN LATERAL (SELECT * FROM events WHERE id = d.event_ref OFFSET 0) AS e ON true
  WHERE d.job_id = j.job_id AND d.status = 'QUEUED'`;

type Nullable<T> = { [K in keyof T]: T[K] | null };
type ProjectColumns = Nullable<{ projectId: string; slug: string }>;
type ChannelColumns = Nullable<Omit<LoadedChannel, 'id'> & { channelId: string }>;
type LoadedRow = Omit<LoadedDelivery, 'project' | 'channel' | 'event'> & ProjectColumns & ChannelColumns & Nullable<LoadedEvent>;

/** Columns of a LEFT JOIN are all there or all null, as their key says. */
function nest(row: LoadedRow): LoadedDelivery {
  const { id, eventRef, attemptCount, roundAttempts, queuedAt, suppressedCount, suppressedSince, url, hasSlot, lateMs, recipients, stands } = row;
  const { projectId, slug, channelId, type, config, secrets, version, destination, pace, isActive, lastSuccessAt, unreachable, probeAt, heldUntil } = row;
  const project = projectId === null || slug === null ? null : { id: projectId, slug };
  const channel =
    channelId === null || type === null || secrets === null
      ? null
      : {
          id: channelId,
          type,
          config,
          secrets,
          version: version ?? 0,
          destination,
          pace,
          isActive: isActive ?? false,
          lastSuccessAt,
          unreachable: unreachable ?? 0,
          probeAt,
          heldUntil,
        };
  const { eventId, trigger, occurredAt, acceptedAt, taskId, taskName, queue, engine, priority, state, agent, runtimeMs, exception, traceback, data } = row;
  const event =
    eventId === null || trigger === null || acceptedAt === null
      ? null
      : { eventId, trigger, occurredAt, acceptedAt, taskId, taskName, queue, engine, priority, state, agent, runtimeMs, exception, traceback, data };
  return {
    id,
    eventRef,
    attemptCount,
    roundAttempts,
    queuedAt,
    suppressedCount,
    suppressedSince,
    url,
    hasSlot,
    lateMs,
    recipients,
    stands,
    project,
    channel,
    event,
  };
}
