import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { openPglite, openPostgres } from '../../src/db/open.ts';
import type { WakeupListener, Wakeups } from '../../src/db/wakeups.ts';
import type { HttpPort, TargetCheck } from '../../src/domain/ports.ts';
import type { Role, Viewer } from '../../src/domain/viewer.ts';
import { AppError } from '../../src/lib/error.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { createKeyring, type Keyring } from '../../src/lib/seal.ts';
import { type Jobs, startJobs } from '../../src/pipeline/jobs.ts';
import { createChanges } from '../../src/service/change.ts';
import { type Channels, createChannels } from '../../src/service/channels.ts';
import { createDefaults, type Defaults } from '../../src/service/defaults.ts';
import type { ServiceDeps } from '../../src/service/deps.ts';
import { createMembers, type Members } from '../../src/service/members.ts';
import { createProjects, type Projects } from '../../src/service/projects.ts';
import { createSubscriptions, type Subscriptions } from '../../src/service/subscriptions.ts';
import { createTokens, type Tokens } from '../../src/service/tokens.ts';
import { createUsers, type Users } from '../../src/service/users.ts';
import { NO_MAIL } from '../channels/support.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { openTestDatabase } from '../support/database.ts';

/** Wake-ups as they were sent, for those who listen in the same process. */
export interface RecordedWakeups extends Wakeups {
  sent: { inbox: string[]; deliveries: [string, string[]][]; access: number };
  subscribe(listener: Partial<WakeupListener>): () => void;
}

export interface Bench extends Users, Projects, Members, Tokens, Channels, Subscriptions, Defaults {
  db: Database;
  clock: ManualClock;
  jobs: Jobs;
  keyring: Keyring;
  wakeups: RecordedWakeups;
  deps: ServiceDeps;
  /** What the egress guard answers. */
  guard: { answer: TargetCheck; asked: string[] };
  /** The instance admin that everything else is made by. */
  root: Viewer & { kind: 'user' };
}

/**
 * All services over a database of this file's own, an instance admin in it, and wake-ups counted anew for each test. Its members are set once tests run.
 * Where no delivery waits for anything, NO_JOBS spares the seconds that pg-boss takes to start.
 */
export function openBench(queue: 'JOBS' | 'NO_JOBS' = 'JOBS'): Bench {
  const bench = {} as Bench;
  let close: () => Promise<void>;

  beforeAll(async () => {
    const database = await openTestDatabase();
    const fail = (error: unknown): void => {
      throw error;
    };
    const db = database.url === null ? openPglite(database.pglite) : openPostgres(database.url, 8, fail);
    const jobs = queue === 'NO_JOBS' ? NO_JOBS : await startJobs('pool' in db ? { pool: db.pool } : { pglite: db.pglite }, db.sql, fail);
    const clock = createManualClock();
    const wakeups = recordWakeups();
    const keyring = createKeyring([{ id: 'k1', key: randomBytes(32) }]);
    const guard: Bench['guard'] = { answer: { ok: true }, asked: [] };
    const deps: ServiceDeps = { db, changes: createChanges({ db, wakeups }), jobs, clock, newId: uuidv7 };
    Object.assign(bench, { db, clock, jobs, keyring, wakeups, deps, guard });
    Object.assign(bench, createUsers(deps), createProjects(deps), createMembers(deps), createSubscriptions(deps), createDefaults(deps));
    Object.assign(bench, createTokens({ ...deps, randomBytes }), createChannels({ ...deps, keyring, http: scriptedGuard(guard), mail: NO_MAIL }));
    bench.root = await insertUser(bench, { isAdmin: true });
    close = async () => {
      await jobs.stop();
      await db.close();
      await database.drop();
    };
  });
  beforeEach(() => {
    bench.wakeups.sent = { inbox: [], deliveries: [], access: 0 };
    bench.guard.answer = { ok: true };
    bench.guard.asked = [];
  });
  afterAll(async () => {
    await close();
  });
  return bench;
}

let serial = 0;

/** A user who is there without any service. */
export async function insertUser({ db }: Bench, values: { isAdmin?: boolean; email?: string } = {}): Promise<Viewer & { kind: 'user' }> {
  serial += 1;
  const user = { id: uuidv7(), email: values.email ?? `user${String(serial)}@example.com`, name: `User ${String(serial)}`, isAdmin: values.isAdmin ?? false };
  await db.prisma.user.create({ data: { ...user, inbox: { create: {} } } });
  return { kind: 'user', userId: user.id, isAdmin: user.isAdmin, tokenId: null, expiresAt: null };
}

