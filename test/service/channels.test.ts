import { describe, expect, test } from 'vitest';
import { joinConfig } from '../../src/channels/config.ts';
import { webhook } from '../../src/channels/webhook.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { SECRET_MASK } from '../../src/lib/secret.ts';
import type { ConfigInput } from '../../src/service/channel-config.ts';
import { openConfig } from '../../src/service/channel-config.ts';
import { agentOf, deliveryState, freshName, insertDelivery, insertProject, insertUser, openBench, refusalOf, rulesVersion } from './support.ts';

const bench = openBench();
const URL = 'https://receiver.example/hook';
const hook = (fields: Record<string, unknown> = {}): ConfigInput => ({ webhook: { url: URL, ...fields } });

/** A channel's whole config, with its secrets. */
async function configOf(id: string): Promise<Readonly<Record<string, unknown>>> {
  const row = await bench.db.prisma.channel.findUniqueOrThrow({ where: { id } });
  return joinConfig(webhook.fields, openConfig(bench.keyring, row)).given;
}

describe('createChannel', () => {
  test('makes a project’s channel for its admins, and one’s own for anybody', async () => {
    const ada = await insertUser(bench);
    const projectId = await insertProject(bench, [[ada, 'ADMIN']]);
    const shared = await bench.createChannel(ada, { projectId, name: ' Ops ', config: hook() });
    expect(shared.channel).toMatchObject({ projectId, userId: null, ownerId: projectId, name: 'Ops', type: 'webhook', isActive: true, version: 1 });
    const own = await bench.createChannel(ada, { name: 'Mine', config: hook(), isActive: false });
    expect(own.channel).toMatchObject({ projectId: null, userId: ada.userId, ownerId: ada.userId, isActive: false });
    expect(await bench.db.prisma.channelHealth.count({ where: { channelId: { in: [shared.channel.id, own.channel.id] } } })).toBe(2);
  });

  test('seals its secrets from the first row: they open for this row alone', async () => {
    const { channel } = await bench.createChannel(bench.root, {
      name: freshName(),
      config: hook({ hmacSecret: 'canary-hmac', headers: [{ name: 'authorization', value: 'Bearer canary-token' }] }),
    });
    const rows = await bench.db.sql.query<{ text: string }>('SELECT c::text AS text FROM channels AS c WHERE id = $1::uuid', [channel.id]);
    expect(rows[0]?.text).toContain(URL);
    expect(rows[0]?.text).not.toContain('canary');
    expect(JSON.stringify(channel)).not.toContain('canary');
    expect(await configOf(channel.id)).toEqual({ url: URL, hmacSecret: 'canary-hmac', headers: [{ name: 'authorization', value: 'Bearer canary-token' }] });
    expect(() => openConfig(bench.keyring, { ...channel, id: uuidv7() })).toThrow(/belongs elsewhere/);
  });

  test('asks the egress guard, and says where it refuses', async () => {
    bench.guard.answer = { ok: false, message: 'must be a public address' };
    const name = freshName();
    expect(await refusalOf(bench.createChannel(bench.root, { name, config: hook() }))).toBe('BAD_USER_INPUT config.webhook.url');
    expect(bench.guard.asked).toEqual([URL]);
    expect(await bench.db.prisma.channel.count({ where: { name } })).toBe(0);
  });

  test.each<[string, ConfigInput, string]>([
    ['no kind', {}, 'BAD_USER_INPUT config'],
    ['a kind that is not built', { fax: {} }, 'BAD_USER_INPUT config'],
    ['a kind by the name of a method', { toString: {} }, 'BAD_USER_INPUT config'],
    ['two kinds', { webhook: { url: URL }, slack: {} }, 'BAD_USER_INPUT config'],
    ['no url', { webhook: {} }, 'BAD_USER_INPUT config.webhook.url'],
    ['a masked secret', { webhook: { url: URL, hmacSecret: SECRET_MASK } }, 'BAD_USER_INPUT config.webhook.hmacSecret'],
  ])('refuses %s', async (_, config, refusal) => {
    expect(await refusalOf(bench.createChannel(bench.root, { name: freshName(), config }))).toBe(refusal);
  });

  test('nobody without rights makes the guard look anything up', async () => {
    const member = await insertUser(bench);
    const projectId = await insertProject(bench, [[member, 'MEMBER']]);
    const input = { projectId, name: freshName(), config: hook() };
    expect(await refusalOf(bench.createChannel(member, input))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createChannel(await insertUser(bench), input))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(bench.createChannel(agentOf(projectId), input))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createChannel(agentOf(projectId), { name: 'own', config: hook() }))).toBe('FORBIDDEN');
    expect(bench.guard.asked).toEqual([]);
  });

  test('a name is taken once an owner, of two at once too', async () => {
    const ada = await insertUser(bench);
    const projectId = await insertProject(bench, [[ada, 'ADMIN']]);
    for (const owner of [{}, { projectId }]) {
      const results = await Promise.allSettled([1, 2].map(async () => await bench.createChannel(ada, { ...owner, name: 'same', config: hook() })));
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await refusalOf(bench.createChannel(ada, { ...owner, name: 'same', config: hook() }))).toBe('CONFLICT name');
    }
    await bench.createChannel(await insertUser(bench), { name: 'same', config: hook() });
  });
});

