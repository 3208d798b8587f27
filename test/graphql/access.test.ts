import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/lib/global-id.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { ACTORS, type Actor, addToken, openScenario, type Scenario } from '../support/scenario.ts';

let app: TestApp;
let scene: Scenario;
/** Objects of `demo` and of its people, by name. */
let ids: Record<string, string>;

beforeAll(async () => {
  app = await openTestApp();
  scene = await openScenario(app);
  ids = await makeObjects();
}, 120_000);

afterAll(async () => {
  await app.close();
});

async function makeObjects(): Promise<Record<string, string>> {
  const { projectId, people } = scene;
  const create = async (mutation: string, input: object, path: string, token: string): Promise<string> => {
    const data = await app.data(
      `mutation($i: ${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input!) { ${mutation}(input: $i) { ${path} { id } } }`,
      { i: input },
      token,
    );
    return data[mutation][path].id as string;
  };
  const webhook = { webhook: { url: 'http://127.0.0.1:48999/hook', hmacSecret: 'canary-4711' } };
  const projectChannel = await create('createChannel', { projectId, name: 'ours', config: webhook }, 'channel', people.admin.token);
  const memberChannel = await create('createChannel', { name: 'mine', config: webhook }, 'channel', people.member.token);
  return {
    project: projectId,
    projectChannel,
    memberChannel,
    teamSubscription: await create(
      'createSubscription',
      { projectId, team: true, trigger: 'TASK_SLOW', channelIds: [projectChannel] },
      'subscription',
      people.admin.token,
    ),
    memberSubscription: await create(
      'createSubscription',
      { projectId, trigger: 'TASK_SLOW', channelIds: [memberChannel] },
      'subscription',
      people.member.token,
    ),
    defaultSubscription: await create('createDefaultSubscription', { projectId, trigger: 'TASK_SLOW' }, 'defaultSubscription', people.admin.token),
    member: people.member.id,
    outsider: people.outsider.id,
  };
}

/** What each actor may do: codes by actor, in the order of ACTORS; `-` stands for success. */
type Row = [what: string, operation: string, input: (() => Record<string, unknown>) | null, codes: string];

const U = 'UNAUTHENTICATED';
const F = 'FORBIDDEN';
const N = 'NOT_FOUND';

async function codesOf(operation: string, input: Record<string, unknown> | null): Promise<string[]> {
  const codes: string[] = [];
  for (const actor of ACTORS) {
    const { errors } = await app.graphql(operation, input === null ? {} : { i: input, ...input }, scene.tokens[actor]);
    codes.push(errors[0]?.extensions.code ?? '-');
  }
  return codes;
}

const unknownId = (type: Parameters<typeof globalId>[0]): string => globalId(type, uuidv7());

describe('reading', () => {
  test.each<Row>([
    ['the viewer', '{ viewer { user { id } } }', null, `${U} ${F} - - - - -`],
    ['all users', '{ users { edges { node { id } } } }', null, `${U} ${F} ${F} ${F} ${F} ${F} -`],
    ['all projects', '{ projects { edges { node { id } } } }', null, `${U} ${F} ${F} ${F} ${F} ${F} -`],
    [
      'a preview',
      'query($p: ID!) { previewMatch(projectId: $p, event: { id: "x", trigger: TASK_SLOW }) { reason } }',
      () => ({ p: ids['project'] }),
      `${U} ${F} ${N} - - ${N} -`,
    ],
  ])('%s', async (_what, operation, input, codes) => {
    expect(await codesOf(operation, input?.() ?? null)).toEqual(codes.split(' '));
  });
});

