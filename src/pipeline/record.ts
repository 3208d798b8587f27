import type { Database, Sql } from '../db/database.ts';
import { lockProjectsShared } from '../db/locks.ts';
import type { AcceptedEvent } from '../domain/event.ts';
import type { Matcher } from '../domain/match.ts';
import { eventUrl } from '../domain/message.ts';
import { type FiredSubscription, planEvent } from '../domain/plan.ts';
import type { MatchSubscription } from '../domain/subscription.ts';
import type { Cooldowns } from './cooldowns.ts';
import type { Jobs } from './jobs.ts';
import { insertDeliveries, insertEvents, insertInboxItems, type PlannedDelivery, type PlannedItem } from './record-sql.ts';
import type { SubscriptionIndexes } from './subscription-index.ts';

/** Which events leave a row (spec 2): all, all but an unmatched task.succeeded, or those that match. */
export type EventHistory = 'problems' | 'all' | 'matched';

/** What became of one event. GONE: its project does not exist (any more). */
export type Recorded = { fate: 'ACCEPTED'; inboxItems: number; deliveries: number } | { fate: 'DUPLICATE' } | { fate: 'GONE' };

export interface Recording {
  /** Of the first of the events given, in their order: of as many as a transaction takes, one at least. */
  results: Recorded[];
  /** Users with new items. */
  userIds: string[];
  /** By project, the new deliveries. */
  deliveryIds: Map<string, string[]>;
  /** Subscriptions that fired. */
  subscriptionIds: string[];
}

export interface RecordDeps {
  db: Database;
  jobs: Jobs;
  indexes: SubscriptionIndexes;
  cooldowns: Cooldowns;
  history: EventHistory;
  /** Base of links where a project has none of its own. */
  publicUrl: string;
  now: () => number;
  newId: () => string;
}

export interface ProjectEvent {
  projectId: string;
  event: AcceptedEvent;
}

interface RecordProject {
  id: string;
  version: number;
  slug: string;
  dashboardUrl: string | null;
  taskUrlTemplate: string | null;
}

const PROJECTS = `
  SELECT id, rules_version AS version, slug, dashboard_url AS "dashboardUrl", task_url_template AS "taskUrlTemplate" FROM projects WHERE id = ANY($1::uuid[])`;

interface Candidate extends ProjectEvent {
  place: number;
  id: string;
  project: RecordProject;
  subscriptions: MatchSubscription[];
}

/**
 * Inbox rows a transaction (spec 2): bounds how long other writers of those inboxes wait. An event is never split. Counted by the rules in force, since those
 * at hand before may be of another time.
 */
const INBOX_ROWS_PER_TRANSACTION = 10_000;

/**
 * Records whole events in one transaction: event rows, cooldown claims, inbox items with their numbers, deliveries and their jobs. Matching is in memory;
 * what it used is compared with the rules' version under the projects' lock. An event of an id that is known changes nothing.
 */
export async function recordEvents(deps: RecordDeps, events: readonly ProjectEvent[]): Promise<Recording> {
  return await deps.db.transaction(async (tx) => {
    const now = new Date(deps.now());
    const { candidates, results } = await matchEvents(deps, tx, events, now.getTime());
    const stored = candidates.filter((candidate) => isStored(candidate, deps.history));
    const newIds = await insertEvents(tx, stored, now);
    const fresh = candidates.filter((candidate) => !isStored(candidate, deps.history) || newIds.has(candidate.id));
    const matched = fresh.filter((candidate) => candidate.subscriptions.length > 0);
    const fired = await deps.cooldowns.claim(tx, matched);
    const plan = planAll(deps, matched, fired);
    for (const candidate of fresh) results[candidate.place] = { fate: 'ACCEPTED', inboxItems: 0, deliveries: 0 };
    for (const { place, inboxItems, deliveries } of plan.counts) results[place] = { fate: 'ACCEPTED', inboxItems, deliveries };
    const jobs = plan.deliveries.map((delivery) => ({ id: delivery.jobId, deliveryId: delivery.id, channelId: delivery.channel.id, at: null }));
    await Promise.all([insertInboxItems(tx, plan.items, now), insertDeliveries(tx, plan.deliveries, now), deps.jobs.add(tx, jobs)]);
    return {
      results,
      userIds: [...new Set(plan.items.map((item) => item.userId))],
      deliveryIds: new Map(
        [...Map.groupBy(plan.deliveries, (delivery) => delivery.projectId)].map(([projectId, rows]) => [projectId, rows.map((row) => row.id)]),
      ),
      subscriptionIds: [...new Set(fired.flat().map(({ subscription }) => subscription.id))],
    };
  });
}

/** The first events, each id once, with what they match by the rules in force; `results` knows already which are of projects that are gone. */
async function matchEvents(
  deps: RecordDeps,
  tx: Sql,
  events: readonly ProjectEvent[],
  nowMs: number,
): Promise<{ candidates: Candidate[]; results: Recorded[] }> {
  const projectIds = [...new Set(events.map(({ projectId }) => projectId))];
  const locked = lockProjectsShared(tx, projectIds);
  const [rows] = await Promise.all([tx.query<RecordProject>(PROJECTS, [projectIds]), locked]);
  const projects = new Map<string, RecordProject & { index: Matcher }>();
  for (const project of rows) {
    projects.set(project.id, { ...project, index: await deps.indexes.at(tx, project.id, project.version) });
  }

  const seen = new Set<string>();
  const candidates: Candidate[] = [];
  const results: Recorded[] = [];
  let inboxRows = 0;
  for (const [place, { projectId, event }] of events.entries()) {
    const project = projects.get(projectId);
    const key = `${projectId} ${event.id}`;
    const subscriptions = project === undefined || seen.has(key) ? [] : project.index.match(event, nowMs);
    inboxRows += subscriptions.length;
    if (inboxRows > INBOX_ROWS_PER_TRANSACTION && inboxRows > subscriptions.length) break;
    results.push({ fate: project === undefined ? 'GONE' : 'DUPLICATE' });
    if (project !== undefined && !seen.has(key)) candidates.push({ projectId, event, place, id: deps.newId(), project, subscriptions });
    seen.add(key);
  }
  return { candidates, results };
}

function isStored({ subscriptions, event }: Candidate, history: EventHistory): boolean {
  return subscriptions.length > 0 || history === 'all' || (history === 'problems' && event.trigger !== 'task.succeeded');
}

interface Plan {
  items: PlannedItem[];
  deliveries: PlannedDelivery[];
  counts: { place: number; inboxItems: number; deliveries: number }[];
}

function planAll(deps: RecordDeps, matched: readonly Candidate[], fired: readonly FiredSubscription[][]): Plan {
  const plan: Plan = { items: [], deliveries: [], counts: [] };
  for (const [index, candidate] of matched.entries()) {
    const { inbox, deliveries } = planEvent(fired[index] ?? []);
    for (const item of inbox) plan.items.push({ ...item, projectId: candidate.projectId, eventRef: candidate.id });
    const { project, event, id: eventRef } = candidate;
    const url = deliveries.length > 0 ? eventUrl({ event, project, publicUrl: deps.publicUrl }) : '';
    for (const delivery of deliveries)
      plan.deliveries.push({ ...delivery, id: deps.newId(), jobId: deps.newId(), projectId: project.id, eventRef, event, url });
    plan.counts.push({ place: candidate.place, inboxItems: inbox.length, deliveries: deliveries.length });
  }
  return plan;
}
