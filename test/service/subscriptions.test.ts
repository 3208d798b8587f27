import { describe, expect, test } from 'vitest';
import type { Viewer } from '../../src/domain/viewer.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import type { FiltersInput } from '../../src/service/filters.ts';
import { agentOf, deliveryState, freshName, insertDelivery, insertProject, insertUser, openBench, refusalOf, rulesVersion } from './support.ts';

const bench = openBench();
type User = Viewer & { kind: 'user' };
const config = { webhook: { url: 'https://receiver.example/' } };
const DAY = new Date('2027-01-01T00:00:00Z');

/** A project with an admin and a member, and a channel of the project's and of each of them. */
async function openProject(): Promise<{ admin: User; member: User; projectId: string; channels: { project: string; admin: string; member: string } }> {
  const [admin, member] = [await insertUser(bench), await insertUser(bench)];
  const projectId = await insertProject(bench, [
    [admin, 'ADMIN'],
    [member, 'MEMBER'],
  ]);
  const make = async (viewer: Viewer, owner: { projectId?: string }): Promise<string> =>
    (await bench.createChannel(viewer, { ...owner, name: freshName(), config })).channel.id;
  return { admin, member, projectId, channels: { project: await make(admin, { projectId }), admin: await make(admin, {}), member: await make(member, {}) } };
}

async function channelsOf(subscriptionId: string): Promise<string[]> {
  const rows = await bench.db.prisma.subscriptionChannel.findMany({ where: { subscriptionId } });
  return rows.map(({ channelId }) => channelId).sort();
}

describe('createSubscription', () => {
  test('makes one’s own, to the inbox where nothing else is said', async () => {
    const { member, projectId } = await openProject();
    const { subscription } = await bench.createSubscription(member, { projectId, trigger: 'task.failed' });
    expect(subscription).toMatchObject({
      userId: member.userId,
      ownerId: member.userId,
      name: null,
      trigger: 'task.failed',
      priorityMin: null,
      priorityMax: null,
      taskNamePattern: null,
      queue: null,
      cooldownSeconds: 0,
      cooldownBy: 'SUBSCRIPTION',
      mutedUntil: null,
      inApp: true,
      isActive: true,
      isDefaultCopy: false,
    });
  });

  test('takes every filter, and one’s own channels and the project’s, each once', async () => {
    const { member, projectId, channels } = await openProject();
    const filters = {
      priorityMin: -1,
      priorityMax: 5,
      taskNamePattern: 'billing.*',
      queue: 'q',
      cooldownSeconds: 86_400,
      cooldownBy: 'AGENT',
      mutedUntil: DAY,
    } as const;
    const channelIds = [channels.member, channels.project, channels.member];
    const input = { projectId, name: ' Mine ', trigger: 'task.slow', filters, inApp: false, channelIds, isActive: false } as const;
    const { subscription } = await bench.createSubscription(member, input);
    expect(subscription).toMatchObject({ ...filters, name: 'Mine', trigger: 'task.slow', inApp: false, isActive: false });
    expect(await channelsOf(subscription.id)).toEqual([channels.member, channels.project].sort());
  });

  test('makes the project’s for its admins, without the inbox', async () => {
    const { admin, projectId, channels } = await openProject();
    const { subscription } = await bench.createSubscription(admin, { projectId, team: true, trigger: 'task.failed', channelIds: [channels.project] });
    expect(subscription).toMatchObject({ userId: null, ownerId: projectId, inApp: false });
    const input = { projectId, team: true, trigger: 'task.failed', inApp: true, channelIds: [channels.project] } as const;
    expect(await refusalOf(bench.createSubscription(admin, input))).toBe('BAD_USER_INPUT inApp');
  });

  test('refuses one that tells nobody', async () => {
    const { admin, projectId } = await openProject();
    expect(await refusalOf(bench.createSubscription(admin, { projectId, trigger: 'task.failed', inApp: false }))).toBe('BAD_USER_INPUT channelIds');
    expect(await refusalOf(bench.createSubscription(admin, { projectId, team: true, trigger: 'task.failed' }))).toBe('BAD_USER_INPUT channelIds');
  });

  test('does not find channels of others, by their place', async () => {
    const { admin, member, projectId, channels } = await openProject();
    const other = await openProject();
    const input = { projectId, trigger: 'task.failed' } as const;
    for (const foreign of [channels.admin, other.channels.project, uuidv7()]) {
      const channelIds = [channels.project, channels.member, foreign];
      expect(await refusalOf(bench.createSubscription(member, { ...input, channelIds }))).toBe('NOT_FOUND channelIds.2');
    }
    expect(await refusalOf(bench.createSubscription(admin, { ...input, team: true, channelIds: [channels.project, channels.admin] }))).toBe(
      'NOT_FOUND channelIds.1',
    );
  });

  test('takes 64 channels and refuses 65', async () => {
    const { admin, projectId, channels } = await openProject();
    const make = async (count: number): Promise<unknown> =>
      await bench.createSubscription(admin, { projectId, trigger: 'task.failed', channelIds: Array.from({ length: count }, () => channels.project) });
    await make(64);
    expect(await refusalOf(make(65))).toBe('BAD_USER_INPUT channelIds');
  });

  test('a name is taken once a project and owner, of two at once too; several may have none', async () => {
    const { admin, member, projectId, channels } = await openProject();
    const input = { projectId, name: 'same', trigger: 'task.failed' } as const;
    const results = await Promise.allSettled([1, 2].map(async () => await bench.createSubscription(member, input)));
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await refusalOf(bench.createSubscription(member, input))).toBe('CONFLICT name');
    await bench.createSubscription(admin, input);
    await bench.createSubscription(admin, { ...input, team: true, channelIds: [channels.project] });
    for (let i = 0; i < 2; i += 1) await bench.createSubscription(member, { ...input, name: null });
  });

  test('is for members; an instance admin may have one, which waits for a membership', async () => {
    const { member, projectId, channels } = await openProject();
    const input = { projectId, trigger: 'task.failed', channelIds: [channels.project] } as const;
    expect(await refusalOf(bench.createSubscription(member, { ...input, team: true }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createSubscription(await insertUser(bench), input))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(bench.createSubscription(agentOf(projectId), input))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createSubscription(bench.root, { ...input, projectId: uuidv7() }))).toBe('NOT_FOUND projectId');
    expect((await bench.createSubscription(bench.root, input)).subscription.userId).toBe(bench.root.userId);
  });

  test('moves the rules’ version', async () => {
    const { member, projectId } = await openProject();
    const before = await rulesVersion(bench, projectId);
    await bench.createSubscription(member, { projectId, trigger: 'task.failed' });
    expect(await rulesVersion(bench, projectId)).toBe(before + 1);
  });
});