describe('updateChannel', () => {
  test('keeps what is omitted or masked, clears what is null, and counts the config’s versions', async () => {
    const { channel } = await bench.createChannel(bench.root, {
      name: freshName(),
      config: hook({ hmacSecret: 'one', headers: [{ name: 'x-a', value: 'b' }] }),
    });
    const renamed = await bench.updateChannel(bench.root, { id: channel.id, name: freshName() });
    expect(renamed.channel.version).toBe(1);
    expect(bench.guard.asked).toEqual([URL]);
    const kept = await bench.updateChannel(bench.root, { id: channel.id, config: { webhook: { hmacSecret: SECRET_MASK } } });
    expect(kept.channel.version).toBe(2);
    expect(await configOf(channel.id)).toEqual({ url: URL, hmacSecret: 'one', headers: [{ name: 'x-a', value: 'b' }] });
    await bench.updateChannel(bench.root, { id: channel.id, config: { webhook: { hmacSecret: null, headers: [] } } });
    expect(await configOf(channel.id)).toEqual({ url: URL, headers: [] });
  });

  test('wants secrets anew where they would go to another place', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook({ hmacSecret: 'one' }) });
    const elsewhere = { url: 'https://elsewhere.example/hook' };
    expect(await refusalOf(bench.updateChannel(bench.root, { id: channel.id, config: { webhook: elsewhere } }))).toBe(
      'BAD_USER_INPUT config.webhook.hmacSecret',
    );
    await bench.updateChannel(bench.root, { id: channel.id, config: { webhook: { ...elsewhere, hmacSecret: 'two' } } });
    expect(await configOf(channel.id)).toEqual({ ...elsewhere, hmacSecret: 'two' });
  });

  test('keeps an old signing secret for 24 hours beside the new one', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook({ hmacSecret: 'one' }) });
    await bench.updateChannel(bench.root, { id: channel.id, config: { webhook: { hmacSecret: 'two' } } });
    const row = await bench.db.prisma.channel.findUniqueOrThrow({ where: { id: channel.id } });
    expect(joinConfig(webhook.fields, openConfig(bench.keyring, row)).previous).toEqual({
      hmacSecret: { value: 'one', untilMs: bench.clock.now() + 86_400_000 },
    });
  });

  test('asks the egress guard again, and changes nothing where it refuses', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    bench.guard.answer = { ok: false, message: 'must be a public address' };
    const input = { id: channel.id, name: freshName(), config: { webhook: { url: 'https://inside.example/' } } };
    expect(await refusalOf(bench.updateChannel(bench.root, input))).toBe('BAD_USER_INPUT config.webhook.url');
    expect(await bench.db.prisma.channel.findUnique({ where: { id: channel.id } })).toEqual(channel);
  });

  test('never changes the kind', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    expect(await refusalOf(bench.updateChannel(bench.root, { id: channel.id, config: { slack: {} } }))).toBe('BAD_USER_INPUT config.slack');
    expect(await refusalOf(bench.updateChannel(bench.root, { id: channel.id, config: { fax: {} } }))).toBe('BAD_USER_INPUT config');
    await bench.db.prisma.channel.update({ where: { id: channel.id }, data: { type: 'slack' } });
    expect(await refusalOf(bench.updateChannel(bench.root, { id: channel.id, config: hook() }))).toBe('BAD_USER_INPUT config.webhook');
  });

  test('null is no name, no config and no answer', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    const input = { id: channel.id, name: null, config: null, isActive: null };
    expect(await refusalOf(bench.updateChannel(bench.root, input))).toBe('BAD_USER_INPUT name isActive config');
  });

  test('two changes of the config at once are laid over each other, not lost', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    await Promise.all([
      bench.updateChannel(bench.root, { id: channel.id, config: { webhook: { hmacSecret: 'one' } } }),
      bench.updateChannel(bench.root, { id: channel.id, config: { webhook: { headers: [{ name: 'x-a', value: 'b' }] } } }),
    ]);
    expect(await configOf(channel.id)).toEqual({ url: URL, hmacSecret: 'one', headers: [{ name: 'x-a', value: 'b' }] });
    expect(await bench.db.prisma.channel.findUnique({ where: { id: channel.id } })).toMatchObject({ version: 3 });
  });

  test('a name is taken once an owner', async () => {
    const taken = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    expect(await refusalOf(bench.updateChannel(bench.root, { id: channel.id, name: taken.channel.name }))).toBe('CONFLICT name');
  });

  test('moves the rules’ version of every project whose subscriptions point to it, and of no other', async () => {
    const ada = await insertUser(bench);
    const [first, second, third] = [
      await insertProject(bench, [[ada, 'MEMBER']]),
      await insertProject(bench, [[ada, 'MEMBER']]),
      await insertProject(bench, [[ada, 'MEMBER']]),
    ];
    const { channel } = await bench.createChannel(ada, { name: 'mine', config: hook() });
    for (const projectId of [first, second]) await bench.createSubscription(ada, { projectId, trigger: 'task.failed', channelIds: [channel.id] });
    await bench.updateChannel(ada, { id: channel.id, name: 'renamed' });
    expect(await Promise.all([first, second, third].map(async (id) => await rulesVersion(bench, id)))).toEqual([2, 2, 0]);
  });
});

