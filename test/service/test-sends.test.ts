import { beforeEach, describe, expect, test } from 'vitest';
import { createSend } from '../../src/channels/send.ts';
import type { HttpPort, HttpRequest, SendResult } from '../../src/domain/ports.ts';
import type { Viewer } from '../../src/domain/viewer.ts';
import { AppError } from '../../src/lib/error.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { SECRET_MASK } from '../../src/lib/secret.ts';
import { redeliver } from '../../src/pipeline/deliveries.ts';
import { sweep } from '../../src/pipeline/maintenance.ts';
import type { ConfigInput } from '../../src/service/channel-config.ts';
import { createTestSends, type TestCaller, type TestSends } from '../../src/service/test-sends.ts';
import { NO_MAIL } from '../channels/support.ts';
import { agentOf, freshName, insertProject, insertUser, openBench, refusalOf } from './support.ts';

const bench = openBench();
const URL = 'https://receiver.example/hook';
type User = Viewer & { kind: 'user' };

let posted: HttpRequest[] = [];
let reply: () => Promise<SendResult>;

beforeEach(async () => {
  posted = [];
  answer(204);
  await bench.db.sql.query('DELETE FROM test_throttles');
});

function answer(status: number, body = '', headers: Record<string, string> = {}): void {
  reply = () => Promise.resolve({ ok: true, reply: { status, headers, body } });
}

/** One replica. */
function open({ isHeld = false } = {}): TestSends {
  const { deps, clock, keyring, guard } = bench;
  const http: HttpPort = {
    post: (request) => {
      posted.push(request);
      return reply();
    },
    check: (url) => {
      guard.asked.push(url);
      return Promise.resolve(guard.answer);
    },
  };
  const send = createSend({ http, mail: NO_MAIL, clock, version: '0' });
  return createTestSends({ ...deps, http, mail: NO_MAIL, keyring, send, publicUrl: 'https://tocsin.example', isHeld });
}

let nextAddress = 0;
/** From an address of its own, unless one is given. */
function from(viewer: Viewer, address?: string): TestCaller {
  nextAddress += 1;
  return { viewer, address: address ?? `address-${nextAddress}` };
}

function hook(fields: Record<string, unknown> = {}): ConfigInput {
  return { webhook: { url: URL, ...fields } };
}

async function addHook(viewer: User, fields: Record<string, unknown> = {}, projectId: string | null = null): Promise<string> {
  return (await bench.createChannel(viewer, { projectId, name: freshName(), config: hook(fields) })).channel.id;
}

/** The seconds after which a refused call may be repeated; null where it was not refused. Anything but RATE_LIMITED is thrown. */
async function waitOf(call: Promise<unknown>): Promise<number | null> {
  try {
    await call;
    return null;
  } catch (error) {
    if (error instanceof AppError && error.code === 'RATE_LIMITED') return error.retryAfterSeconds ?? Number.NaN;
    throw error;
  }
}

/** Every row of a table as text. */
async function dump(table: string): Promise<string> {
  return JSON.stringify(await bench.db.sql.query(`SELECT t::text AS text FROM ${table} AS t`));
}