describe('filters', () => {
  const bounds: [string, FiltersInput, string][] = [
    ['equal priorities', { priorityMin: 3, priorityMax: 3 }, 'fine'],
    ['min above max', { priorityMin: 4, priorityMax: 3 }, 'filters.priorityMin'],
    ['a priority that is not whole', { priorityMin: 1.5 }, 'filters.priorityMin'],
    ['the greatest priority', { priorityMax: 2_147_483_647 }, 'fine'],
    ['a priority beyond it', { priorityMax: 2_147_483_648 }, 'filters.priorityMax'],
    ['a pattern of 200 characters', { taskNamePattern: '🚨'.repeat(200) }, 'fine'],
    ['a pattern of 201 characters', { taskNamePattern: 'a'.repeat(201) }, 'filters.taskNamePattern'],
    ['an empty pattern', { taskNamePattern: '' }, 'filters.taskNamePattern'],
    ['a pattern with NUL', { taskNamePattern: 'a\0' }, 'filters.taskNamePattern'],
    ['an unclosed bracket', { taskNamePattern: '[a' }, 'fine'],
    ['a queue of 200 bytes', { queue: 'ä'.repeat(100) }, 'fine'],
    ['a queue of 201 bytes', { queue: `${'ä'.repeat(100)}a` }, 'filters.queue'],
    ['an empty queue', { queue: '' }, 'filters.queue'],
    ['a queue with a lone surrogate', { queue: '\ud800' }, 'filters.queue'],
    ['no cooldown', { cooldownSeconds: 0 }, 'fine'],
    ['a day of cooldown', { cooldownSeconds: 86_400 }, 'fine'],
    ['more than a day', { cooldownSeconds: 86_401 }, 'filters.cooldownSeconds'],
    ['a negative cooldown', { cooldownSeconds: -1 }, 'filters.cooldownSeconds'],
    ['a moment past the year 9999', { mutedUntil: new Date('+010000-01-01T00:00:00Z') }, 'filters.mutedUntil'],
    ['no moment', { mutedUntil: new Date(Number.NaN) }, 'filters.mutedUntil'],
    ['null for each', { priorityMin: null, taskNamePattern: null, queue: null, cooldownSeconds: null, cooldownBy: null, mutedUntil: null }, 'fine'],
  ];
  test.each(bounds)('%s', async (_, filters, path) => {
    const projectId = await insertProject(bench);
    const call = bench.createSubscription(bench.root, { projectId, trigger: 'task.failed', filters });
    if (path === 'fine') await call;
    else expect(await refusalOf(call)).toBe(`BAD_USER_INPUT ${path}`);
  });
});

