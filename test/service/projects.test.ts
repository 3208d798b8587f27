import { describe, expect, test } from 'vitest';
import { uuidv7 } from '../../src/lib/id.ts';
import { agentOf, deliveryState, insertDelivery, insertItem, insertProject, insertUser, openBench, refusalOf, rulesVersion } from './support.ts';

const bench = openBench();

describe('createProject', () => {
  test('its creator is its first admin, and has a copy of the first default: task.failed to the inbox', async () => {
    const { project } = await bench.createProject(bench.root, { slug: 'first', name: ' First ', dashboardUrl: 'https://example.com/tocsin' });
    expect(project).toMatchObject({ slug: 'first', name: 'First', dashboardUrl: 'https://example.com/tocsin', taskUrlTemplate: null, offlineAfterSeconds: 30 });
    const where = { where: { projectId: project.id } };
    expect(await bench.db.prisma.membership.findMany(where)).toMatchObject([{ userId: bench.root.userId, role: 'ADMIN' }]);
    expect(await bench.db.prisma.defaultSubscription.findMany(where)).toMatchObject([{ trigger: 'task.failed', inApp: true, cooldownSeconds: 0 }]);
    expect(await bench.db.prisma.notificationSubscription.findMany(where)).toMatchObject([
      { userId: bench.root.userId, ownerId: bench.root.userId, name: null, trigger: 'task.failed', inApp: true, isActive: true, isDefaultCopy: true },
    ]);
  });

  test('a slug is taken once, of two at once too', async () => {
    const calls = [1, 2].map(async () => await bench.createProject(bench.root, { slug: 'race', name: 'Race' }));
    const results = await Promise.allSettled(calls);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await refusalOf(bench.createProject(bench.root, { slug: 'race', name: 'Race' }))).toBe('CONFLICT slug');
  });

  test('every problem is named at once', async () => {
    expect(await refusalOf(bench.createProject(bench.root, { slug: 'A', name: '', dashboardUrl: 'javascript:alert(1)' }))).toBe(
      'BAD_USER_INPUT slug name dashboardUrl',
    );
  });

  test('nobody else makes projects', async () => {
    const input = { slug: 'not-mine', name: 'Not mine' };
    expect(await refusalOf(bench.createProject(await insertUser(bench), input))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.createProject(agentOf(await insertProject(bench)), input))).toBe('FORBIDDEN');
  });
});