describe('a saved channel', () => {
  test('is sent the canned content once, and one finished delivery tells of it', async () => {
    const ada = await insertUser(bench);
    const projectId = await insertProject(bench, [[ada, 'ADMIN']]);
    const id = await addHook(ada, {}, projectId);
    expect(await open().testChannel(from(ada), { id })).toEqual({ success: true, statusCode: 204, error: null, responseBody: null, durationMs: 0 });
    const [row] = await bench.db.prisma.delivery.findMany({ where: { channelId: id } });
    expect(posted).toHaveLength(1);
    const body = JSON.parse(posted[0]?.body ?? '') as Record<string, unknown>;
    expect(body).toMatchObject({
      trigger: 'z4j.test',
      task_name: 'tocsin.test',
      url: expect.stringMatching(/^https:\/\/tocsin.example\/projects\/project-\d+$/),
    });
    expect(posted[0]?.headers['webhook-id']).toBe(body['delivery_id']);
    expect(Buffer.from(String(body['delivery_id']), 'base64url').toString()).toBe(`Delivery:${String(row?.id)}`);
    expect(row).toMatchObject({ projectId, channelId: id, channelType: 'webhook', channelUserId: null, userId: ada.userId, eventRef: null, eventId: null });
    expect(row).toMatchObject({ trigger: 'test.dispatch', status: 'SENT', statusCode: 204, attemptCount: 1, jobId: null, finishedAt: expect.any(Date) });
    expect(row?.attempts).toEqual([expect.objectContaining({ number: 1, outcome: 'DELIVERED', statusCode: 204 })]);
    expect(await bench.db.prisma.deliveryViewer.findMany({ where: { deliveryId: row?.id ?? '' } })).toEqual([{ userId: ada.userId, deliveryId: row?.id }]);
    expect(bench.wakeups.sent.deliveries).toEqual([[projectId, [row?.id]]]);
  });

  test.each([
    [500, 'SERVER_ERROR'],
    [429, 'RATE_LIMITED'],
    [400, 'REJECTED'],
    [410, 'GONE'],
  ])('that answers %i has FAILED, is not tried again, and keeps its health', async (status, reason) => {
    const ada = await insertUser(bench);
    const id = await addHook(ada);
    const when = new Date('2026-11-20T00:00:00Z');
    await bench.db.prisma.channelHealth.update({
      where: { channelId: id },
      data: { consecutiveFailures: 2, failingSince: when, unreachable: 3, probeAt: new Date('2030-01-01') },
    });
    const before = await bench.db.prisma.channelHealth.findUnique({ where: { channelId: id } });
    answer(status, 'not today', { 'retry-after': '60' });
    const result = await open().testChannel(from(ada), { id });
    expect(result).toMatchObject({ success: false, statusCode: status, error: expect.stringContaining(String(status)), responseBody: 'not today' });
    const rows = await bench.db.prisma.delivery.findMany({ where: { channelId: id } });
    expect(rows).toEqual([expect.objectContaining({ status: 'FAILED', reason, projectId: null, channelUserId: ada.userId, nextAttemptAt: null, jobId: null })]);
    expect(rows[0]?.attempts).toEqual([expect.objectContaining({ outcome: 'FAILED', reason, error: result.error, responseBody: 'not today' })]);
    expect(await bench.db.prisma.channelHealth.findUnique({ where: { channelId: id } })).toEqual(before);
    expect(await bench.db.prisma.channel.findUnique({ where: { id } })).toMatchObject({ isActive: true });
    expect(await bench.db.prisma.inboxItem.count({ where: { userId: ada.userId } })).toBe(0);
    expect(posted).toHaveLength(1);
  });

  test('is not queued again by redeliver', async () => {
    const ada = await insertUser(bench);
    const id = await addHook(ada);
    answer(500);
    await open().testChannel(from(ada), { id });
    const [row] = await bench.db.prisma.delivery.findMany({ where: { channelId: id } });
    const { db, jobs, clock } = bench;
    expect(await redeliver({ db, jobs, wakeups: bench.wakeups, now: () => clock.now(), newId: uuidv7 }, [row?.id ?? ''])).toEqual([]);
    expect(await bench.db.prisma.delivery.findMany({ where: { channelId: id } })).toEqual([row]);
  });

  test('is tested while it is switched off', async () => {
    const ada = await insertUser(bench);
    const id = await addHook(ada);
    await bench.updateChannel(ada, { id, isActive: false });
    expect(await open().testChannel(from(ada), { id })).toMatchObject({ success: true });
  });

  test('that its provider holds is not tested, and the test does not count', async () => {
    const ada = await insertUser(bench);
    const id = await addHook(ada);
    await bench.db.prisma.channelHealth.update({ where: { channelId: id }, data: { heldUntil: new Date(bench.clock.now() + 61_001) } });
    for (let i = 0; i < 6; i += 1) expect(await waitOf(open().testChannel(from(ada), { id }))).toBe(62);
    expect(posted).toEqual([]);
    expect(await bench.db.prisma.delivery.count({ where: { channelId: id } })).toBe(0);
    await bench.clock.advanceAsync(61_001);
    expect(await waitOf(open().testChannel(from(ada), { id }))).toBeNull();
  });

  test('whose config is not valid any more is told so, by no value of it', async () => {
    const ada = await insertUser(bench);
    const id = await addHook(ada);
    await bench.db.prisma.channel.update({ where: { id }, data: { config: { url: 'canary://nowhere' } } });
    const result = await open().testChannel(from(ada), { id });
    expect(result).toMatchObject({ success: false, statusCode: null, error: expect.stringContaining('url') });
    expect(JSON.stringify(result)).not.toContain('canary');
    expect(posted).toEqual([]);
  });

  test('that is deleted while the test is under way leaves no row', async () => {
    const ada = await insertUser(bench);
    const id = await addHook(ada);
    reply = async () => {
      await bench.deleteChannel(ada, { id });
      return { ok: true, reply: { status: 204, headers: {}, body: '' } };
    };
    expect(await open().testChannel(from(ada), { id })).toMatchObject({ success: true });
    expect(await bench.db.prisma.delivery.count({ where: { channelId: id } })).toBe(0);
    expect(await bench.db.prisma.deliveryViewer.count({ where: { userId: ada.userId } })).toBe(0);
  });

  test('whose sender leaves the project meanwhile is in the log of the project alone', async () => {
    const [ada, bob] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [ada, 'ADMIN'],
      [bob, 'ADMIN'],
    ]);
    const id = await addHook(ada, {}, projectId);
    reply = async () => {
      await bench.removeMember(bob, { projectId, userId: ada.userId });
      return { ok: true, reply: { status: 204, headers: {}, body: '' } };
    };
    await open().testChannel(from(ada), { id });
    expect(await bench.db.prisma.delivery.count({ where: { channelId: id } })).toBe(1);
    expect(await bench.db.prisma.deliveryViewer.count({ where: { userId: ada.userId } })).toBe(0);
  });
});