describe('copyChannel', () => {
  const SECRETS = { hmacSecret: 'canary-hmac', headers: [{ name: 'authorization', value: 'Bearer canary-token' }] };

  test('brings a personal channel into a project, a project’s into another, and into the admin’s own, secrets included', async () => {
    const ada = await insertUser(bench);
    const [first, second] = [await insertProject(bench, [[ada, 'ADMIN']]), await insertProject(bench, [[ada, 'ADMIN']])];
    const { channel: own } = await bench.createChannel(ada, { name: freshName(), config: hook(SECRETS) });
    const { channel: shared } = await bench.copyChannel(ada, { id: own.id, projectId: first, name: ' Ops ' });
    expect(shared).toMatchObject({ projectId: first, userId: null, ownerId: first, name: 'Ops', type: 'webhook', isActive: true, version: 1 });
    const { channel: further } = await bench.copyChannel(ada, { id: shared.id, projectId: second, name: 'Ops' });
    expect(further).toMatchObject({ projectId: second, ownerId: second });
    const { channel: back } = await bench.copyChannel(ada, { id: further.id, name: freshName() });
    expect(back).toMatchObject({ projectId: null, userId: ada.userId });
    for (const { id } of [shared, further, back]) {
      expect(await configOf(id)).toEqual({ url: URL, ...SECRETS });
      expect(await bench.db.prisma.channelHealth.count({ where: { channelId: id } })).toBe(1);
    }
    expect(new Set([own, shared, further, back].map(({ secrets }) => secrets)).size).toBe(4);
    expect(() => openConfig(bench.keyring, { ...shared, secrets: own.secrets })).toThrow(/belongs elsewhere/);
    expect(JSON.stringify([shared, further, back])).not.toContain('canary');
  });

  test('keeps an old signing secret that still counts, and whether the channel is on', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook({ hmacSecret: 'one' }), isActive: false });
    await bench.updateChannel(bench.root, { id: channel.id, config: { webhook: { hmacSecret: 'two' } } });
    await bench.db.prisma.channelHealth.update({ where: { channelId: channel.id }, data: { consecutiveFailures: 4 } });
    const { channel: copy } = await bench.copyChannel(bench.root, { id: channel.id, name: freshName() });
    expect(copy.isActive).toBe(false);
    expect(joinConfig(webhook.fields, openConfig(bench.keyring, copy))).toMatchObject({
      given: { hmacSecret: 'two' },
      previous: { hmacSecret: { value: 'one' } },
    });
    expect(await bench.db.prisma.channelHealth.findUnique({ where: { channelId: copy.id } })).toMatchObject({ consecutiveFailures: 0 });
  });

  test('is for whoever may change the channel and what is to own the copy; nobody else makes the guard look anything up', async () => {
    const [ada, member, stranger] = [await insertUser(bench), await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [ada, 'ADMIN'],
      [member, 'MEMBER'],
    ]);
    const foreign = await insertProject(bench);
    const { channel: shared } = await bench.createChannel(ada, { projectId, name: freshName(), config: hook(SECRETS) });
    const { channel: own } = await bench.createChannel(member, { name: freshName(), config: hook(SECRETS) });
    bench.guard.asked = [];
    const copy = (viewer: typeof ada | ReturnType<typeof agentOf>, id: string, to: string | null) =>
      refusalOf(bench.copyChannel(viewer, { id, projectId: to, name: freshName() }));
    expect(await copy(member, shared.id, null)).toBe('FORBIDDEN');
    expect(await copy(member, own.id, projectId)).toBe('FORBIDDEN');
    expect(await copy(stranger, shared.id, null)).toBe('NOT_FOUND id');
    expect(await copy(ada, own.id, projectId)).toBe('NOT_FOUND id');
    expect(await copy(bench.root, own.id, projectId)).toBe('NOT_FOUND id');
    expect(await copy(ada, shared.id, foreign)).toBe('NOT_FOUND projectId');
    expect(await copy(agentOf(projectId), shared.id, projectId)).toBe('NOT_FOUND id');
    expect(await copy(ada, uuidv7(), null)).toBe('NOT_FOUND id');
    expect(bench.guard.asked).toEqual([]);
    await bench.copyChannel(bench.root, { id: shared.id, projectId: foreign, name: freshName() });
  });

  test('a name is taken once an owner, and has the form of a name', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    expect(await refusalOf(bench.copyChannel(bench.root, { id: channel.id, name: channel.name }))).toBe('CONFLICT name');
    expect(await refusalOf(bench.copyChannel(bench.root, { id: channel.id, name: ' ' }))).toBe('BAD_USER_INPUT name');
  });

  test('asks the egress guard again', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    bench.guard.answer = { ok: false, message: 'must be a public address' };
    const name = freshName();
    expect(await refusalOf(bench.copyChannel(bench.root, { id: channel.id, name }))).toBe('BAD_USER_INPUT config.webhook.url');
    expect(await bench.db.prisma.channel.count({ where: { name } })).toBe(0);
  });
});