describe('updateProject', () => {
  test('changes what is given, null clears a URL, and nothing else', async () => {
    const admin = await insertUser(bench);
    const id = await insertProject(bench, [[admin, 'ADMIN']]);
    const taskUrlTemplate = 'https://flower.example.com/task/{taskId}';
    await bench.updateProject(admin, { id, name: 'New', dashboardUrl: 'https://example.com', taskUrlTemplate });
    expect((await bench.updateProject(admin, { id })).project).toMatchObject({ name: 'New', dashboardUrl: 'https://example.com', taskUrlTemplate });
    expect((await bench.updateProject(admin, { id, dashboardUrl: null })).project).toMatchObject({ name: 'New', dashboardUrl: null, taskUrlTemplate });
    expect((await bench.updateProject(admin, { id, taskUrlTemplate: null })).project.taskUrlTemplate).toBeNull();
  });

  test('every problem is named at once, and nothing is changed', async () => {
    const id = await insertProject(bench);
    const input = { id, name: null, dashboardUrl: 'https://ada@example.com', taskUrlTemplate: 'https://{taskId}/' };
    expect(await refusalOf(bench.updateProject(bench.root, input))).toBe('BAD_USER_INPUT name dashboardUrl taskUrlTemplate');
    expect(await bench.db.prisma.project.findUnique({ where: { id } })).toMatchObject({ name: 'Project', dashboardUrl: null, taskUrlTemplate: null });
  });

  test('is for its admins', async () => {
    const member = await insertUser(bench);
    const id = await insertProject(bench, [[member, 'MEMBER']]);
    expect(await refusalOf(bench.updateProject(member, { id, name: 'Mine' }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.updateProject(await insertUser(bench), { id, name: 'Mine' }))).toBe('NOT_FOUND id');
    expect(await refusalOf(bench.updateProject(agentOf(id), { id, name: 'Mine' }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.updateProject(bench.root, { id: uuidv7(), name: 'Mine' }))).toBe('NOT_FOUND id');
  });

  test('whoever has no rights does not even touch the rules’ version', async () => {
    const member = await insertUser(bench);
    const id = await insertProject(bench, [[member, 'MEMBER']]);
    await refusalOf(bench.updateProject(member, { id, name: 'Mine' }));
    expect(await rulesVersion(bench, id)).toBe(0);
  });
});

describe('deleteProject', () => {
  test('takes all that belongs to it, inbox items in one change a user, and leaves the rest alone', async () => {
    const { project } = await bench.createProject(bench.root, { slug: 'doomed', name: 'Doomed' });
    const ada = await insertUser(bench);
    await bench.setMember(bench.root, { projectId: project.id, userId: ada.userId, role: 'MEMBER' });
    const kept = await insertProject(bench, [[ada, 'MEMBER']]);
    const { channel } = await bench.createChannel(bench.root, {
      projectId: project.id,
      name: 'hook',
      config: { webhook: { url: 'https://example.com/', hmacSecret: 'shh' } },
    });
    await bench.createToken(bench.root, { name: 'agent', projectId: project.id });
    const { subscription } = await bench.createSubscription(bench.root, { projectId: project.id, trigger: 'task.failed', channelIds: [channel.id] });
    const deliveryId = await insertDelivery(bench, {
      projectId: project.id,
      channelId: channel.id,
      subscriptionIds: [subscription.id],
      viewerId: bench.root.userId,
    });
    await bench.db.prisma.event.create({
      data: { id: uuidv7(), projectId: project.id, eventId: 'e1', trigger: 'task.failed', isThin: true, acceptedAt: new Date() },
    });
    await insertItem(bench, ada.userId, project.id);
    await insertItem(bench, ada.userId, kept);
    await insertItem(bench, ada.userId, project.id);
    bench.wakeups.sent.access = 0;

    expect(await bench.deleteProject(bench.root, { id: project.id, slug: 'doomed' })).toEqual({ id: project.id });

    const where = { where: { projectId: project.id } };
    const left = await Promise.all([
      bench.db.prisma.project.count({ where: { id: project.id } }),
      bench.db.prisma.membership.count(where),
      bench.db.prisma.channel.count(where),
      bench.db.prisma.notificationSubscription.count(where),
      bench.db.prisma.defaultSubscription.count(where),
      bench.db.prisma.apiToken.count(where),
      bench.db.prisma.event.count(where),
      bench.db.prisma.delivery.count(where),
      bench.db.prisma.deliveryViewer.count({ where: { deliveryId } }),
      bench.db.prisma.inboxItem.count(where),
    ]);
    expect(left).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(await bench.db.sql.query(`SELECT 1 FROM pgboss.job WHERE data->>'deliveryId' = $1`, [deliveryId])).toEqual([]);
    expect(await bench.db.prisma.inbox.findUnique({ where: { userId: ada.userId } })).toMatchObject({ head: 4n, unread: 1, unseen: 1 });
    const removals = await bench.db.prisma.inboxChange.findMany({ where: { userId: ada.userId, kind: 'REMOVED' } });
    expect(removals).toMatchObject([{ seq: 4n, items: [1n, 3n] }]);
    expect(await bench.db.prisma.inboxItem.findMany({ where: { userId: ada.userId } })).toMatchObject([{ seq: 2n, projectId: kept }]);
    expect(bench.wakeups.sent).toMatchObject({ inbox: [ada.userId], access: 1 });
  });

  test('needs the slug again', async () => {
    const id = await insertProject(bench);
    expect(await refusalOf(bench.deleteProject(bench.root, { id, slug: 'another' }))).toBe('BAD_USER_INPUT slug');
    expect(await bench.db.prisma.project.count({ where: { id } })).toBe(1);
  });

  test('is for instance admins', async () => {
    const admin = await insertUser(bench);
    const id = await insertProject(bench, [[admin, 'ADMIN']]);
    const { slug } = await bench.db.prisma.project.findUniqueOrThrow({ where: { id } });
    expect(await refusalOf(bench.deleteProject(admin, { id, slug }))).toBe('FORBIDDEN');
    expect(await refusalOf(bench.deleteProject(await insertUser(bench), { id, slug }))).toBe('NOT_FOUND id');
    expect(await refusalOf(bench.deleteProject(bench.root, { id: uuidv7(), slug }))).toBe('NOT_FOUND id');
  });

  test('two at once: one finds it', async () => {
    const id = await insertProject(bench);
    const { slug } = await bench.db.prisma.project.findUniqueOrThrow({ where: { id } });
    const results = await Promise.allSettled([1, 2].map(async () => await bench.deleteProject(bench.root, { id, slug })));
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await refusalOf(bench.deleteProject(bench.root, { id, slug }))).toBe('NOT_FOUND id');
  });

  test('a waiting delivery of another project stays', async () => {
    const other = await insertProject(bench, [[bench.root, 'ADMIN']]);
    const deliveryId = await insertDelivery(bench, { projectId: other, channelId: uuidv7(), subscriptionIds: [uuidv7()] });
    const id = await insertProject(bench);
    const { slug } = await bench.db.prisma.project.findUniqueOrThrow({ where: { id } });
    await bench.deleteProject(bench.root, { id, slug });
    expect(await deliveryState(bench, deliveryId)).toEqual({ status: 'QUEUED', reason: null, hasJob: true });
  });
});
