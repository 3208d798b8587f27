import { describe, expect, test } from 'vitest';
import { searchUsers } from '../../src/service/visible.ts';
import { agentOf, deliveryState, freshName, insertDelivery, insertItem, insertProject, insertUser, openBench, refusalOf } from './support.ts';

const bench = openBench();

describe('createUser', () => {
  test('an instance admin makes a user, with an inbox and the address in lower case', async () => {
    const { user } = await bench.createUser(bench.root, { email: ' Ada@Example.com ', name: ' Ada ' });
    expect(user).toMatchObject({ email: 'ada@example.com', name: 'Ada', isAdmin: false, createdAt: new Date(bench.clock.now()) });
    expect(await bench.db.prisma.inbox.findUnique({ where: { userId: user.id } })).toMatchObject({ head: 0n, unread: 0, unseen: 0 });
  });

  test('an address is taken once, in any case', async () => {
    await bench.createUser(bench.root, { email: 'once@example.com', name: 'One' });
    expect(await refusalOf(bench.createUser(bench.root, { email: 'ONCE@example.com', name: 'Two' }))).toBe('CONFLICT email');
  });

  test('two of the same address at once: one is made', async () => {
    const calls = [1, 2].map(async () => await bench.createUser(bench.root, { email: 'race@example.com', name: 'Racer' }));
    const results = await Promise.allSettled(calls);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await bench.db.prisma.user.count({ where: { email: 'race@example.com' } })).toBe(1);
  });

  test('every problem is named at once', async () => {
    expect(await refusalOf(bench.createUser(bench.root, { email: 'nobody', name: ' ' }))).toBe('BAD_USER_INPUT email name');
  });

  test('nobody else makes users', async () => {
    const input = { email: 'eve@example.com', name: 'Eve' };
    expect(await refusalOf(bench.createUser(await insertUser(bench), input))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createUser(agentOf(await insertProject(bench)), input))).toBe('FORBIDDEN');
    expect(await bench.db.prisma.user.count({ where: { email: input.email } })).toBe(0);
  });
});