describe('a config that is not saved', () => {
  test('is sent by, and nothing but the throttle is written', async () => {
    const ada = await insertUser(bench);
    const before = await Promise.all(['deliveries', 'delivery_viewers', 'channels', 'channel_health', 'events'].map(dump));
    answer(400, 'no');
    expect(await open().testChannelConfig(from(ada), { config: hook() })).toMatchObject({ success: false, statusCode: 400, responseBody: 'no' });
    expect(await Promise.all(['deliveries', 'delivery_viewers', 'channels', 'channel_health', 'events'].map(dump))).toEqual(before);
    expect(JSON.parse(posted[0]?.body ?? '')).toMatchObject({ trigger: 'z4j.test', project_id: null, url: 'https://tocsin.example' });
  });

  test.each<[string, ConfigInput, string]>([
    ['no url', { webhook: {} }, 'BAD_USER_INPUT config.webhook.url'],
    ['a mask over nothing', hook({ hmacSecret: SECRET_MASK }), 'BAD_USER_INPUT config.webhook.hmacSecret'],
    ['a masked header over nothing', hook({ headers: [{ name: 'x-a', value: SECRET_MASK }] }), 'BAD_USER_INPUT config.webhook.headers.0.value'],
    ['two kinds', { ...hook(), slack: {} }, 'BAD_USER_INPUT config'],
  ])('with %s is refused', async (_what, config, refusal) => {
    expect(await refusalOf(open().testChannelConfig(from(bench.root), { config }))).toBe(refusal);
    expect(posted).toEqual([]);
  });

  test('is refused where the egress guard refuses it', async () => {
    bench.guard.answer = { ok: false, message: 'must be a public address' };
    expect(await refusalOf(open().testChannelConfig(from(bench.root), { config: hook() }))).toBe('BAD_USER_INPUT config.webhook.url');
  });

  test('of a project is for its admins, of nobody for every user and no agent; whoever may not makes the guard look nothing up', async () => {
    const [admin, member] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [admin, 'ADMIN'],
      [member, 'MEMBER'],
    ]);
    const ask = (viewer: Viewer, input: { projectId?: string } = {}) => open().testChannelConfig(from(viewer), { ...input, config: hook() });
    expect(await refusalOf(ask(member, { projectId }))).toBe('FORBIDDEN');
    expect(await refusalOf(ask(await insertUser(bench), { projectId }))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(ask(bench.root, { projectId: uuidv7() }))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(ask(agentOf(projectId), { projectId }))).toBe('FORBIDDEN');
    expect(await refusalOf(ask(agentOf(projectId)))).toBe('FORBIDDEN');
    expect(bench.guard.asked).toEqual([]);
    expect(await dump('test_throttles')).toBe('[]');
    for (const viewer of [admin, bench.root]) expect(await ask(viewer, { projectId })).toMatchObject({ success: true });
    for (const viewer of [admin, member, await insertUser(bench)]) expect(await ask(viewer)).toMatchObject({ success: true });
    expect(JSON.parse(posted[0]?.body ?? '')).toMatchObject({ project_slug: expect.stringMatching(/^project-/) });
  });
});

