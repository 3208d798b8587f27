import { describe, expect, test } from 'vitest';
import { uuidv7 } from '../../src/lib/id.ts';
import { agentOf, freshName, insertProject, insertUser, openBench, refusalOf } from './support.ts';

const bench = openBench('NO_JOBS');
const config = { webhook: { url: 'https://receiver.example/' } };

describe('default subscriptions', () => {
  test('are made, changed and deleted by the project’s admins, with the project’s channels', async () => {
    const admin = await insertUser(bench);
    const projectId = await insertProject(bench, [[admin, 'ADMIN']]);
    const { channel } = await bench.createChannel(admin, { projectId, name: 'hook', config });
    const filters = { priorityMin: 1, queue: 'q', cooldownSeconds: 60, cooldownBy: 'AGENT' } as const;
    const made = await bench.createDefaultSubscription(admin, { projectId, trigger: 'task.failed', filters, channelIds: [channel.id, channel.id] });
    const id = made.defaultSubscription.id;
    expect(made.defaultSubscription).toMatchObject({ projectId, trigger: 'task.failed', inApp: true, ...filters });

    const changed = await bench.updateDefaultSubscription(admin, { id, trigger: 'task.slow', filters: { queue: null }, inApp: false });
    expect(changed.defaultSubscription).toMatchObject({ trigger: 'task.slow', inApp: false, ...filters, queue: null });
    expect(await bench.db.prisma.defaultChannel.findMany({ where: { defaultId: id } })).toEqual([{ defaultId: id, channelId: channel.id }]);
    await bench.updateDefaultSubscription(admin, { id, channelIds: [] });
    expect(await bench.db.prisma.defaultChannel.count({ where: { defaultId: id } })).toBe(0);

    expect(await bench.deleteDefaultSubscription(admin, { id })).toEqual({ id });
    expect(await refusalOf(bench.deleteDefaultSubscription(admin, { id }))).toBe('NOT_FOUND id');
  });

  test('a change leaves the copies that members have alone', async () => {
    const ada = await insertUser(bench);
    const projectId = await insertProject(bench);
    const { defaultSubscription } = await bench.createDefaultSubscription(bench.root, { projectId, trigger: 'task.failed' });
    await bench.setMember(bench.root, { projectId, userId: ada.userId, role: 'MEMBER' });
    await bench.updateDefaultSubscription(bench.root, { id: defaultSubscription.id, trigger: 'task.slow' });
    await bench.deleteDefaultSubscription(bench.root, { id: defaultSubscription.id });
    expect(await bench.db.prisma.notificationSubscription.findMany({ where: { projectId } })).toMatchObject([{ userId: ada.userId, trigger: 'task.failed' }]);
  });

  test('point to no personal channel, not even the admin’s own', async () => {
    const admin = await insertUser(bench);
    const projectId = await insertProject(bench, [[admin, 'ADMIN']]);
    const { channel } = await bench.createChannel(admin, { name: freshName(), config });
    const input = { projectId, trigger: 'task.failed', channelIds: [channel.id] } as const;
    expect(await refusalOf(bench.createDefaultSubscription(admin, input))).toBe('NOT_FOUND channelIds.0');
    const { defaultSubscription } = await bench.createDefaultSubscription(admin, { ...input, channelIds: null });
    expect(await refusalOf(bench.updateDefaultSubscription(admin, { id: defaultSubscription.id, channelIds: [channel.id] }))).toBe('NOT_FOUND channelIds.0');
  });

  test('are held to the rules of subscriptions', async () => {
    const projectId = await insertProject(bench);
    const input = { projectId, trigger: 'task.failed' } as const;
    expect(await refusalOf(bench.createDefaultSubscription(bench.root, { ...input, inApp: false, filters: { cooldownSeconds: -1 } }))).toBe(
      'BAD_USER_INPUT filters.cooldownSeconds channelIds',
    );
    const channelIds = Array.from({ length: 65 }, () => uuidv7());
    expect(await refusalOf(bench.createDefaultSubscription(bench.root, { ...input, channelIds }))).toBe('BAD_USER_INPUT channelIds');
    const { defaultSubscription } = await bench.createDefaultSubscription(bench.root, input);
    const update = { id: defaultSubscription.id, trigger: null, inApp: null, channelIds: null, filters: { priorityMin: 2, priorityMax: 1 } };
    expect(await refusalOf(bench.updateDefaultSubscription(bench.root, update))).toBe('BAD_USER_INPUT trigger inApp channelIds filters.priorityMin');
    expect(await refusalOf(bench.updateDefaultSubscription(bench.root, { id: update.id, channelIds }))).toBe('BAD_USER_INPUT channelIds');
  });

  test('members know of them, strangers do not', async () => {
    const member = await insertUser(bench);
    const projectId = await insertProject(bench, [[member, 'MEMBER']]);
    const input = { projectId, trigger: 'task.failed' } as const;
    const { id } = (await bench.createDefaultSubscription(bench.root, input)).defaultSubscription;
    expect(await refusalOf(bench.createDefaultSubscription(member, input))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createDefaultSubscription(await insertUser(bench), input))).toBe('NOT_FOUND projectId');
    for (const change of [bench.updateDefaultSubscription, bench.deleteDefaultSubscription]) {
      expect(await refusalOf(change(member, { id }))).toBe('FORBIDDEN');
      expect(await refusalOf(change(await insertUser(bench), { id }))).toBe('NOT_FOUND id');
      expect(await refusalOf(change(agentOf(projectId), { id }))).toBe('NOT_FOUND id');
    }
  });
});