describe('updateUser', () => {
  test('a user changes the own name, and no more', async () => {
    const ada = await insertUser(bench);
    const { user } = await bench.updateUser(ada, { id: ada.userId, name: 'Countess' });
    expect(user.name).toBe('Countess');
    expect(await refusalOf(bench.updateUser(ada, { id: ada.userId, isAdmin: true }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.updateUser(ada, { id: bench.root.userId, name: 'Servant' }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.updateUser(ada, { id: agentOf('x').tokenId ?? '', name: 'Nobody' }))).toBe('FORBIDDEN');
  });

  test('an instance admin appoints another, and rights are looked at again', async () => {
    const ada = await insertUser(bench);
    expect((await bench.updateUser(bench.root, { id: ada.userId, isAdmin: true })).user.isAdmin).toBe(true);
    expect(bench.wakeups.sent.access).toBe(1);
    expect((await bench.updateUser(bench.root, { id: ada.userId, isAdmin: false })).user.isAdmin).toBe(false);
    expect(bench.wakeups.sent.access).toBe(2);
  });

  test('a change of the name takes no rights away', async () => {
    await bench.updateUser(bench.root, { id: bench.root.userId, name: 'Root' });
    expect(bench.wakeups.sent.access).toBe(0);
  });

  test('null is no name and no answer', async () => {
    expect(await refusalOf(bench.updateUser(bench.root, { id: bench.root.userId, name: null, isAdmin: null }))).toBe('BAD_USER_INPUT name isAdmin');
  });

  test('who does not exist is not found', async () => {
    expect(await refusalOf(bench.updateUser(bench.root, { id: agentOf('x').tokenId ?? '', name: 'Nobody' }))).toBe('NOT_FOUND id');
  });
});

describe('the last instance admin', () => {
  test('is neither demoted nor deleted', async () => {
    expect(await refusalOf(bench.updateUser(bench.root, { id: bench.root.userId, isAdmin: false }))).toBe('CONFLICT isAdmin');
    expect(await refusalOf(bench.deleteUser(bench.root, { id: bench.root.userId }))).toBe('CONFLICT id');
  });

  test('two admins who delete each other at once: one stays', async () => {
    const other = await insertUser(bench, { isAdmin: true });
    const third = await insertUser(bench, { isAdmin: true });
    await bench.db.prisma.user.update({ where: { id: bench.root.userId }, data: { isAdmin: false } });
    try {
      const results = await Promise.allSettled([bench.deleteUser(other, { id: third.userId }), bench.deleteUser(third, { id: other.userId })]);
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await bench.db.prisma.user.count({ where: { isAdmin: true } })).toBe(1);
    } finally {
      await bench.db.prisma.user.update({ where: { id: bench.root.userId }, data: { isAdmin: true } });
      await bench.db.prisma.user.updateMany({ where: { id: { not: bench.root.userId } }, data: { isAdmin: false } });
    }
  });

  test('one who demotes itself while another is deleted: one stays', async () => {
    const other = await insertUser(bench, { isAdmin: true });
    const results = await Promise.allSettled([
      bench.updateUser(bench.root, { id: bench.root.userId, isAdmin: false }),
      bench.deleteUser(bench.root, { id: other.userId }),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await bench.db.prisma.user.update({ where: { id: bench.root.userId }, data: { isAdmin: true } });
    await bench.db.prisma.user.deleteMany({ where: { id: other.userId } });
  });
});

describe('deleteUser', () => {
  test('takes all that is the user’s alone, and cancels what waits for it', async () => {
    const ada = await insertUser(bench);
    const projectId = await insertProject(bench, [
      [bench.root, 'ADMIN'],
      [ada, 'MEMBER'],
    ]);
    await bench.createToken(ada, { name: 'laptop' });
    const { channel } = await bench.createChannel(ada, { name: 'mine', config: { webhook: { url: 'https://example.com/' } } });
    const { subscription } = await bench.createSubscription(ada, { projectId, trigger: 'task.failed', channelIds: [channel.id] });
    const deliveryId = await insertDelivery(bench, { projectId, channelId: channel.id, subscriptionIds: [subscription.id], viewerId: ada.userId });
    await insertItem(bench, ada.userId, projectId);
    bench.wakeups.sent.access = 0;

    expect(await bench.deleteUser(bench.root, { id: ada.userId })).toEqual({ id: ada.userId });

    const where = { where: { userId: ada.userId } };
    const left = await Promise.all([
      bench.db.prisma.user.count({ where: { id: ada.userId } }),
      bench.db.prisma.apiToken.count(where),
      bench.db.prisma.channel.count(where),
      bench.db.prisma.notificationSubscription.count(where),
      bench.db.prisma.membership.count(where),
      bench.db.prisma.inbox.count(where),
      bench.db.prisma.inboxItem.count(where),
      bench.db.prisma.inboxChange.count(where),
      bench.db.prisma.deliveryViewer.count(where),
    ]);
    expect(left).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(await deliveryState(bench, deliveryId)).toEqual({ status: 'CANCELLED', reason: 'NO_SUBSCRIPTION', hasJob: false });
    expect(bench.wakeups.sent).toEqual({ inbox: [], deliveries: [[projectId, [deliveryId]]], access: 1 });
  });

  test('the last admin of a project is appointed a successor first', async () => {
    const ada = await insertUser(bench);
    const projectId = await insertProject(bench, [[ada, 'ADMIN']]);
    expect(await refusalOf(bench.deleteUser(bench.root, { id: ada.userId }))).toBe('CONFLICT id');
    await bench.setMember(bench.root, { projectId, userId: bench.root.userId, role: 'ADMIN' });
    await bench.deleteUser(bench.root, { id: ada.userId });
    expect(await bench.db.prisma.membership.count({ where: { projectId } })).toBe(1);
  });

  test('a subscription that an instance admin has without membership goes too', async () => {
    const admin = await insertUser(bench, { isAdmin: true });
    const projectId = await insertProject(bench);
    await bench.createSubscription(admin, { projectId, trigger: 'task.failed' });
    await bench.deleteUser(bench.root, { id: admin.userId });
    expect(await bench.db.prisma.notificationSubscription.count({ where: { projectId } })).toBe(0);
  });

  test('a user who joins a project while being deleted leaves nothing behind', async () => {
    const projectId = await insertProject(bench, [[bench.root, 'ADMIN']]);
    await bench.createDefaultSubscription(bench.root, { projectId, trigger: 'task.failed' });
    for (let round = 0; round < 5; round += 1) {
      const ada = await insertUser(bench);
      await Promise.allSettled([
        bench.setMember(bench.root, { projectId, userId: ada.userId, role: 'MEMBER' }),
        bench.deleteUser(bench.root, { id: ada.userId }),
      ]);
      expect(await bench.db.prisma.user.count({ where: { id: ada.userId } })).toBe(0);
      expect(await bench.db.prisma.notificationSubscription.count({ where: { userId: ada.userId } })).toBe(0);
    }
  });

  test('nobody else deletes users, and who does not exist is not found', async () => {
    const ada = await insertUser(bench);
    expect(await refusalOf(bench.deleteUser(ada, { id: ada.userId }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.deleteUser(bench.root, { id: agentOf('x').tokenId ?? '' }))).toBe('NOT_FOUND id');
  });
});

describe('searchUsers', () => {
  async function find(query: string | null): Promise<string[]> {
    const rows = await bench.db.prisma.user.findMany({
      where: { AND: [searchUsers(query), { email: { endsWith: '.search.example' } }] },
      orderBy: { email: 'asc' },
    });
    return rows.map(({ email }) => email.split('@')[0] ?? '');
  }

  test('finds a part of name or address in any case, and takes wildcards as they are', async () => {
    for (const [local, name] of [
      ['ada', 'Countess'],
      ['bob', '100% Bob_by'],
      ['c_c', freshName('back\\slash')],
    ] as const) {
      await bench.createUser(bench.root, { email: `${local}@x.search.example`, name });
    }
    expect(await find('COUNT')).toEqual(['ada']);
    expect(await find('BOB@')).toEqual(['bob']);
    expect(await find('0%')).toEqual(['bob']);
    expect(await find('%')).toEqual(['bob']);
    expect(await find('_')).toEqual(['bob', 'c_c']);
    expect(await find('k\\s')).toEqual(['c_c']);
    expect(await find(' ')).toEqual(['ada', 'bob', 'c_c']);
    expect(await find(null)).toEqual(['ada', 'bob', 'c_c']);
  });
});