describe('an edited config of a saved channel', () => {
  const SECRETS = { hmacSecret: 'canary-stored-hmac', headers: [{ name: 'authorization', value: 'Bearer canary-stored-token' }] };

  test('is laid over the stored one: what is omitted, empty or masked is filled in', async () => {
    const ada = await insertUser(bench);
    const channelId = await addHook(ada, SECRETS);
    const headers = [
      { name: 'Authorization', value: SECRET_MASK },
      { name: 'x-new', value: 'canary-edited' },
    ];
    await open().testChannelConfig(from(ada), { channelId, config: { webhook: { hmacSecret: '', headers } } });
    expect(posted[0]?.url).toBe(URL);
    expect(posted[0]?.headers).toMatchObject({ authorization: 'Bearer canary-stored-token', 'x-new': 'canary-edited' });
    expect(posted[0]?.headers).toHaveProperty('x-z4j-signature');
  });

  test('wants secrets anew where they would go to another place, and sends nothing there', async () => {
    const ada = await insertUser(bench);
    const channelId = await addHook(ada, SECRETS);
    const elsewhere = { url: 'https://elsewhere.example/' };
    expect(await refusalOf(open().testChannelConfig(from(ada), { channelId, config: { webhook: elsewhere } }))).toBe(
      'BAD_USER_INPUT config.webhook.headers config.webhook.hmacSecret',
    );
    expect([posted, bench.guard.asked]).toEqual([[], [URL]]);
    const anew = { ...elsewhere, hmacSecret: 'new', headers: [] };
    expect(await open().testChannelConfig(from(ada), { channelId, config: { webhook: anew } })).toMatchObject({ success: true });
    expect(JSON.stringify(posted)).not.toContain('canary');
  });

  test('must be of the channel’s kind and project', async () => {
    const ada = await insertUser(bench);
    const projectId = await insertProject(bench, [[ada, 'ADMIN']]);
    const channelId = await addHook(ada, {}, await insertProject(bench, [[ada, 'ADMIN']]));
    expect(await refusalOf(open().testChannelConfig(from(ada), { channelId, projectId, config: hook() }))).toBe('BAD_USER_INPUT projectId');
    await bench.db.prisma.channel.update({ where: { id: channelId }, data: { type: 'slack' } });
    expect(await refusalOf(open().testChannelConfig(from(ada), { channelId, config: hook() }))).toBe('BAD_USER_INPUT config.webhook');
  });

  test('is for whoever may change the channel', async () => {
    const [admin, member, ada] = [await insertUser(bench), await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [admin, 'ADMIN'],
      [member, 'MEMBER'],
    ]);
    const [shared, own] = [await addHook(admin, SECRETS, projectId), await addHook(ada, SECRETS)];
    const ask = (viewer: Viewer, channelId: string) => open().testChannelConfig(from(viewer), { channelId, config: { webhook: {} } });
    expect(await refusalOf(ask(member, shared))).toBe('FORBIDDEN');
    expect(await refusalOf(ask(ada, shared))).toBe('NOT_FOUND channelId');
    expect(await refusalOf(ask(bench.root, own))).toBe('NOT_FOUND channelId');
    expect(posted).toEqual([]);
    for (const [viewer, id] of [[admin, shared] as const, [ada, own] as const]) expect(await ask(viewer, id)).toMatchObject({ success: true });
  });

  test('is held with the channel while it goes to the same place', async () => {
    const ada = await insertUser(bench);
    const channelId = await addHook(ada);
    await bench.db.prisma.channelHealth.update({ where: { channelId }, data: { heldUntil: new Date(bench.clock.now() + 5_000) } });
    expect(await waitOf(open().testChannelConfig(from(ada), { channelId, config: { webhook: {} } }))).toBe(5);
    expect(await waitOf(open().testChannelConfig(from(ada), { channelId, config: { webhook: { url: 'https://elsewhere.example/' } } }))).toBeNull();
  });

  test('no secret of the edited or the stored config is in an answer', async () => {
    const ada = await insertUser(bench);
    const channelId = await addHook(ada, SECRETS);
    answer(400, 'canary-stored-hmac canary-stored-token canary-edited-hmac canary-edited-header');
    const config = { webhook: { hmacSecret: 'canary-edited-hmac', headers: [{ name: 'x-a', value: 'canary-edited-header' }] } };
    const result = await open().testChannelConfig(from(ada), { channelId, config });
    expect(result).toMatchObject({ success: false, responseBody: expect.any(String) });
    expect(JSON.stringify(result)).not.toContain('canary');
  });
});