describe('switching off and on', () => {
  test('off cancels what waits for the channel, on forgets why it was off and its failures', async () => {
    const projectId = await insertProject(bench);
    const { channel } = await bench.createChannel(bench.root, { projectId, name: freshName(), config: hook() });
    const deliveryId = await insertDelivery(bench, { projectId, channelId: channel.id, subscriptionIds: [uuidv7()] });
    await bench.updateChannel(bench.root, { id: channel.id, isActive: false });
    expect(await deliveryState(bench, deliveryId)).toEqual({ status: 'CANCELLED', reason: 'CHANNEL_OFF', hasJob: false });
    expect(bench.wakeups.sent.deliveries).toEqual([[projectId, [deliveryId]]]);

    const when = new Date('2026-11-20T00:00:00Z');
    const failing = { consecutiveFailures: 9, failingSince: when, noticed: true, unreachable: 3, probeAt: when, lastFailureAt: when, lastError: '500' };
    await bench.db.prisma.channelHealth.update({ where: { channelId: channel.id }, data: failing });
    await bench.db.prisma.channel.update({ where: { id: channel.id }, data: { disabledReason: 'only failed for 5 days' } });
    const { channel: on } = await bench.updateChannel(bench.root, { id: channel.id, isActive: true });
    expect(on).toMatchObject({ isActive: true, disabledReason: null });
    expect(await bench.db.prisma.channelHealth.findUnique({ where: { channelId: channel.id } })).toMatchObject({
      consecutiveFailures: 0,
      failingSince: null,
      noticed: false,
      unreachable: 0,
      probeAt: null,
      lastFailureAt: when,
    });
  });

  test('on, where it is on, forgets nothing', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    await bench.db.prisma.channelHealth.update({ where: { channelId: channel.id }, data: { consecutiveFailures: 2 } });
    await bench.updateChannel(bench.root, { id: channel.id, isActive: true });
    expect(await bench.db.prisma.channelHealth.findUnique({ where: { channelId: channel.id } })).toMatchObject({ consecutiveFailures: 2 });
  });

  test('a new config is tried at once, and its failures go on counting', async () => {
    const { channel } = await bench.createChannel(bench.root, { name: freshName(), config: hook() });
    await bench.db.prisma.channelHealth.update({ where: { channelId: channel.id }, data: { consecutiveFailures: 3, unreachable: 3, probeAt: new Date() } });
    await bench.updateChannel(bench.root, { id: channel.id, config: hook() });
    expect(await bench.db.prisma.channelHealth.findUnique({ where: { channelId: channel.id } })).toMatchObject({
      consecutiveFailures: 3,
      unreachable: 0,
      probeAt: null,
    });
  });
});