/** A project without any default subscription, and its members by role. */
export async function insertProject({ db }: Bench, members: readonly [Viewer & { kind: 'user' }, Role][] = []): Promise<string> {
  serial += 1;
  const id = uuidv7();
  const memberships = { create: members.map(([{ userId }, role]) => ({ userId, role })) };
  await db.prisma.project.create({ data: { id, slug: `project-${String(serial)}`, name: 'Project', memberships } });
  return id;
}

/** The viewer that an agent token of a project gives. */
export function agentOf(projectId: string): Viewer {
  return { kind: 'agent', projectId, tokenId: uuidv7(), expiresAt: null };
}

/** A name that no other test uses. */
export function freshName(what = 'name'): string {
  serial += 1;
  return `${what} ${String(serial)}`;
}

/** How a call was refused: its code, and the paths of its issues. Anything but a refusal is thrown. */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [error.code, ...(error.issues ?? []).map(({ path }) => path)].join(' ');
  }
  throw new Error('the call was not refused');
}

/** A delivery of a project that waits for these subscriptions, and its job. */
export async function insertDelivery(
  { db, jobs }: Bench,
  values: { projectId: string; channelId: string; subscriptionIds: readonly string[]; viewerId?: string },
): Promise<string> {
  const id = uuidv7();
  const jobId = uuidv7();
  const { viewerId, subscriptionIds, ...row } = values;
  const now = new Date();
  await db.prisma.delivery.create({
    data: {
      ...row,
      id,
      jobId,
      subscriptionIds: [...subscriptionIds],
      channelName: 'Channel',
      channelType: 'webhook',
      trigger: 'task.failed',
      status: 'QUEUED',
      queuedAt: now,
      createdAt: now,
    },
  });
  if (viewerId !== undefined) await db.prisma.deliveryViewer.create({ data: { userId: viewerId, deliveryId: id } });
  await db.transaction(async (tx) => {
    await jobs.add(tx, [{ id: jobId, deliveryId: id, channelId: values.channelId, at: null }]);
  });
  return id;
}

/** Status and reason of a delivery, and whether its job is there. */
export async function deliveryState({ db }: Bench, id: string): Promise<{ status: string; reason: string | null; hasJob: boolean } | null> {
  const row = await db.prisma.delivery.findUnique({ where: { id } });
  if (row === null) return null;
  const found = await db.sql.query(`SELECT 1 FROM pgboss.job WHERE data->>'deliveryId' = $1`, [id]);
  return { status: row.status, reason: row.reason, hasJob: found.length > 0 };
}

/** An inbox item of a project, unread. */
export async function insertItem({ db }: Bench, userId: string, projectId: string): Promise<number> {
  const [row] = await db.sql.query<{ head: number }>(
    'UPDATE inboxes SET head = head + 1, unread = unread + 1, unseen = unseen + 1 WHERE user_id = $1::uuid RETURNING head',
    [userId],
  );
  const seq = row?.head ?? 0;
  await db.prisma.inboxItem.create({ data: { userId, seq, kind: 'EVENT', reason: 'SUBSCRIBED', projectId, eventRef: uuidv7(), createdAt: new Date() } });
  return seq;
}

/** The version of a project's rules. */
export async function rulesVersion({ db }: Bench, projectId: string): Promise<number> {
  return Number((await db.prisma.project.findUniqueOrThrow({ where: { id: projectId } })).rulesVersion);
}

const refuse = (): Promise<never> => Promise.reject(new Error('this test has no jobs'));
const NO_JOBS: Jobs = {
  add: refuse,
  finish: refuse,
  giveBack: refuse,
  drop: (_, jobIds) => (jobIds.length === 0 ? Promise.resolve() : refuse()),
  claim: refuse,
  releaseAll: refuse,
  schedule: refuse,
  stop: () => Promise.resolve(),
};

function recordWakeups(): RecordedWakeups {
  const listeners = new Set<Partial<WakeupListener>>();
  const wakeups: RecordedWakeups = {
    sent: { inbox: [], deliveries: [], access: 0 },
    inbox: (userIds) => wakeups.sent.inbox.push(...userIds),
    deliveries: (projectId, ids) => wakeups.sent.deliveries.push([projectId, [...ids]]),
    jobs: () => {},
    access: () => {
      wakeups.sent.access += 1;
      for (const listener of listeners) listener.access?.();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return wakeups;
}

function scriptedGuard(guard: Bench['guard']): HttpPort {
  return {
    post: () => Promise.reject(new Error('services send nothing')),
    check: (url) => {
      guard.asked.push(url);
      return Promise.resolve(guard.answer);
    },
  };
}
