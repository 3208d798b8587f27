import type { Database, Sql } from '../db/database.ts';
import type { Wakeups } from '../db/wakeups.ts';
import { type Attempt, type CancelReason, type DeliveryReason, type DeliveryStatus, foldHealth, type HealthChange, nextStep } from '../domain/delivery.ts';
import type { AnsweredRecipients, Outcome } from '../domain/outcome.ts';
import { disableChannel, noticeFailing, recipientsOf, SWITCHED_OFF_AFTER_MS } from './channel-trouble.ts';
import { lockInboxes } from './inbox-log.ts';
import type { ClaimedJob, Jobs, NewJob } from './jobs.ts';
import { holdDestinations } from './pacer.ts';

/** What a claimed job came to. STALE: its delivery needs it no more. POSTPONE: not attempted, again at `at`, a slot that was booked for it where `hasSlot`. GIVE_BACK: not attempted, due as before. */
export type Settlement = { job: ClaimedJob } & (
  | { kind: 'ATTEMPT'; attempt: AttemptMade }
  | { kind: 'CANCEL'; reason: CancelReason }
  | { kind: 'POSTPONE'; at: number; hasSlot: boolean }
  | { kind: 'GIVE_BACK' }
  | { kind: 'STALE' }
);

export interface AttemptMade {
  outcome: Outcome;
  /** Number of this attempt, from 1, over all rounds, and within the present round. */
  number: number;
  roundNumber: number;
  startedAt: number;
  endedAt: number;
  /** The channel after this attempt: attempts in a row that did not reach it, and when it is probed next. */
  unreachable: number;
  probeAt: number | null;
}

export interface SettleDeps {
  db: Database;
  jobs: Jobs;
  wakeups: Wakeups;
  now: () => number;
  newId: () => string;
  random: () => number;
}

interface Update {
  id: string;
  job_id: string;
  new_job_id: string | null;
  status: DeliveryStatus;
  reason: DeliveryReason | null;
  status_code: number | null;
  error: string | null;
  response_body: string | null;
  attempt: Attempt | null;
  next_attempt_at: Date | null;
  has_slot: boolean;
  finished_at: Date | null;
  recipients: AnsweredRecipients | null;
}

/**
 * Settles what became of claimed jobs, in one transaction: deliveries, their next jobs, channels' health, notices; the jobs themselves go, or go back. A
 * delivery that moved on under another job meanwhile is left as it is.
 */
export async function settle(deps: SettleDeps, settlements: readonly Settlement[]): Promise<void> {
  const updates = settlements.flatMap((settlement) => updateOf(deps, settlement));
  const health = foldAll(settlements);
  const failedChannels = failedChannelIds(settlements);
  const [givenBack, finished] = splitJobs(settlements);
  const { touched, expired, woken } = await deps.db.transaction(async (tx) => {
    const recipients = failedChannels.length > 0 ? await recipientsOf(tx, failedChannels) : [];
    if (recipients.length > 0)
      await lockInboxes(
        tx,
        recipients.map((recipient) => recipient.userId),
      );
    const [rows, expiredChannels] = await Promise.all([
      updateDeliveries(tx, updates),
      updateHealth(tx, health, deps.now()),
      deps.jobs.finish(tx, finished),
      deps.jobs.giveBack(tx, givenBack),
    ]);
    const users = failedChannels.length > 0 ? await noticeFailing(tx, failedChannels, recipients, deps.now()) : [];
    await deps.jobs.add(tx, nextJobs(settlements, updates, rows));
    await holdDestinations(tx, health);
    return { touched: rows, expired: expiredChannels, woken: users };
  });
  deps.wakeups.inbox(woken);
  for (const [projectId, rows] of Map.groupBy(touched, (row) => row.project_id))
    deps.wakeups.deliveries(
      projectId,
      rows.map((row) => row.id),
    );
  for (const channelId of goneChannelIds(settlements)) await disableChannel(deps, channelId, 'the receiver answered 410: it is gone for good');
  for (const channelId of expired) await disableChannel(deps, channelId, 'it only failed for five days');
}

/** Jobs that are given back, and those that are done with. */
function splitJobs(settlements: readonly Settlement[]): [givenBack: ClaimedJob[], finished: ClaimedJob[]] {
  const jobsOf = (isGivenBack: boolean): ClaimedJob[] => settlements.filter(({ kind }) => (kind === 'GIVE_BACK') === isGivenBack).map(({ job }) => job);
  return [jobsOf(true), jobsOf(false)];
}