describe('updateSubscription', () => {
  test('an omitted field keeps its value, null clears a filter and the name', async () => {
    const { member, projectId, channels } = await openProject();
    const filters = {
      priorityMin: 1,
      priorityMax: 5,
      taskNamePattern: 'a',
      queue: 'q',
      cooldownSeconds: 60,
      cooldownBy: 'TASK_NAME',
      mutedUntil: DAY,
    } as const;
    const { subscription } = await bench.createSubscription(member, { projectId, name: 'n', trigger: 'task.failed', filters, channelIds: [channels.member] });
    const id = subscription.id;

    expect((await bench.updateSubscription(member, { id })).subscription).toMatchObject({ ...filters, name: 'n', trigger: 'task.failed', inApp: true });
    const one = await bench.updateSubscription(member, { id, filters: { queue: null, priorityMin: 2 } });
    expect(one.subscription).toMatchObject({ ...filters, queue: null, priorityMin: 2 });
    const cleared = await bench.updateSubscription(member, { id, name: null, filters: { cooldownSeconds: null, cooldownBy: null, mutedUntil: null } });
    expect(cleared.subscription).toMatchObject({
      name: null,
      priorityMin: 2,
      taskNamePattern: 'a',
      cooldownSeconds: 0,
      cooldownBy: 'SUBSCRIPTION',
      mutedUntil: null,
    });
    const all = await bench.updateSubscription(member, { id, filters: null });
    expect(all.subscription).toMatchObject({ priorityMin: null, priorityMax: null, taskNamePattern: null, queue: null });
    expect(await channelsOf(id)).toEqual([channels.member]);

    const changed = await bench.updateSubscription(member, {
      id,
      name: 'm',
      trigger: 'task.slow',
      inApp: false,
      isActive: false,
      channelIds: [channels.project],
    });
    expect(changed.subscription).toMatchObject({ name: 'm', trigger: 'task.slow', inApp: false, isActive: false });
    expect(await channelsOf(id)).toEqual([channels.project]);
    await bench.updateSubscription(member, { id, channelIds: [] });
    expect(await channelsOf(id)).toEqual([]);
  });

  test('a new bound is compared with the stored one', async () => {
    const { member, projectId } = await openProject();
    const { subscription } = await bench.createSubscription(member, { projectId, trigger: 'task.failed', filters: { priorityMax: 3 } });
    expect(await refusalOf(bench.updateSubscription(member, { id: subscription.id, filters: { priorityMin: 4 } }))).toBe('BAD_USER_INPUT filters.priorityMin');
  });

  test('what cannot be none is refused as null', async () => {
    const { member, projectId } = await openProject();
    const { subscription } = await bench.createSubscription(member, { projectId, trigger: 'task.failed' });
    const input = { id: subscription.id, trigger: null, inApp: null, isActive: null, channelIds: null };
    expect(await refusalOf(bench.updateSubscription(member, input))).toBe('BAD_USER_INPUT trigger inApp isActive channelIds');
  });

  test('the rules of creation hold: channels, inbox, names', async () => {
    const { admin, member, projectId, channels } = await openProject();
    const own = await bench.createSubscription(member, { projectId, name: 'own', trigger: 'task.failed' });
    const second = await bench.createSubscription(member, { projectId, name: 'second', trigger: 'task.failed' });
    const team = await bench.createSubscription(admin, { projectId, team: true, trigger: 'task.failed', channelIds: [channels.project] });
    const input = { id: own.subscription.id };
    expect(await refusalOf(bench.updateSubscription(member, { ...input, channelIds: [channels.project, channels.admin] }))).toBe('NOT_FOUND channelIds.1');
    expect(await refusalOf(bench.updateSubscription(member, { ...input, channelIds: Array.from({ length: 65 }, () => channels.project) }))).toBe(
      'BAD_USER_INPUT channelIds',
    );
    expect(await refusalOf(bench.updateSubscription(member, { ...input, name: 'second' }))).toBe('CONFLICT name');
    expect(await refusalOf(bench.updateSubscription(admin, { id: team.subscription.id, inApp: true }))).toBe('BAD_USER_INPUT inApp');
    expect(await refusalOf(bench.updateSubscription(admin, { id: team.subscription.id, channelIds: [channels.admin] }))).toBe('NOT_FOUND channelIds.0');
    await bench.updateSubscription(member, { id: second.subscription.id, name: 'second' });
  });

  test('switching off cancels what waits for it alone; muting does not', async () => {
    const { member, projectId, channels } = await openProject();
    const input = { projectId, trigger: 'task.failed', channelIds: [channels.project] } as const;
    const [one, two] = [await bench.createSubscription(member, input), await bench.createSubscription(member, input)];
    const ids = [one.subscription.id, two.subscription.id];
    const alone = await insertDelivery(bench, { projectId, channelId: channels.project, subscriptionIds: ids.slice(0, 1) });
    const shared = await insertDelivery(bench, { projectId, channelId: channels.project, subscriptionIds: ids });
    await bench.updateSubscription(member, { id: one.subscription.id, filters: { mutedUntil: DAY } });
    expect((await deliveryState(bench, alone))?.status).toBe('QUEUED');
    await bench.updateSubscription(member, { id: one.subscription.id, isActive: false });
    expect(await deliveryState(bench, alone)).toEqual({ status: 'CANCELLED', reason: 'NO_SUBSCRIPTION', hasJob: false });
    expect(await deliveryState(bench, shared)).toEqual({ status: 'QUEUED', reason: null, hasJob: true });
    expect(bench.wakeups.sent.deliveries).toEqual([[projectId, [alone]]]);
    await bench.updateSubscription(member, { id: two.subscription.id, isActive: false });
    expect((await deliveryState(bench, shared))?.status).toBe('CANCELLED');
  });

  test('what the cooldown counted is dropped where it counts by something else or not at all, and kept otherwise', async () => {
    const { member, projectId } = await openProject();
    const { subscription } = await bench.createSubscription(member, {
      projectId,
      trigger: 'task.failed',
      filters: { cooldownSeconds: 60, cooldownBy: 'AGENT' },
    });
    const id = subscription.id;
    const count = async (): Promise<number> => await bench.db.prisma.cooldown.count({ where: { subscriptionId: id } });
    const fire = async (): Promise<unknown> =>
      await bench.db.prisma.cooldown.create({ data: { subscriptionId: id, key: 'k', lastFiredAt: new Date(), claim: uuidv7() } });
    await fire();
    await bench.updateSubscription(member, { id, filters: { cooldownSeconds: 120, queue: 'q' } });
    expect(await count()).toBe(1);
    await bench.updateSubscription(member, { id, filters: { cooldownBy: 'TASK_NAME' } });
    expect(await count()).toBe(0);
    await fire();
    await bench.updateSubscription(member, { id, filters: { cooldownSeconds: 0 } });
    expect(await count()).toBe(0);
  });
});

