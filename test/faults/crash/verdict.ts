import { globalId } from '../../../src/lib/global-id.ts';
import type { HeldRequest } from '../../support/holding-receiver.ts';
import type { Query } from '../../support/server-process.ts';
import { type Life, USERS, WEBHOOKS } from './world.ts';

export interface Evidence {
  eventIds: readonly string[];
  lives: readonly Life[];
  requests: readonly HeldRequest[];
}

/** What the database and the receivers say of a run. The lists name what is wrong, and are empty where nothing is. */
export interface Verdict {
  /** Event and channel of which there is not exactly one delivery, SENT, whose last attempt alone was taken. */
  badDeliveries: string[];
  /** Events that are not in every user's inbox exactly once. */
  badItems: string[];
  /** Users whose log has gaps or whose counts are not those of their items. */
  badInboxes: unknown[];
  /** Event and receiver that got more than one webhook-id, or none. */
  badIds: string[];
  /** Requests beyond those that an attempt or a kill accounts for. */
  unexplained: string[];
  /** Requests of a delivery beyond its first. */
  duplicates: number;
  /** Sends that a kill left without a known ending. */
  inFlight: number;
  /** Attempts that the server saw fail: none where the machine never stalls for longer than a send may take. */
  failures: number;
  /** The longest time from a kill to the next try of what was in flight. */
  waitMsMax: number;
  jobsLeft: number;
}

interface DeliveryRow {
  id: string;
  event_id: string;
  channel_name: string;
  status: string;
  attempts: { startedAt: string; outcome: string }[];
}

/** What was answered this long before a kill must have been settled. */
const SETTLED_WITHIN_MS = 5_000;

/** Compares what was accepted, delivered and received. */
export async function judge(evidence: Evidence, query: Query): Promise<Verdict> {
  const rows = await query<DeliveryRow>('SELECT id, event_id, channel_name, status, attempts FROM deliveries');
  const received = Map.groupBy(evidence.requests, (request) => request.webhookId);
  const accounts = rows.map((row) => account(row, received.get(globalId('Delivery', row.id)) ?? [], evidence.lives));
  const sent = Map.groupBy(rows.filter(isSentOnce), (row) => `${row.event_id} /${row.channel_name}`);
  const wanted = evidence.eventIds.flatMap((id) => WEBHOOKS.map((path) => `${id} ${path}`));
  const webhookIds = Map.groupBy(evidence.requests, ({ eventId, path }) => `${eventId} ${path}`);
  const [jobs] = await query<{ n: number }>(`SELECT count(*)::int AS n FROM pgboss.job WHERE name = 'deliver'`);
  return {
    badDeliveries: wanted.filter((key) => sent.get(key)?.length !== 1).concat(rows.length === wanted.length ? [] : [`${rows.length} deliveries`]),
    badItems: await badItems(evidence.eventIds, query),
    badInboxes: await query(BAD_INBOXES),
    badIds: wanted.filter((key) => new Set(webhookIds.get(key)?.map(({ webhookId }) => webhookId)).size !== 1),
    unexplained: accounts.flatMap(({ unexplained }) => unexplained),
    duplicates: evidence.requests.length - received.size,
    inFlight: sum(accounts.map(({ waitsMs }) => waitsMs.length)),
    failures: sum(rows.map(({ attempts }) => attempts.length - 1)),
    waitMsMax: Math.max(0, ...accounts.flatMap(({ waitsMs }) => waitsMs)),
    jobsLeft: jobs?.n ?? 0,
  };
}

function isSentOnce({ status, attempts }: DeliveryRow): boolean {
  return status === 'SENT' && attempts.findIndex(({ outcome }) => outcome === 'DELIVERED') === attempts.length - 1;
}

/** Who sent what of one delivery: within a life, every request is an attempt that was settled, but for one that the kill cut short. */
function account(row: DeliveryRow, requests: readonly HeldRequest[], lives: readonly Life[]): { unexplained: string[]; waitsMs: number[] } {
  const unexplained: string[] = [];
  const waitsMs: number[] = [];
  for (const [index, life] of lives.entries()) {
    const isIn = (at: number): boolean => at >= life.startedAt && at < (lives[index + 1]?.startedAt ?? Number.POSITIVE_INFINITY);
    const own = requests.filter(({ at }) => isIn(at));
    const unsettled = own.length - row.attempts.filter(({ startedAt }) => isIn(Date.parse(startedAt))).length;
    if (unsettled <= 0) continue;
    const kill = life.kill;
    const last = own.at(-1);
    const next = requests.find(({ at }) => at > (last?.at ?? 0));
    const isCutShort = kill !== null && unsettled === 1 && (last?.answeredAt == null || kill.at - last.answeredAt < SETTLED_WITHIN_MS);
    if (kill === null || next === undefined || !isCutShort) unexplained.push(`${row.event_id} ${row.channel_name}, life ${index + 1}`);
    else waitsMs.push(next.at - kill.at);
  }
  return { unexplained, waitsMs };
}

async function badItems(eventIds: readonly string[], query: Query): Promise<string[]> {
  const rows = await query<{ event_id: string; items: number; users: number }>(
    `SELECT e.event_id, count(i.seq)::int AS items, count(DISTINCT i.user_id)::int AS users
     FROM events AS e LEFT JOIN inbox_items AS i ON i.event_ref = e.id GROUP BY e.id, e.event_id`,
  );
  const right = new Set(rows.filter(({ items, users }) => items === USERS && users === USERS).map((row) => row.event_id));
  return eventIds.filter((id) => !right.has(id)).concat(rows.length === eventIds.length ? [] : [`${rows.length} events`]);
}

const BAD_INBOXES = `
  SELECT b.user_id, b.head::int, b.unread, count(i.seq)::int AS items, max(i.seq)::int AS newest FROM inboxes AS b LEFT JOIN inbox_items AS i ON i.user_id = b.user_id
  GROUP BY b.user_id HAVING b.head <> count(i.seq) OR b.unread <> count(i.seq) OR b.unseen <> count(i.seq) OR b.head <> coalesce(max(i.seq), 0)`;

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