function updateOf(deps: SettleDeps, settlement: Settlement): Update[] {
  const { job } = settlement;
  const base = {
    id: job.deliveryId,
    job_id: job.id,
    new_job_id: null,
    status_code: null,
    error: null,
    response_body: null,
    attempt: null,
    next_attempt_at: null,
    has_slot: false,
    finished_at: null,
    recipients: null,
  };
  switch (settlement.kind) {
    case 'GIVE_BACK':
    case 'STALE':
      return [];
    case 'CANCEL':
      return [{ ...base, status: 'CANCELLED', reason: settlement.reason, finished_at: new Date(deps.now()) }];
    case 'POSTPONE':
      return [{ ...base, status: 'QUEUED', reason: null, new_job_id: deps.newId(), next_attempt_at: new Date(settlement.at), has_slot: settlement.hasSlot }];
    case 'ATTEMPT':
      return [{ ...base, ...attemptColumns(deps, settlement.attempt) }];
  }
}

function attemptColumns(deps: SettleDeps, made: AttemptMade): Omit<Update, 'id' | 'job_id' | 'has_slot'> {
  const { outcome } = made;
  const next = nextStep(outcome, made.roundNumber, made.endedAt, deps.random());
  const said = outcome.outcome === 'DELIVERED' ? { reason: null, error: null, responseBody: null } : outcome;
  return {
    new_job_id: next.status === 'QUEUED' ? deps.newId() : null,
    status: next.status,
    reason: next.reason,
    status_code: outcome.statusCode,
    error: said.error,
    response_body: said.responseBody,
    attempt: {
      number: made.number,
      startedAt: new Date(made.startedAt).toISOString(),
      durationMs: Math.round(made.endedAt - made.startedAt),
      outcome: outcome.outcome,
      reason: said.reason,
      statusCode: outcome.statusCode,
      error: said.error,
      responseBody: said.responseBody,
    },
    next_attempt_at: next.status === 'QUEUED' ? new Date(next.nextAttemptAt) : null,
    finished_at: next.status === 'QUEUED' ? null : new Date(made.endedAt),
    recipients: outcome.recipients ?? null,
  };
}

interface TouchedRow {
  id: string;
  project_id: string;
  status: DeliveryStatus;
}

/** A postponed delivery keeps what its last attempt said. One that was cancelled meanwhile stays so, unless the receiver took it after all. */
async function updateDeliveries(tx: Sql, updates: readonly Update[]): Promise<TouchedRow[]> {
  if (updates.length === 0) return [];
  return await tx.query<TouchedRow>(
    `WITH input AS (
       SELECT * FROM json_to_recordset($1::json) AS i(id uuid, job_id uuid, new_job_id uuid, status text, reason text, status_code int, error text, response_body text, attempt jsonb,
         next_attempt_at timestamptz, has_slot boolean, finished_at timestamptz, recipients jsonb)
     ), locked AS (
       SELECT d.id FROM deliveries AS d JOIN input AS i ON i.id = d.id AND i.job_id = d.job_id WHERE d.id = ANY($2::uuid[]) ORDER BY d.id FOR NO KEY UPDATE OF d
     )
     UPDATE deliveries AS d SET
       status = CASE WHEN ${STAYS_CANCELLED} THEN d.status ELSE i.status END,
       reason = CASE WHEN ${STAYS_CANCELLED} OR ${POSTPONED} THEN d.reason ELSE i.reason END,
       finished_at = CASE WHEN ${STAYS_CANCELLED} THEN d.finished_at ELSE i.finished_at END,
       next_attempt_at = CASE WHEN ${STAYS_CANCELLED} THEN NULL ELSE i.next_attempt_at END,
       has_slot = i.has_slot AND NOT ${STAYS_CANCELLED},
       job_id = CASE WHEN ${STAYS_CANCELLED} THEN NULL ELSE i.new_job_id END,
       status_code = CASE WHEN i.attempt IS NULL THEN d.status_code ELSE i.status_code END,
       error = CASE WHEN i.attempt IS NULL THEN d.error ELSE i.error END,
       response_body = CASE WHEN i.attempt IS NULL THEN d.response_body ELSE i.response_body END,
       attempts = CASE WHEN i.attempt IS NULL THEN d.attempts ELSE d.attempts || i.attempt END,
       recipients = coalesce(i.recipients, d.recipients),
       attempt_count = d.attempt_count + (i.attempt IS NOT NULL)::int,
       round_attempts = d.round_attempts + (i.attempt IS NOT NULL)::int
     FROM input AS i JOIN locked ON locked.id = i.id WHERE d.id = i.id AND d.id = ANY($2::uuid[]) RETURNING d.id, d.project_id, d.status`,
    [JSON.stringify(updates), updates.map(({ id }) => id)],
  );
}

