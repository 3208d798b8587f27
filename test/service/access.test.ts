import { describe, expect, test, vi } from 'vitest';
import type { Viewer } from '../../src/domain/viewer.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { createAccess, requireGeneral, requireInProject, requireUser } from '../../src/service/access.ts';
import { visibleChannels, visibleDefaults, visibleProjects, visibleSubscriptions, visibleTokens, visibleUsers } from '../../src/service/visible.ts';
import { agentOf, freshName, insertProject, insertUser, openBench, refusalOf } from './support.ts';

const bench = openBench('NO_JOBS');
type User = Viewer & { kind: 'user' };
const config = { webhook: { url: 'https://receiver.example/' } };

describe('createAccess', () => {
  test('reads all roles of a request in one query', async () => {
    const ada = await insertUser(bench);
    const [first, second, third] = [await insertProject(bench, [[ada, 'ADMIN']]), await insertProject(bench, [[ada, 'MEMBER']]), await insertProject(bench)];
    const reads = vi.spyOn(bench.db.prisma.membership, 'findMany');
    const access = createAccess(bench.db, ada);
    const ids = [first, second, third];
    expect(await Promise.all(ids.map(async (id) => await access.role(id)))).toEqual(['ADMIN', 'MEMBER', null]);
    expect(await Promise.all(ids.map(async (id) => await access.decide('delivery.read', id)))).toEqual(['ALLOW', 'FORBIDDEN', 'NOT_FOUND']);
    expect(reads).toHaveBeenCalledTimes(1);

    await bench.db.prisma.membership.deleteMany({ where: { userId: ada.userId, projectId: first } });
    expect(await access.role(first)).toBe('ADMIN');
    access.forget();
    expect(await access.role(first)).toBeNull();
    expect(reads).toHaveBeenCalledTimes(2);
  });

  test('of an agent token reads nothing: it has no roles', async () => {
    const projectId = await insertProject(bench);
    const access = createAccess(bench.db, agentOf(projectId));
    expect(await access.role(projectId)).toBeNull();
    expect(await access.decide('events.publish', projectId)).toBe('ALLOW');
    expect(await access.decide('events.publish', uuidv7())).toBe('NOT_FOUND');
  });
});

describe('requireInProject', () => {
  test('answers each kind of viewer at the path that it was asked for', async () => {
    const [member, admin, stranger] = [await insertUser(bench), await insertUser(bench), await insertUser(bench)];
    const projectId = await insertProject(bench, [
      [member, 'MEMBER'],
      [admin, 'ADMIN'],
    ]);
    const ask = async (viewer: Viewer, id = projectId): Promise<void> => {
      await requireInProject(bench.db.prisma, viewer, 'member.manage', id, 'input.projectId');
    };
    await ask(admin);
    await ask(bench.root);
    expect(await refusalOf(ask(member))).toBe('FORBIDDEN');
    expect(await refusalOf(ask(agentOf(projectId)))).toBe('FORBIDDEN');
    expect(await refusalOf(ask(stranger))).toBe('NOT_FOUND input.projectId');
    expect(await refusalOf(ask(agentOf(uuidv7())))).toBe('NOT_FOUND input.projectId');
    for (const viewer of [admin, bench.root]) expect(await refusalOf(ask(viewer, uuidv7()))).toBe('NOT_FOUND input.projectId');
  });
});

test('requireGeneral and requireUser let users, and among them admins, through', async () => {
  const ada = await insertUser(bench);
  const agent = agentOf(uuidv7());
  requireGeneral(bench.root, 'user.manage');
  requireGeneral(ada, 'self.use');
  expect(requireUser(ada)).toBe(ada.userId);
  const refused = async (run: () => unknown): Promise<string> => await refusalOf(new Promise(() => run()));
  expect(await refused(() => requireGeneral(ada, 'user.manage'))).toBe('FORBIDDEN');
  expect(await refused(() => requireGeneral(agent, 'self.use'))).toBe('FORBIDDEN');
  expect(await refused(() => requireUser(agent))).toBe('FORBIDDEN');
});

