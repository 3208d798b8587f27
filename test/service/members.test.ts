import { describe, expect, test } from 'vitest';
import type { Viewer } from '../../src/domain/viewer.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { agentOf, deliveryState, insertDelivery, insertItem, insertProject, insertUser, openBench, refusalOf, rulesVersion } from './support.ts';

const bench = openBench();
type User = Viewer & { kind: 'user' };

async function rolesOf(projectId: string): Promise<Record<string, string>> {
  const rows = await bench.db.prisma.membership.findMany({ where: { projectId } });
  return Object.fromEntries(rows.map(({ userId, role }) => [userId, role]));
}

async function subscriptionsOf(projectId: string, userId: string): Promise<{ trigger: string; channels: { channelId: string }[] }[]> {
  return await bench.db.prisma.notificationSubscription.findMany({
    where: { projectId, userId },
    select: { trigger: true, channels: { select: { channelId: true } } },
    orderBy: { id: 'asc' },
  });
}

describe('setMember', () => {
  test('makes a user a member by id or by address, in any case', async () => {
    const admin = await insertUser(bench);
    const ada = await insertUser(bench, { email: 'ada@members.example' });
    const bob = await insertUser(bench);
    const projectId = await insertProject(bench, [[admin, 'ADMIN']]);
    const { project, membership } = await bench.setMember(admin, { projectId, email: ' Ada@Members.example', role: 'MEMBER' });
    expect(project.id).toBe(projectId);
    expect(membership).toMatchObject({ userId: ada.userId, role: 'MEMBER', joinedAt: new Date(bench.clock.now()) });
    await bench.setMember(admin, { projectId, userId: bob.userId, role: 'ADMIN' });
    expect(await rolesOf(projectId)).toEqual({ [admin.userId]: 'ADMIN', [ada.userId]: 'MEMBER', [bob.userId]: 'ADMIN' });
  });

  test.each([
    ['neither', {}, 'BAD_USER_INPUT userId'],
    ['both', { userId: uuidv7(), email: 'ada@example.com' }, 'BAD_USER_INPUT userId'],
    ['both null', { userId: null, email: null }, 'BAD_USER_INPUT userId'],
    ['an unknown id', { userId: uuidv7() }, 'NOT_FOUND userId'],
    ['an unknown address', { email: 'nobody@members.example' }, 'NOT_FOUND email'],
    ['no address', { email: 'nobody' }, 'BAD_USER_INPUT email'],
  ])('of userId and email, %s: %s', async (_, who, refusal) => {
    const projectId = await insertProject(bench);
    expect(await refusalOf(bench.setMember(bench.root, { projectId, role: 'MEMBER', ...who }))).toBe(refusal);
  });

  test('joining copies the defaults once, with their filters and channels', async () => {
    const projectId = await insertProject(bench);
    const { channel } = await bench.createChannel(bench.root, { projectId, name: 'hook', config: { webhook: { url: 'https://example.com/' } } });
    const mutedUntil = new Date('2027-01-01T00:00:00Z');
    const filters = { priorityMin: 1, priorityMax: 5, taskNamePattern: 'a.*', queue: 'q', cooldownSeconds: 60, cooldownBy: 'AGENT', mutedUntil } as const;
    await bench.createDefaultSubscription(bench.root, { projectId, trigger: 'task.slow', filters, inApp: false, channelIds: [channel.id] });
    const ada = await insertUser(bench);
    await bench.setMember(bench.root, { projectId, userId: ada.userId, role: 'MEMBER' });
    const where = { where: { projectId, userId: ada.userId }, include: { channels: true } };
    const copies = await bench.db.prisma.notificationSubscription.findMany(where);
    expect(copies).toMatchObject([
      {
        ...filters,
        trigger: 'task.slow',
        name: null,
        inApp: false,
        isActive: true,
        isDefaultCopy: true,
        ownerId: ada.userId,
        channels: [{ channelId: channel.id }],
      },
    ]);

    await bench.setMember(bench.root, { projectId, userId: ada.userId, role: 'ADMIN' });
    expect(await subscriptionsOf(projectId, ada.userId)).toHaveLength(1);
  });

  test('two joins at once copy the defaults once', async () => {
    const projectId = await insertProject(bench);
    await bench.createDefaultSubscription(bench.root, { projectId, trigger: 'task.failed' });
    const ada = await insertUser(bench);
    await Promise.all([1, 2].map(async () => await bench.setMember(bench.root, { projectId, userId: ada.userId, role: 'MEMBER' })));
    expect(await subscriptionsOf(projectId, ada.userId)).toHaveLength(1);
  });

  test('moves the rules’ version: the matcher has members in it', async () => {
    const projectId = await insertProject(bench);
    await bench.setMember(bench.root, { projectId, userId: bench.root.userId, role: 'ADMIN' });
    expect(await rulesVersion(bench, projectId)).toBe(1);
  });

  test('the last admin is not demoted, by whomever', async () => {
    const admin = await insertUser(bench);
    const projectId = await insertProject(bench, [
      [admin, 'ADMIN'],
      [bench.root, 'MEMBER'],
    ]);
    for (const viewer of [admin, bench.root]) {
      expect(await refusalOf(bench.setMember(viewer, { projectId, userId: admin.userId, role: 'MEMBER' }))).toBe('CONFLICT role');
    }
    await bench.setMember(admin, { projectId, userId: admin.userId, role: 'ADMIN' });
    expect(await rolesOf(projectId)).toMatchObject({ [admin.userId]: 'ADMIN' });
  });

  test('a lower role makes live connections look again', async () => {
    const [admin, other] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [admin, 'ADMIN'],
      [other, 'ADMIN'],
    ]);
    await bench.setMember(admin, { projectId, userId: other.userId, role: 'MEMBER' });
    expect(bench.wakeups.sent.access).toBe(1);
  });

  test('is for the project’s admins', async () => {
    const member = await insertUser(bench);
    const projectId = await insertProject(bench, [[member, 'MEMBER']]);
    const input = { projectId, userId: member.userId, role: 'ADMIN' } as const;
    expect(await refusalOf(bench.setMember(member, input))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.setMember(agentOf(projectId), input))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.setMember(await insertUser(bench), input))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(bench.setMember(bench.root, { ...input, projectId: uuidv7() }))).toBe('NOT_FOUND projectId');
    expect(await rolesOf(projectId)).toEqual({ [member.userId]: 'MEMBER' });
  });
});