describe('changing', () => {
  const slug = (): string => `p-${uuidv7()}`;
  test.each<Row>([
    [
      'create a user',
      'mutation($i: CreateUserInput!) { createUser(input: $i) { user { id } } }',
      () => ({ email: 'not an address', name: 'x' }),
      `${U} ${F} ${F} ${F} ${F} ${F} BAD_USER_INPUT`,
    ],
    [
      'create a project',
      'mutation($i: CreateProjectInput!) { createProject(input: $i) { project { id } } }',
      () => ({ slug: 'NOT A SLUG', name: slug() }),
      `${U} ${F} ${F} ${F} ${F} ${F} BAD_USER_INPUT`,
    ],
    [
      'update the project',
      'mutation($i: UpdateProjectInput!) { updateProject(input: $i) { project { id } } }',
      () => ({ id: ids['project'], name: 'Demo' }),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      'delete the project, with a wrong slug',
      'mutation($i: DeleteProjectInput!) { deleteProject(input: $i) { id } }',
      () => ({ id: ids['project'], slug: 'x' }),
      `${U} ${F} ${N} ${F} ${F} ${N} BAD_USER_INPUT`,
    ],
    [
      'set a member',
      'mutation($i: SetMemberInput!) { setMember(input: $i) { membership { role } } }',
      () => ({ projectId: ids['project'], userId: ids['member'], role: 'MEMBER' }),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      'remove somebody who is no member',
      'mutation($i: RemoveMemberInput!) { removeMember(input: $i) { project { id } } }',
      () => ({ projectId: ids['project'], userId: ids['outsider'] }),
      `${U} ${F} ${N} ${F} ${N} ${N} ${N}`,
    ],
    [
      'make an agent token',
      'mutation($i: CreateTokenInput!) { createToken(input: $i) { token } }',
      () => ({ projectId: ids['project'], name: 'x' }),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      "make another's token",
      'mutation($i: CreateTokenInput!) { createToken(input: $i) { token } }',
      () => ({ userId: ids['outsider'], name: 'x' }),
      `${U} ${F} - ${F} ${F} ${F} -`,
    ],
    [
      'change a project channel',
      'mutation($i: UpdateChannelInput!) { updateChannel(input: $i) { channel { id } } }',
      () => ({ id: ids['projectChannel'], name: 'ours' }),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      "change a member's channel",
      'mutation($i: UpdateChannelInput!) { updateChannel(input: $i) { channel { id } } }',
      () => ({ id: ids['memberChannel'], name: 'mine' }),
      `${U} ${F} ${N} - ${N} ${N} ${N}`,
    ],
    [
      'change a team subscription',
      'mutation($i: UpdateSubscriptionInput!) { updateSubscription(input: $i) { subscription { id } } }',
      () => ({ id: ids['teamSubscription'], isActive: true }),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      "change a member's subscription",
      'mutation($i: UpdateSubscriptionInput!) { updateSubscription(input: $i) { subscription { id } } }',
      () => ({ id: ids['memberSubscription'], isActive: true }),
      `${U} ${F} ${N} - ${N} ${N} ${N}`,
    ],
    [
      'change a default',
      'mutation($i: UpdateDefaultSubscriptionInput!) { updateDefaultSubscription(input: $i) { defaultSubscription { id } } }',
      () => ({ id: ids['defaultSubscription'], inApp: true }),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      'publish',
      'mutation($i: PublishEventsInput!) { publishEvents(input: $i) { accepted } }',
      () => ({ projectId: ids['project'], events: [] }),
      `${U} - ${N} ${F} - ${N} -`,
    ],
    [
      "publish into another's project",
      'mutation($i: PublishEventsInput!) { publishEvents(input: $i) { accepted } }',
      () => ({ projectId: scene.otherProjectId, events: [] }),
      `${U} ${N} ${N} ${N} ${N} - -`,
    ],
    [
      'redeliver',
      'mutation($i: RedeliverInput!) { redeliver(input: $i) { changed } }',
      () => ({ projectId: ids['project'], filter: {} }),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      'cancel deliveries',
      'mutation($i: RedeliverInput!) { cancelDeliveries(input: $i) { changed } }',
      () => ({ projectId: ids['project'], filter: {} }),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      'clear deliveries',
      'mutation($i: ClearDeliveriesInput!) { clearDeliveries(input: $i) { deleted } }',
      () => ({ projectId: ids['project'], before: '2020-01-01T00:00:00Z' }),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    ['mark read', 'mutation($i: InboxSelectionInput!) { markRead(input: $i) { changed } }', () => ({ all: true }), `${U} ${F} - - - - -`],
    [
      'revoke a token that there is not',
      'mutation($i: RevokeTokenInput!) { revokeToken(input: $i) { id } }',
      () => ({ id: unknownId('ApiToken') }),
      `${U} ${F} ${N} ${N} ${N} ${N} ${N}`,
    ],
  ])('%s', async (_what, operation, input, codes) => {
    expect(await codesOf(operation, input?.() ?? null)).toEqual(codes.split(' '));
  });
});

describe('node and nodes', () => {
  const SEEN_BY: Record<string, Actor[]> = {
    project: ['member', 'admin', 'instanceAdmin'],
    projectChannel: ['member', 'admin', 'instanceAdmin'],
    memberChannel: ['member'],
    teamSubscription: ['member', 'admin', 'instanceAdmin'],
    memberSubscription: ['member'],
    defaultSubscription: ['member', 'admin', 'instanceAdmin'],
    member: ['member', 'admin', 'instanceAdmin'],
    outsider: ['outsider', 'instanceAdmin'],
  };

  test.each(Object.entries(SEEN_BY))('%s is null for whoever may not know of it', async (name, seenBy) => {
    const seen: Actor[] = [];
    for (const actor of ACTORS) {
      if (actor === 'stranger' || actor === 'agent') continue;
      const { node, nodes } = await app.data(
        'query($id: ID!) { node(id: $id) { id __typename } nodes(ids: [$id]) { id } }',
        { id: ids[name] },
        scene.tokens[actor],
      );
      expect(nodes).toEqual([node === null ? null : { id: ids[name] }]);
      if (node !== null) seen.push(actor);
    }
    expect(seen).toEqual(seenBy);
  });

  test.each([
    ['garbage', 'garbage'],
    ['nothing', ''],
    ['an id of nothing', unknownId('Channel')],
    ['an item of another', globalId('InboxItem', `${uuidv7()}:1`)],
    ['a type that there is not', Buffer.from(`Agent:${uuidv7()}`).toString('base64url')],
  ])('%s is null', async (_what, id) => {
    expect(await app.data('query($id: ID!) { node(id: $id) { id } }', { id })).toEqual({ node: null });
  });

  test('types come with their own fields', async () => {
    const { nodes } = await app.data(
      'query($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on Project { slug } ... on Channel { name project { slug } } } }',
      {
        ids: [ids['project'], ids['projectChannel']],
      },
    );
    expect(nodes).toEqual([
      { __typename: 'Project', slug: 'demo' },
      { __typename: 'Channel', name: 'ours', project: { slug: 'demo' } },
    ]);
  });

  test('more than 100 ids are refused', async () => {
    const { errors } = await app.graphql('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: Array.from({ length: 101 }, () => 'x') });
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'ids' }] });
  });
});