/** Two projects; in the first an admin and a member, in the second another member. Everything that there is in each, by what it is. */
async function openWorld(): Promise<{ viewers: Record<string, Viewer>; ids: Record<string, string> }> {
  const [admin, member, other] = [await insertUser(bench), await insertUser(bench), await insertUser(bench)];
  const here = await insertProject(bench, [
    [admin, 'ADMIN'],
    [member, 'MEMBER'],
  ]);
  const there = await insertProject(bench, [[other, 'MEMBER']]);
  const channel = async (viewer: User, owner: { projectId?: string }): Promise<string> =>
    (await bench.createChannel(viewer, { ...owner, name: freshName(), config })).channel.id;
  const token = async (viewer: User, owner: { projectId?: string }): Promise<string> =>
    (await bench.createToken(viewer, { ...owner, name: 'token' })).apiToken.id;
  const hookHere = await channel(bench.root, { projectId: here });
  const hookThere = await channel(bench.root, { projectId: there });
  const subscription = async (viewer: User, projectId: string, channelId?: string): Promise<string> => {
    const team = channelId === undefined ? {} : { team: true, channelIds: [channelId] };
    return (await bench.createSubscription(viewer, { projectId, trigger: 'task.failed', ...team })).subscription.id;
  };
  const byDefault = async (projectId: string): Promise<string> =>
    (await bench.createDefaultSubscription(bench.root, { projectId, trigger: 'task.failed' })).defaultSubscription.id;
  return {
    viewers: { admin, member, other, root: bench.root, agent: agentOf(here) },
    ids: {
      here,
      there,
      admin: admin.userId,
      member: member.userId,
      other: other.userId,
      hookHere,
      hookThere,
      hookMember: await channel(member, {}),
      hookOther: await channel(other, {}),
      tokenMember: await token(member, {}),
      tokenOther: await token(other, {}),
      tokenHere: await token(bench.root, { projectId: here }),
      tokenThere: await token(bench.root, { projectId: there }),
      subMember: await subscription(member, here),
      subOther: await subscription(other, there),
      teamHere: await subscription(bench.root, here, hookHere),
      teamThere: await subscription(bench.root, there, hookThere),
      defaultHere: await byDefault(here),
      defaultThere: await byDefault(there),
    },
  };
}

describe('what a viewer may know of', () => {
  const EXPECTED: Record<string, Record<string, string[]>> = {
    admin: {
      projects: ['here'],
      users: ['admin', 'member'],
      tokens: ['tokenHere'],
      channels: ['hookHere'],
      subscriptions: ['teamHere'],
      defaults: ['defaultHere'],
    },
    member: {
      projects: ['here'],
      users: ['admin', 'member'],
      tokens: ['tokenMember'],
      channels: ['hookHere', 'hookMember'],
      subscriptions: ['subMember', 'teamHere'],
      defaults: ['defaultHere'],
    },
    other: {
      projects: ['there'],
      users: ['other'],
      tokens: ['tokenOther'],
      channels: ['hookOther', 'hookThere'],
      subscriptions: ['subOther', 'teamThere'],
      defaults: ['defaultThere'],
    },
    root: {
      projects: ['here', 'there'],
      users: ['admin', 'member', 'other'],
      tokens: ['tokenHere', 'tokenMember', 'tokenOther', 'tokenThere'],
      channels: ['hookHere', 'hookThere'],
      subscriptions: ['teamHere', 'teamThere'],
      defaults: ['defaultHere', 'defaultThere'],
    },
    agent: { projects: [], users: [], tokens: [], channels: [], subscriptions: [], defaults: [] },
  };

  test('is what the conditions select: no more, no less', async () => {
    const { viewers, ids } = await openWorld();
    const nameOf = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
    const names = (rows: { id: string }[]): string[] => rows.flatMap(({ id }) => nameOf.get(id) ?? []).sort();
    const known = { id: { in: Object.values(ids) } };
    const { prisma } = bench.db;
    for (const [name, viewer] of Object.entries(viewers)) {
      const found = {
        projects: names(await prisma.project.findMany({ where: { AND: [known, visibleProjects(viewer)] } })),
        users: names(await prisma.user.findMany({ where: { AND: [known, visibleUsers(viewer)] } })),
        tokens: names(await prisma.apiToken.findMany({ where: { AND: [known, visibleTokens(viewer)] } })),
        channels: names(await prisma.channel.findMany({ where: { AND: [known, visibleChannels(viewer)] } })),
        subscriptions: names(await prisma.notificationSubscription.findMany({ where: { AND: [known, visibleSubscriptions(viewer)] } })),
        defaults: names(await prisma.defaultSubscription.findMany({ where: { AND: [known, visibleDefaults(viewer)] } })),
      };
      expect({ [name]: found }).toEqual({ [name]: EXPECTED[name] });
    }
  });
});