describe('deleteSubscription', () => {
  test('cancels what waits for it alone', async () => {
    const { member, projectId, channels } = await openProject();
    const { subscription } = await bench.createSubscription(member, { projectId, trigger: 'task.failed', channelIds: [channels.project] });
    const deliveryId = await insertDelivery(bench, { projectId, channelId: channels.project, subscriptionIds: [subscription.id] });
    expect(await bench.deleteSubscription(member, { id: subscription.id })).toEqual({ id: subscription.id });
    expect(await deliveryState(bench, deliveryId)).toEqual({ status: 'CANCELLED', reason: 'NO_SUBSCRIPTION', hasJob: false });
    expect(bench.wakeups.sent.deliveries).toEqual([[projectId, [deliveryId]]]);
    expect(await refusalOf(bench.deleteSubscription(member, { id: subscription.id }))).toBe('NOT_FOUND id');
  });
});

describe('who may change a subscription', () => {
  test('a personal one: its owner alone; a team one: the project’s admins', async () => {
    const { admin, member, projectId, channels } = await openProject();
    const stranger = await insertUser(bench);
    const own = (await bench.createSubscription(member, { projectId, trigger: 'task.failed' })).subscription.id;
    const team = (await bench.createSubscription(admin, { projectId, team: true, trigger: 'task.failed', channelIds: [channels.project] })).subscription.id;
    for (const change of [bench.updateSubscription, bench.deleteSubscription]) {
      for (const viewer of [admin, bench.root, stranger, agentOf(projectId)]) expect(await refusalOf(change(viewer, { id: own }))).toBe('NOT_FOUND id');
      expect(await refusalOf(change(member, { id: team }))).toBe('FORBIDDEN');
      for (const viewer of [stranger, agentOf(projectId)]) expect(await refusalOf(change(viewer, { id: team }))).toBe('NOT_FOUND id');
    }
    await bench.updateSubscription(bench.root, { id: team, isActive: false });
    await bench.deleteSubscription(admin, { id: team });
    await bench.deleteSubscription(member, { id: own });
  });
});