/** A member with all that leaving must take: a subscription whose channel a delivery waits for, and inbox items there and elsewhere. */
async function settle(ada: User): Promise<{ projectId: string; other: string; own: string; shared: string }> {
  const projectId = await insertProject(bench, [
    [bench.root, 'ADMIN'],
    [ada, 'MEMBER'],
  ]);
  const other = await insertProject(bench, [[ada, 'MEMBER']]);
  const { channel } = await bench.createChannel(bench.root, { projectId, name: 'hook', config: { webhook: { url: 'https://example.com/' } } });
  const channelIds = [channel.id];
  const own = await bench.createSubscription(ada, { projectId, name: 'own', trigger: 'task.failed', channelIds });
  const team = await bench.createSubscription(bench.root, { projectId, team: true, trigger: 'task.failed', channelIds });
  await bench.createSubscription(ada, { projectId: other, trigger: 'task.failed' });
  await insertItem(bench, ada.userId, projectId);
  await insertItem(bench, ada.userId, other);
  const delivery = { projectId, channelId: channel.id, viewerId: ada.userId };
  return {
    projectId,
    other,
    own: await insertDelivery(bench, { ...delivery, subscriptionIds: [own.subscription.id] }),
    shared: await insertDelivery(bench, { ...delivery, subscriptionIds: [own.subscription.id, team.subscription.id] }),
  };
}