const STAYS_CANCELLED = `(d.status = 'CANCELLED' AND i.status <> 'SENT')`;
const POSTPONED = `(i.status = 'QUEUED' AND i.attempt IS NULL)`;

function nextJobs(settlements: readonly Settlement[], updates: readonly Update[], rows: readonly TouchedRow[]): NewJob[] {
  const queued = new Set(rows.filter((row) => row.status === 'QUEUED').map((row) => row.id));
  const channelOf = new Map(settlements.map(({ job }) => [job.deliveryId, job.channelId]));
  return updates.flatMap(({ id, new_job_id, next_attempt_at }) =>
    new_job_id !== null && queued.has(id)
      ? [{ id: new_job_id, deliveryId: id, channelId: channelOf.get(id) ?? '', at: next_attempt_at?.getTime() ?? null }]
      : [],
  );
}

function foldAll(settlements: readonly Settlement[]): HealthChange[] {
  const attempts = settlements.flatMap((settlement) => (settlement.kind === 'ATTEMPT' ? [{ channelId: settlement.job.channelId, ...settlement.attempt }] : []));
  return [...Map.groupBy(attempts, (attempt) => attempt.channelId)].map(([channelId, made]) => foldHealth(channelId, made));
}

/** Returns the channels that only failed for too long. */
async function updateHealth(tx: Sql, changes: readonly HealthChange[], nowMs: number): Promise<string[]> {
  if (changes.length === 0) return [];
  const rows = await tx.query<{ channel_id: string; failing_since: Date | null }>(
    `WITH input AS (
       SELECT * FROM json_to_recordset($1::json) AS i("channelId" uuid, "successAt" timestamptz, "failureAt" timestamptz, "failingSince" timestamptz, error text, failures int,
         unreachable int, "probeAt" timestamptz, "heldUntil" timestamptz)
     ), locked AS (
       SELECT h.channel_id FROM channel_health AS h JOIN input AS i ON i."channelId" = h.channel_id ORDER BY h.channel_id FOR NO KEY UPDATE OF h
     )
     UPDATE channel_health AS h SET
       last_success_at = greatest(h.last_success_at, i."successAt"),
       last_failure_at = greatest(h.last_failure_at, i."failureAt"),
       last_error = coalesce(i.error, h.last_error),
       consecutive_failures = i.failures + CASE WHEN i."successAt" IS NULL THEN h.consecutive_failures ELSE 0 END,
       failing_since = CASE WHEN i."successAt" IS NULL THEN coalesce(h.failing_since, i."failingSince") ELSE i."failingSince" END,
       noticed = h.noticed AND i."successAt" IS NULL,
       unreachable = i.unreachable,
       probe_at = i."probeAt",
       held_until = greatest(h.held_until, i."heldUntil")
     FROM input AS i JOIN locked ON locked.channel_id = i."channelId" WHERE h.channel_id = i."channelId" RETURNING h.channel_id, h.failing_since`,
    [JSON.stringify(changes)],
  );
  return rows.filter((row) => row.failing_since !== null && nowMs - row.failing_since.getTime() > SWITCHED_OFF_AFTER_MS).map((row) => row.channel_id);
}

/** Channels with a delivery that ends FAILED here: their owners may have to be told. */
function failedChannelIds(settlements: readonly Settlement[]): string[] {
  const failed = settlements.filter((s) => s.kind === 'ATTEMPT' && nextStep(s.attempt.outcome, s.attempt.roundNumber, 0, 0).status === 'FAILED');
  return [...new Set(failed.map(({ job }) => job.channelId))].sort();
}

function goneChannelIds(settlements: readonly Settlement[]): string[] {
  return [
    ...new Set(settlements.flatMap((s) => (s.kind === 'ATTEMPT' && s.attempt.outcome.outcome === 'FAILED' && s.attempt.outcome.gone ? [s.job.channelId] : []))),
  ];
}