describe('the throttle', () => {
  const MINUTE = 60_000;
  const config = hook();

  test('lets 20 a minute of one user through, and says when there is room again', async () => {
    const ada = await insertUser(bench);
    const [one, other] = [open(), open()];
    for (let i = 0; i < 20; i += 1) {
      expect(await waitOf((i % 2 === 0 ? one : other).testChannelConfig(from(ada), { config }))).toBeNull();
      await bench.clock.advanceAsync(1_000);
    }
    expect(await waitOf(one.testChannelConfig(from(ada), { config })), 'the first is 20 s ago').toBe(40);
    expect(await waitOf(other.testChannelConfig(from(ada), { config })), 'replicas count together').toBe(40);
    expect(posted).toHaveLength(20);
    expect(await waitOf(one.testChannelConfig(from(await insertUser(bench)), { config })), 'others are let through').toBeNull();
    await bench.clock.advanceAsync(40_000);
    expect(await waitOf(one.testChannelConfig(from(ada), { config }))).toBeNull();
    expect(await waitOf(one.testChannelConfig(from(ada), { config })), 'the window slides').toBe(1);
  });

  test('lets 20 a minute of one address through, whoever they are', async () => {
    const sends = open();
    for (let i = 0; i < 20; i += 1) expect(await waitOf(sends.testChannelConfig(from(await insertUser(bench), '192.0.2.1'), { config }))).toBeNull();
    const ada = await insertUser(bench);
    expect(await waitOf(sends.testChannelConfig(from(ada, '192.0.2.1'), { config }))).toBe(60);
    expect(await waitOf(sends.testChannelConfig(from(ada, '192.0.2.2'), { config }))).toBeNull();
  });

  test('lets 5 a minute of one saved channel through, edited configs of it included; what is refused counts for nobody', async () => {
    const [ada, bob] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [ada, 'ADMIN'],
      [bob, 'ADMIN'],
    ]);
    const id = await addHook(ada, {}, projectId);
    const sends = open();
    for (let i = 0; i < 3; i += 1) expect(await waitOf(sends.testChannel(from(ada), { id }))).toBeNull();
    for (let i = 0; i < 2; i += 1) expect(await waitOf(sends.testChannelConfig(from(bob), { channelId: id, config }))).toBeNull();
    for (let i = 0; i < 30; i += 1) expect(await waitOf(sends.testChannel(from(bob), { id }))).toBe(60);
    expect(await waitOf(sends.testChannelConfig(from(bob), { channelId: id, config }))).toBe(60);
    expect(posted).toHaveLength(5);
    expect(await waitOf(sends.testChannelConfig(from(bob), { config })), 'of 20 bob has had 2').toBeNull();
    await bench.clock.advanceAsync(MINUTE);
    expect(await waitOf(sends.testChannel(from(bob), { id }))).toBeNull();
  });

  test('counts right where all come at once', async () => {
    const ada = await insertUser(bench);
    const sends = open();
    const waits = await Promise.all(Array.from({ length: 30 }, () => waitOf(sends.testChannelConfig(from(ada), { config }))));
    expect(waits.filter((wait) => wait === null)).toHaveLength(20);
    expect(posted).toHaveLength(20);
  });

  test('comes before the guard looks anything up', async () => {
    const ada = await insertUser(bench);
    const sends = open();
    bench.guard.answer = { ok: false, message: 'must be a public address' };
    for (let i = 0; i < 20; i += 1) await refusalOf(sends.testChannelConfig(from(ada), { config }));
    expect(await waitOf(sends.testChannelConfig(from(ada), { config }))).toBe(60);
    expect(bench.guard.asked).toHaveLength(20);
  });

  test('forgets what is past with the sweep', async () => {
    const { db, jobs, wakeups, clock } = bench;
    await open().testChannelConfig(from(await insertUser(bench)), { config });
    const run = () => sweep({ db, jobs, wakeups, now: () => clock.now(), newId: uuidv7 });
    await clock.advanceAsync(2 * MINUTE);
    expect(await run()).toMatchObject({ testThrottles: 0 });
    await clock.advanceAsync(1);
    expect(await run()).toMatchObject({ testThrottles: 2 });
    expect(await dump('test_throttles')).toBe('[]');
  });
});

