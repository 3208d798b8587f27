import type { CompiledChannel } from '../channels/channel.ts';
import type { StoredConfig } from '../channels/config.ts';
import type { Send } from '../channels/send.ts';
import { sqlOf } from '../db/open.ts';
import type { Attempt } from '../domain/delivery.ts';
import { type Outcome, outcomeOfBadConfig } from '../domain/outcome.ts';
import type { HttpPort, MailPort } from '../domain/ports.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { Channel } from '../generated/prisma/client.ts';
import { AppError, badInput, notFound } from '../lib/error.ts';
import type { Keyring } from '../lib/seal.ts';
import { rateLimited, takeTest } from '../pipeline/test-throttle.ts';
import { requireInProject, requireUser } from './access.ts';
import { type ConfigInput, compileConfig, kindOf, openConfig, prepareConfig } from './channel-config.ts';
import type { ServiceDeps } from './deps.ts';
import { findManagedChannel } from './managed-channel.ts';
import { type TestProject, testMessage } from './test-message.ts';
import { visibleChannels } from './visible.ts';

/** Who asks for a test, and from where (domain/client-address.ts). */
export interface TestCaller {
  viewer: Viewer;
  address: string;
}

export interface TestConfigInput {
  projectId?: string | null;
  /** The config is laid over this channel's, by the rules of an update. */
  channelId?: string | null;
  config: ConfigInput;
}

/** What the receiver said: a refusal is a result. Texts are cleared of secrets and cut like an attempt's. */
export interface TestResult {
  success: boolean;
  statusCode: number | null;
  error: string | null;
  responseBody: string | null;
  durationMs: number;
}

/**
 * Test sends (spec 7): canned content through the real channel, once, whatever the channel's pacing and health, which it leaves alone. Throws RATE_LIMITED
 * where the destination is held by its provider, or where the user, the address or the channel has had enough tests for this minute.
 */
export interface TestSends {
  /** Through a saved channel, active or not; one delivery tells of it afterwards. */
  testChannel(caller: TestCaller, input: { id: string }): Promise<TestResult>;
  /** Through a config that is not saved; nothing is written. */
  testChannelConfig(caller: TestCaller, input: TestConfigInput): Promise<TestResult>;
  /** Resolves when what is under way is answered, or after 3 s, and then no later ending is written. */
  stop(): Promise<void>;
}

interface TestSendsDeps extends ServiceDeps {
  http: HttpPort;
  mail: MailPort;
  keyring: Keyring;
  send: Send;
  publicUrl: string;
  /** DISPATCH=hold: nothing leaves this server. */
  isHeld: boolean;
}

/** After the front has stopped, which waits itself: of the 15 s that stopping may take. */
const STOP_GRACE_MS = 3_000;