describe('muteSubscriptions', () => {
  test('mutes and unmutes one’s own, everywhere or in one project, and counts what it altered', async () => {
    const { admin, member, projectId, channels } = await openProject();
    const other = await insertProject(bench, [[member, 'MEMBER']]);
    const own = [(await bench.createSubscription(member, { projectId, trigger: 'task.failed' })).subscription.id];
    own.push((await bench.createSubscription(member, { projectId, trigger: 'task.slow' })).subscription.id);
    own.push((await bench.createSubscription(member, { projectId: other, trigger: 'task.slow' })).subscription.id);
    const foreign = [(await bench.createSubscription(admin, { projectId, trigger: 'task.failed' })).subscription.id];
    foreign.push((await bench.createSubscription(admin, { projectId, team: true, trigger: 'task.failed', channelIds: [channels.project] })).subscription.id);
    const muted = async (ids: string[]): Promise<(Date | null)[]> => {
      const rows = await bench.db.prisma.notificationSubscription.findMany({ where: { id: { in: ids } }, orderBy: { id: 'asc' } });
      return rows.map(({ mutedUntil }) => mutedUntil);
    };
    const versions = [await rulesVersion(bench, projectId), await rulesVersion(bench, other)];

    expect(await bench.muteSubscriptions(member, { projectId, until: DAY })).toEqual({ changed: 2 });
    expect(await muted(own)).toEqual([DAY, DAY, null]);
    expect(await bench.muteSubscriptions(member, { until: DAY })).toEqual({ changed: 1 });
    expect(await muted(own)).toEqual([DAY, DAY, DAY]);
    expect(await bench.muteSubscriptions(member, { until: null })).toEqual({ changed: 3 });
    expect(await bench.muteSubscriptions(member, { until: null })).toEqual({ changed: 0 });
    expect(await muted([...own, ...foreign])).toEqual([null, null, null, null, null]);
    expect([await rulesVersion(bench, projectId), await rulesVersion(bench, other)]).toEqual([(versions[0] ?? 0) + 2, (versions[1] ?? 0) + 2]);
  });

  test('of a project that one does not know is not found', async () => {
    const { projectId } = await openProject();
    expect(await refusalOf(bench.muteSubscriptions(await insertUser(bench), { projectId, until: DAY }))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(bench.muteSubscriptions(agentOf(projectId), { until: DAY }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.muteSubscriptions(bench.root, { until: new Date(Number.NaN) }))).toBe('BAD_USER_INPUT until');
  });
});