describe('fields of a project', () => {
  const QUERY = `query($slug: String!) { project(slug: $slug) {
    slug viewerRole members { edges { node { user { name } } } } channels { edges { node { name config { __typename } lastError } } } subscriptions { edges { node { id } } }
    defaultSubscriptions { id } tokens { edges { node { name } } } deliveries { edges { node { id } } } deliveryStats(since: "2026-01-01T00:00:00Z", bucketSeconds: 86400) { count }
  } }`;

  test('a member reads all but what is for admins, which is null with FORBIDDEN at its path', async () => {
    const { data, errors } = await app.graphql(QUERY, { slug: 'demo' }, scene.tokens.member);
    expect(data.project).toMatchObject({ slug: 'demo', viewerRole: 'MEMBER', tokens: null, deliveries: null, deliveryStats: null });
    expect(data.project.channels.edges).toEqual([{ node: { name: 'ours', config: null, lastError: null } }]);
    expect(data.project.subscriptions.edges).toEqual([{ node: { id: ids['teamSubscription'] } }]);
    expect(errors.map(({ path, extensions }) => [path?.join('.'), extensions.code])).toEqual([
      ['project.tokens', F],
      ['project.deliveries', F],
      ['project.deliveryStats', F],
    ]);
  });

  test('an admin reads all of them, an instance admin without being a member', async () => {
    for (const [actor, role] of [['admin', 'ADMIN'] as const, ['instanceAdmin', null] as const]) {
      const { data, errors } = await app.graphql(QUERY, { slug: 'demo' }, scene.tokens[actor]);
      expect(errors).toEqual([]);
      expect(data.project.viewerRole).toBe(role);
      expect(data.project.channels.edges).toEqual([{ node: { name: 'ours', config: { __typename: 'WebhookConfig' }, lastError: null } }]);
    }
  });

  test('whoever may not know of it reads null, as for a slug that there is not', async () => {
    expect(await app.data(QUERY, { slug: 'demo' }, scene.tokens.outsider)).toEqual({ project: null });
    expect(await app.data(QUERY, { slug: 'nope' }, scene.tokens.member)).toEqual({ project: null });
  });
});

test('users are found by part of a name or address, in any case, and by nothing else', async () => {
  const find = async (query: string): Promise<string[]> => {
    const { users } = await app.data('query($q: String) { users(query: $q) { edges { node { name } } } }', { q: query });
    return users.edges.map((edge: { node: { name: string } }) => edge.node.name) as string[];
  };
  expect((await find('OUTSID')).sort()).toEqual(['outsider']);
  expect((await find('otheradmin@')).sort()).toEqual(['otherAdmin']);
  expect(await find('%')).toEqual([]);
  expect(await find('admin')).toHaveLength(3);
});