describe.each(['leaveProject', 'removeMember'] as const)('%s', (how) => {
  async function end(ada: User, projectId: string): Promise<void> {
    if (how === 'leaveProject') expect(await bench.leaveProject(ada, { projectId })).toEqual({ id: projectId });
    else expect((await bench.removeMember(bench.root, { projectId, userId: ada.userId })).project.id).toBe(projectId);
  }

  test('ends the membership, its subscriptions, and what waits for them alone; elsewhere all stays', async () => {
    const ada = await insertUser(bench);
    const { projectId, other, own, shared } = await settle(ada);
    await end(ada, projectId);
    expect(await rolesOf(projectId)).toEqual({ [bench.root.userId]: 'ADMIN' });
    expect(await subscriptionsOf(projectId, ada.userId)).toEqual([]);
    expect(await subscriptionsOf(other, ada.userId)).toHaveLength(1);
    expect(await deliveryState(bench, own)).toEqual({ status: 'CANCELLED', reason: 'NO_SUBSCRIPTION', hasJob: false });
    expect(await deliveryState(bench, shared)).toEqual({ status: 'QUEUED', reason: null, hasJob: true });
    expect(await bench.db.prisma.deliveryViewer.count({ where: { userId: ada.userId } })).toBe(0);
  });

  test('removes the project’s items from the inbox, as one change, and wakes who must know', async () => {
    const ada = await insertUser(bench);
    const { projectId, other, own } = await settle(ada);
    bench.wakeups.sent = { inbox: [], deliveries: [], access: 0 };
    await end(ada, projectId);
    expect(await bench.db.prisma.inbox.findUnique({ where: { userId: ada.userId } })).toMatchObject({ head: 3n, unread: 1, unseen: 1 });
    expect(await bench.db.prisma.inboxItem.findMany({ where: { userId: ada.userId } })).toMatchObject([{ projectId: other }]);
    expect(bench.wakeups.sent).toEqual({ inbox: [ada.userId], deliveries: [[projectId, [own]]], access: 1 });
  });

  test('joining again copies the defaults anew', async () => {
    const ada = await insertUser(bench);
    const projectId = await insertProject(bench, [[bench.root, 'ADMIN']]);
    await bench.createDefaultSubscription(bench.root, { projectId, trigger: 'task.failed' });
    await bench.setMember(bench.root, { projectId, userId: ada.userId, role: 'MEMBER' });
    await end(ada, projectId);
    expect(await subscriptionsOf(projectId, ada.userId)).toEqual([]);
    await bench.createDefaultSubscription(bench.root, { projectId, trigger: 'task.slow' });
    await bench.setMember(bench.root, { projectId, userId: ada.userId, role: 'MEMBER' });
    expect((await subscriptionsOf(projectId, ada.userId)).map(({ trigger }) => trigger)).toEqual(['task.failed', 'task.slow']);
  });
});

describe('the last admin of a project', () => {
  test('neither leaves nor is removed', async () => {
    const admin = await insertUser(bench);
    const projectId = await insertProject(bench, [
      [admin, 'ADMIN'],
      [await insertUser(bench), 'MEMBER'],
    ]);
    expect(await refusalOf(bench.leaveProject(admin, { projectId }))).toBe('CONFLICT projectId');
    expect(await refusalOf(bench.removeMember(bench.root, { projectId, userId: admin.userId }))).toBe('CONFLICT userId');
    expect(await rolesOf(projectId)).toMatchObject({ [admin.userId]: 'ADMIN' });
  });

  test('of two who leave at once one stays', async () => {
    const [ada, bob] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [ada, 'ADMIN'],
      [bob, 'ADMIN'],
    ]);
    const results = await Promise.allSettled([ada, bob].map(async (viewer) => await bench.leaveProject(viewer, { projectId })));
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(Object.values(await rolesOf(projectId))).toEqual(['ADMIN']);
  });

  test('of two who demote each other at once one stays', async () => {
    const [ada, bob] = [await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [ada, 'ADMIN'],
      [bob, 'ADMIN'],
    ]);
    const results = await Promise.allSettled([
      bench.setMember(ada, { projectId, userId: bob.userId, role: 'MEMBER' }),
      bench.setMember(bob, { projectId, userId: ada.userId, role: 'MEMBER' }),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(Object.values(await rolesOf(projectId)).sort()).toEqual(['ADMIN', 'MEMBER']);
  });
});

describe('who may', () => {
  test('removing is for the project’s admins, leaving for its members', async () => {
    const member = await insertUser(bench);
    const stranger = await insertUser(bench);
    const projectId = await insertProject(bench, [
      [bench.root, 'ADMIN'],
      [member, 'MEMBER'],
    ]);
    expect(await refusalOf(bench.removeMember(member, { projectId, userId: bench.root.userId }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.removeMember(stranger, { projectId, userId: member.userId }))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(bench.removeMember(bench.root, { projectId, userId: stranger.userId }))).toBe('NOT_FOUND userId');
    expect(await refusalOf(bench.leaveProject(stranger, { projectId }))).toBe('NOT_FOUND projectId');
    expect(await refusalOf(bench.leaveProject(agentOf(projectId), { projectId }))).toBe('FORBIDDEN');
  });

  test('an instance admin who is no member has nothing to leave', async () => {
    expect(await refusalOf(bench.leaveProject(bench.root, { projectId: await insertProject(bench) }))).toBe('NOT_FOUND projectId');
  });
});