test('with DISPATCH=hold nothing leaves the server', async () => {
  const ada = await insertUser(bench);
  const id = await addHook(ada);
  expect(await refusalOf(open({ isHeld: true }).testChannel(from(ada), { id }))).toBe('CONFLICT');
  expect(await refusalOf(open({ isHeld: true }).testChannelConfig(from(ada), { config: hook() }))).toBe('CONFLICT');
  expect(posted).toEqual([]);
});

describe('stopping', () => {
  test('waits for what is under way, which is written', async () => {
    const ada = await insertUser(bench);
    const id = await addHook(ada);
    const { promise, resolve } = Promise.withResolvers<SendResult>();
    reply = () => promise;
    const sends = open();
    const test = sends.testChannel(from(ada), { id });
    await expect.poll(() => posted.length).toBe(1);
    const stopped = sends.stop();
    resolve({ ok: true, reply: { status: 204, headers: {}, body: '' } });
    await stopped;
    expect(await bench.db.prisma.delivery.count({ where: { channelId: id } })).toBe(1);
    expect(await test).toMatchObject({ success: true });
  });

  test('does not hang on a receiver that does: after 3 s its test is given up, and touches the database no more', async () => {
    const ada = await insertUser(bench);
    const id = await addHook(ada);
    const { promise, resolve } = Promise.withResolvers<SendResult>();
    reply = () => promise;
    const sends = open();
    const test = sends.testChannel(from(ada), { id });
    await expect.poll(() => posted.length).toBe(1);
    const stopped = sends.stop();
    await bench.clock.advanceAsync(3_000);
    await stopped;
    expect(bench.clock.pending()).toBe(0);
    resolve({ ok: true, reply: { status: 204, headers: {}, body: '' } });
    await test;
    expect(await bench.db.prisma.delivery.count({ where: { channelId: id } })).toBe(0);
  });
});