describe('muting', () => {
  const mute = async (input: object) =>
    await app.graphql('mutation($i: MuteSubscriptionsInput!) { muteSubscriptions(input: $i) { changed } }', { i: input }, scene.tokens.member);

  test('mutes all that are the viewer’s own, and null unmutes them', async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const { viewer } = await app.data('{ viewer { subscriptions { edges { node { id } } } } }', {}, scene.tokens.member);
    const count = viewer.subscriptions.edges.length as number;
    expect(count).toBeGreaterThan(1);
    expect((await mute({ until })).data.muteSubscriptions.changed).toBe(count);
    expect((await mute({ until, projectId: scene.projectId })).data.muteSubscriptions.changed).toBe(0);
    expect((await mute({ until: null })).data.muteSubscriptions.changed).toBe(count);
  });

  test('until must be said: what is left out by mistake must not unmute', async () => {
    expect((await mute({})).errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'until' }] });
  });
});

describe('secrets', () => {
  test.each(ACTORS)('no answer to %s holds one', async (actor) => {
    const all = await app.graphql(
      'query($ids: [ID!]!) { nodes(ids: $ids) { ... on Channel { config { ... on WebhookConfig { url hmacSecret headers { name value } } } } } }',
      { ids: [ids['projectChannel'], ids['memberChannel']] },
      scene.tokens[actor],
    );
    expect(JSON.stringify(all)).not.toContain('canary-4711');
  });
});

describe('ids of another tenant or type', () => {
  test.each<[string, string, () => Record<string, unknown>, string]>([
    [
      "another user's channel",
      'createSubscription',
      () => ({ projectId: ids['project'], trigger: 'TASK_FAILED', channelIds: [ids['projectChannel'], ids['memberChannel']] }),
      'channelIds.1',
    ],
    [
      'an id of another type',
      'createSubscription',
      () => ({ projectId: ids['project'], trigger: 'TASK_FAILED', channelIds: [ids['projectChannel'], ids['project']] }),
      'channelIds.1',
    ],
    ['garbage', 'createSubscription', () => ({ projectId: 'garbage', trigger: 'TASK_FAILED' }), 'projectId'],
    ["another's item", 'markRead', () => ({ ids: [globalId('InboxItem', `${uuidv7()}:1`)] }), 'ids.0'],
  ])('%s is NOT_FOUND at its path', async (_what, mutation, input, path) => {
    const type = mutation === 'markRead' ? 'InboxSelectionInput' : 'CreateSubscriptionInput';
    const { errors } = await app.graphql(`mutation($i: ${type}!) { ${mutation}(input: $i) { __typename } }`, { i: input() }, scene.tokens.admin);
    expect(errors[0]?.extensions).toMatchObject({ code: 'NOT_FOUND', issues: [{ path }] });
  });
});

test('a token is shown once, and works at once; revoked, it does not', async () => {
  const token = await addToken(app, { name: 'short', userId: scene.people.member.id });
  expect((await app.graphql('{ viewer { user { id } } }', {}, token)).status).toBe(200);
  const { viewer } = await app.data('{ viewer { tokens(first: 1) { edges { node { id name lastUsedAt } } } } }', {}, token);
  const [{ node }] = viewer.tokens.edges as [{ node: { id: string } }];
  await app.data('mutation($i: RevokeTokenInput!) { revokeToken(input: $i) { id } }', { i: { id: node.id } }, scene.tokens.member);
  const answer = await app.graphql('{ viewer { user { id } } }', {}, token);
  expect([answer.status, answer.errors[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
});

test('whoever removes itself does not read the project by the answer', async () => {
  const { projectId, people } = scene;
  await app.data('mutation($i: SetMemberInput!) { setMember(input: $i) { project { id } } }', {
    i: { projectId, userId: people.otherAdmin.id, role: 'ADMIN' },
  });
  const removal = 'mutation($i: RemoveMemberInput!) { removeMember(input: $i) { project { slug members { edges { node { role } } } } } }';
  const { data, errors } = await app.graphql(removal, { i: { projectId, userId: people.otherAdmin.id } }, people.otherAdmin.token);
  expect(data).toBeNull();
  expect(errors[0]?.extensions.code).toBe('NOT_FOUND');
  expect(await app.data('{ project(slug: "demo") { slug } }', {}, people.otherAdmin.token)).toEqual({ project: null });
});