describe('deleteChannel', () => {
  test('takes it off its subscriptions and defaults, which stay, and cancels what waits for it', async () => {
    const projectId = await insertProject(bench);
    const { channel } = await bench.createChannel(bench.root, { projectId, name: freshName(), config: hook() });
    const channelIds = [channel.id];
    const { subscription } = await bench.createSubscription(bench.root, { projectId, team: true, trigger: 'task.failed', channelIds });
    await bench.createDefaultSubscription(bench.root, { projectId, trigger: 'task.failed', inApp: false, channelIds });
    const deliveryId = await insertDelivery(bench, { projectId, channelId: channel.id, subscriptionIds: [subscription.id] });
    expect(await bench.deleteChannel(bench.root, { id: channel.id })).toEqual({ id: channel.id });
    const where = { where: { projectId }, select: { channels: true } };
    expect(await bench.db.prisma.notificationSubscription.findMany(where)).toEqual([{ channels: [] }]);
    expect(await bench.db.prisma.defaultSubscription.findMany(where)).toEqual([{ channels: [] }]);
    expect(await deliveryState(bench, deliveryId)).toEqual({ status: 'CANCELLED', reason: 'CHANNEL_DELETED', hasJob: false });
    expect(bench.wakeups.sent.deliveries).toEqual([[projectId, [deliveryId]]]);
    expect(await refusalOf(bench.deleteChannel(bench.root, { id: channel.id }))).toBe('NOT_FOUND id');
  });
});

describe('who may change a channel', () => {
  test('a project’s: its admins; members know of it, others do not', async () => {
    const [member, admin] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [member, 'MEMBER'],
      [admin, 'ADMIN'],
    ]);
    const { channel } = await bench.createChannel(admin, { projectId, name: freshName(), config: hook() });
    for (const change of [bench.deleteChannel, bench.updateChannel]) {
      expect(await refusalOf(change(member, { id: channel.id }))).toBe('FORBIDDEN');
      expect(await refusalOf(change(await insertUser(bench), { id: channel.id }))).toBe('NOT_FOUND id');
      expect(await refusalOf(change(agentOf(projectId), { id: channel.id }))).toBe('NOT_FOUND id');
    }
    await bench.deleteChannel(admin, { id: channel.id });
  });

  test('a personal one: its owner alone, of whom not even instance admins know', async () => {
    const ada = await insertUser(bench);
    const { channel } = await bench.createChannel(ada, { name: freshName(), config: hook() });
    for (const change of [bench.deleteChannel, bench.updateChannel]) {
      expect(await refusalOf(change(bench.root, { id: channel.id }))).toBe('NOT_FOUND id');
      expect(await refusalOf(change(await insertUser(bench), { id: channel.id }))).toBe('NOT_FOUND id');
    }
    await bench.updateChannel(ada, { id: channel.id, name: freshName() });
  });
});