export function createTestSends(deps: TestSendsDeps): TestSends {
  const { db, changes, clock, newId, keyring, publicUrl } = deps;
  const underWay = new Set<Promise<unknown>>();
  let isStopped = false;

  /** Counts the test, so that what follows may ask the network. */
  async function admit({ viewer, address }: TestCaller, channelId: string | null): Promise<void> {
    if (deps.isHeld) throw new AppError('CONFLICT', 'this server sends nothing: it runs with DISPATCH=hold');
    await takeTest({ db, now: () => clock.now() }, { userId: requireUser(viewer), address, channelId });
  }

  async function requireNotHeld(channelId: string): Promise<void> {
    const health = await db.prisma.channelHealth.findUnique({ where: { channelId }, select: { heldUntil: true } });
    const waitMs = (health?.heldUntil?.getTime() ?? 0) - clock.now();
    if (waitMs > 0) throw rateLimited('the provider asked to wait before more is sent there', waitMs);
  }

  async function projectOf(projectId: string | null, path: string): Promise<TestProject | null> {
    if (projectId === null) return null;
    const project = await db.prisma.project.findUnique({ where: { id: projectId }, select: { id: true, slug: true, dashboardUrl: true } });
    if (project === null) throw notFound(path, 'project');
    return project;
  }

  async function attempt(compiled: ReturnType<typeof compileConfig>, deliveryId: string, project: TestProject | null): Promise<Attempt> {
    const startedAt = clock.now();
    const message = testMessage({ deliveryId, project, publicUrl, nowMs: startedAt });
    const outcome = compiled.ok ? await deps.send(compiled.channel, message) : outcomeOfBadConfig(compiled.problem);
    return attemptOf(outcome, startedAt, clock.now());
  }

  /** Writes the delivery that tells of a test, unless the channel was deleted meanwhile; the sender has it listed while it may know of the channel. */
  async function record(viewer: Viewer, { id, projectId }: Channel, deliveryId: string, made: Attempt): Promise<void> {
    const userId = requireUser(viewer);
    await changes.shared(projectId === null ? [] : [projectId], async (tx, after) => {
      const users = await sqlOf(tx).query('SELECT id FROM users WHERE id = $1::uuid FOR KEY SHARE', [userId]);
      await sqlOf(tx).query('SELECT id FROM channels WHERE id = $1::uuid FOR KEY SHARE', [id]);
      const channel = await tx.channel.findUnique({ where: { id } });
      if (channel === null) return;
      await tx.delivery.create({ data: deliveryRow(channel, userId, deliveryId, made) });
      const isKnown = users.length > 0 && (await tx.channel.count({ where: { AND: [{ id }, visibleChannels(viewer)] } })) > 0;
      if (isKnown) await tx.deliveryViewer.create({ data: { userId, deliveryId } });
      if (projectId !== null) after.deliveries([{ projectId, deliveryIds: [deliveryId] }]);
    });
  }

  async function testChannel(caller: TestCaller, { id }: { id: string }): Promise<TestResult> {
    const channel = await findManagedChannel(db.prisma, caller.viewer, id, 'id');
    await requireNotHeld(id);
    await admit(caller, id);
    const project = await projectOf(channel.projectId, 'id');
    const deliveryId = newId();
    const made = await attempt(compileConfig(channel.type, openConfig(keyring, channel)), deliveryId, project);
    if (!isStopped) await record(caller.viewer, channel, deliveryId, made);
    return resultOf(made);
  }

  async function testChannelConfig(caller: TestCaller, input: TestConfigInput): Promise<TestResult> {
    const { viewer } = caller;
    const givenProjectId = input.projectId ?? null;
    if (givenProjectId !== null) await requireInProject(db.prisma, viewer, 'channel.manage', givenProjectId, 'projectId');
    requireUser(viewer);
    const saved = input.channelId == null ? null : await findManagedChannel(db.prisma, viewer, input.channelId, 'channelId');
    if (saved !== null && givenProjectId !== null && saved.projectId !== givenProjectId)
      throw badInput([{ path: 'projectId', message: 'must be the project of the channel, or left out' }]);
    await admit(caller, saved?.id ?? null);
    const before = saved === null ? null : { type: saved.type, config: openConfig(keyring, saved) };
    const { stored, hasMoved } = await prepareConfig(deps, input.config, before, clock.now());
    if (saved !== null && !hasMoved) await requireNotHeld(saved.id);
    const project = await projectOf(saved?.projectId ?? givenProjectId, 'projectId');
    return resultOf(await attempt(compileOver(kindOf(input.config).kind.kind, stored, before?.config ?? null), newId(), project));
  }

  async function tracked(test: Promise<TestResult>): Promise<TestResult> {
    underWay.add(test);
    try {
      return await test;
    } finally {
      underWay.delete(test);
    }
  }

  return {
    testChannel: (caller, input) => tracked(testChannel(caller, input)),
    testChannelConfig: (caller, input) => tracked(testChannelConfig(caller, input)),
    stop: async () => {
      const { promise: graceIsOver, resolve } = Promise.withResolvers<undefined>();
      const cancel = clock.after(STOP_GRACE_MS, () => {
        resolve(undefined);
      });
      await Promise.race([Promise.allSettled(underWay), graceIsOver]);
      cancel();
      isStopped = true;
    },
  };
}

/** A config over a saved one; what the receiver says is cleared of the secrets that it replaces too, for the receiver may know them. */
function compileOver(type: string, stored: StoredConfig, before: StoredConfig | null): ReturnType<typeof compileConfig> {
  const compiled = compileConfig(type, stored);
  const old = before === null ? null : compileConfig(type, before);
  if (!compiled.ok || old?.ok !== true) return compiled;
  const channel: CompiledChannel = { ...compiled.channel, redact: (text) => old.channel.redact(compiled.channel.redact(text)) };
  return { ok: true, channel };
}

/** No retry follows: what would be worth one has failed like the rest. */
function attemptOf(outcome: Outcome, startedAtMs: number, endedAtMs: number): Attempt {
  const { reason, error, responseBody } = outcome.outcome === 'DELIVERED' ? { reason: null, error: null, responseBody: null } : outcome;
  return {
    number: 1,
    startedAt: new Date(startedAtMs).toISOString(),
    durationMs: Math.round(endedAtMs - startedAtMs),
    outcome: outcome.outcome === 'DELIVERED' ? 'DELIVERED' : 'FAILED',
    reason,
    statusCode: outcome.statusCode,
    error,
    responseBody,
  };
}

function resultOf({ outcome, statusCode, error, responseBody, durationMs }: Attempt): TestResult {
  return { success: outcome === 'DELIVERED', statusCode, error, responseBody, durationMs };
}

/** A finished row without an event: nothing queues it again (pipeline/deliveries.ts). */
function deliveryRow(channel: Channel, userId: string, id: string, made: Attempt) {
  const { statusCode, reason, error, responseBody } = made;
  const startedAt = new Date(made.startedAt);
  return {
    id,
    projectId: channel.projectId,
    channelId: channel.id,
    channelName: channel.name,
    channelType: channel.type,
    channelUserId: channel.userId,
    userId,
    trigger: 'test.dispatch',
    status: made.outcome === 'DELIVERED' ? 'SENT' : 'FAILED',
    ...{ statusCode, reason, error, responseBody },
    attempts: [{ ...made }],
    attemptCount: 1,
    roundAttempts: 1,
    queuedAt: startedAt,
    createdAt: startedAt,
    finishedAt: new Date(startedAt.getTime() + made.durationMs),
  };
}
