import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/lib/global-id.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import type { CreateSubscriptionInput } from '../generated/operations.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { gql, type Operation, type VariablesOf } from '../support/gql.ts';
import type { GraphqlAnswer } from '../support/graphql-client.ts';
import {
  CREATE_CHANNEL,
  CREATE_DEFAULT_SUBSCRIPTION,
  CREATE_PROJECT,
  CREATE_SUBSCRIPTION,
  CREATE_TOKEN,
  CREATE_USER,
  MARK_READ,
  PUBLISH_EVENTS,
  REMOVE_MEMBER,
  REVOKE_TOKEN,
  SET_MEMBER,
  UPDATE_CHANNEL,
  UPDATE_SUBSCRIPTION,
  VIEWER,
} from '../support/operations.ts';
import { ACTORS, type Actor, addToken, openScenario, type Scenario, setMember } from '../support/scenario.ts';

let app: TestApp;
let scene: Scenario;
/** Objects of `demo` and of its people. */
let ids: Ids;

type Ids = Record<(typeof OBJECTS)[number], string>;

const OBJECTS = ['project', 'projectChannel', 'memberChannel', 'teamSubscription', 'memberSubscription', 'defaultSubscription', 'member', 'outsider'] as const;

beforeAll(async () => {
  app = await openTestApp();
  scene = await openScenario(app);
  ids = await makeObjects();
}, 120_000);

afterAll(async () => {
  await app.close();
});

/** Nobody listens there. */
const UNREACHABLE = { webhook: { url: 'http://127.0.0.1:48999/hook' } };

async function makeObjects(): Promise<Ids> {
  const { projectId, people } = scene;
  const [admin, member] = [people.admin.token, people.member.token];
  const config = { webhook: { ...UNREACHABLE.webhook, hmacSecret: 'canary-4711' } };
  const subscribe = async (input: CreateSubscriptionInput, token: string): Promise<string> =>
    (await app.data(CREATE_SUBSCRIPTION, { input }, token)).createSubscription.subscription.id;
  const projectChannel = (await app.data(CREATE_CHANNEL, { input: { projectId, name: 'ours', config } }, admin)).createChannel.channel.id;
  const memberChannel = (await app.data(CREATE_CHANNEL, { input: { name: 'mine', config } }, member)).createChannel.channel.id;
  const { createDefaultSubscription } = await app.data(CREATE_DEFAULT_SUBSCRIPTION, { input: { projectId, trigger: 'TASK_SLOW' } }, admin);
  return {
    project: projectId,
    projectChannel,
    memberChannel,
    teamSubscription: await subscribe({ projectId, team: true, trigger: 'TASK_SLOW', channelIds: [projectChannel] }, admin),
    memberSubscription: await subscribe({ projectId, trigger: 'TASK_SLOW', channelIds: [memberChannel] }, member),
    defaultSubscription: createDefaultSubscription.defaultSubscription.id,
    member: people.member.id,
    outsider: people.outsider.id,
  };
}

/** What each actor may do: codes by actor, in the order of ACTORS; `-` stands for success. */
type Row = [what: string, call: (token: string | null) => Promise<GraphqlAnswer>, codes: string];

const U = 'UNAUTHENTICATED';
const F = 'FORBIDDEN';
const N = 'NOT_FOUND';

/** A call that anybody may try, with what is known only when the objects are there. */
function call<Variables>(operation: Operation<unknown, Variables>, variables: () => Variables): Row[1] {
  return (token) => app.graphql(operation, variables(), token);
}

/** The same, of an operation with one input. */
function change<Input>(operation: Operation<unknown, { input: Input }>, input: () => Input): Row[1] {
  return call(operation, () => ({ input: input() }));
}

async function codesOf(run: Row[1]): Promise<string[]> {
  const codes: string[] = [];
  for (const actor of ACTORS) codes.push((await run(scene.tokens[actor])).errors[0]?.extensions.code ?? '-');
  return codes;
}

const unknownId = (type: Parameters<typeof globalId>[0]): string => globalId(type, uuidv7());

describe('reading', () => {
  test.each<Row>([
    ['the viewer', call(VIEWER, () => ({})), `${U} ${F} - - - - -`],
    ['kinds of channel', call(gql(`{ channelTypes { type } }`), () => ({})), `${U} ${F} - - - - -`],
    ['all users', call(gql(`{ users { edges { node { id } } } }`), () => ({})), `${U} ${F} ${F} ${F} ${F} ${F} -`],
    ['all projects', call(gql(`{ projects { edges { node { id } } } }`), () => ({})), `${U} ${F} ${F} ${F} ${F} ${F} -`],
    [
      'a preview',
      call(gql(`query ($p: ID!) { previewMatch(projectId: $p, event: { id: "x", trigger: TASK_SLOW }) { reason } }`), () => ({ p: ids.project })),
      `${U} ${F} ${N} - - ${N} -`,
    ],
  ])('%s', async (_what, run, codes) => {
    expect(await codesOf(run)).toEqual(codes.split(' '));
  });
});

const COPY_CHANNEL = gql(`mutation ($input: CopyChannelInput!) { copyChannel(input: $input) { channel { id } } }`);
const TEST_CHANNEL = gql(`mutation ($input: TestChannelInput!) { testChannel(input: $input) { success } }`);
const TEST_CONFIG = gql(`mutation ($input: TestChannelConfigInput!) { testChannelConfig(input: $input) { success } }`);

describe('changing', () => {
  const slug = (): string => `p-${uuidv7()}`;
  test.each<Row>([
    ['create a user', change(CREATE_USER, () => ({ email: 'not an address', name: 'x' })), `${U} ${F} ${F} ${F} ${F} ${F} BAD_USER_INPUT`],
    ['create a project', change(CREATE_PROJECT, () => ({ slug: 'NOT A SLUG', name: slug() })), `${U} ${F} ${F} ${F} ${F} ${F} BAD_USER_INPUT`],
    [
      'update the project',
      change(gql(`mutation ($input: UpdateProjectInput!) { updateProject(input: $input) { project { id } } }`), () => ({ id: ids.project, name: 'Demo' })),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      'delete the project, with a wrong slug',
      change(gql(`mutation ($input: DeleteProjectInput!) { deleteProject(input: $input) { id } }`), () => ({ id: ids.project, slug: 'x' })),
      `${U} ${F} ${N} ${F} ${F} ${N} BAD_USER_INPUT`,
    ],
    ['set a member', change(SET_MEMBER, () => ({ projectId: ids.project, userId: ids.member, role: 'MEMBER' as const })), `${U} ${F} ${N} ${F} - ${N} -`],
    ['remove somebody who is no member', change(REMOVE_MEMBER, () => ({ projectId: ids.project, userId: ids.outsider })), `${U} ${F} ${N} ${F} ${N} ${N} ${N}`],
    ['make an agent token', change(CREATE_TOKEN, () => ({ projectId: ids.project, name: 'x' })), `${U} ${F} ${N} ${F} - ${N} -`],
    ["make another's token", change(CREATE_TOKEN, () => ({ userId: ids.outsider, name: 'x' })), `${U} ${F} - ${F} ${F} ${F} -`],
    ['change a project channel', change(UPDATE_CHANNEL, () => ({ id: ids.projectChannel, name: 'ours' })), `${U} ${F} ${N} ${F} - ${N} -`],
    ["change a member's channel", change(UPDATE_CHANNEL, () => ({ id: ids.memberChannel, name: 'mine' })), `${U} ${F} ${N} - ${N} ${N} ${N}`],
    ['copy a project channel into one’s own', change(COPY_CHANNEL, () => ({ id: ids.projectChannel, name: 'copy' })), `${U} ${F} ${N} ${F} - ${N} -`],
    [
      "copy a member's channel into the project",
      change(COPY_CHANNEL, () => ({ id: ids.memberChannel, projectId: ids.project, name: 'copy' })),
      `${U} ${F} ${N} ${F} ${N} ${N} ${N}`,
    ],
    ['test a project channel', change(TEST_CHANNEL, () => ({ id: ids.projectChannel })), `${U} ${F} ${N} ${F} - ${N} -`],
    ["test a member's channel", change(TEST_CHANNEL, () => ({ id: ids.memberChannel })), `${U} ${F} ${N} - ${N} ${N} ${N}`],
    ['test a config of the project', change(TEST_CONFIG, () => ({ projectId: ids.project, config: UNREACHABLE })), `${U} ${F} ${N} ${F} - ${N} -`],
    ['test a config of nobody', change(TEST_CONFIG, () => ({ config: UNREACHABLE })), `${U} ${F} - - - - -`],
    [
      'test an edited config of a project channel',
      change(TEST_CONFIG, () => ({ channelId: ids.projectChannel, config: { webhook: {} } })),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      "test an edited config of a member's channel",
      change(TEST_CONFIG, () => ({ channelId: ids.memberChannel, config: { webhook: {} } })),
      `${U} ${F} ${N} - ${N} ${N} ${N}`,
    ],
    ['change a team subscription', change(UPDATE_SUBSCRIPTION, () => ({ id: ids.teamSubscription, isActive: true })), `${U} ${F} ${N} ${F} - ${N} -`],
    ["change a member's subscription", change(UPDATE_SUBSCRIPTION, () => ({ id: ids.memberSubscription, isActive: true })), `${U} ${F} ${N} - ${N} ${N} ${N}`],
    [
      'change a default',
      change(gql(`mutation ($input: UpdateDefaultSubscriptionInput!) { updateDefaultSubscription(input: $input) { defaultSubscription { id } } }`), () => ({
        id: ids.defaultSubscription,
        inApp: true,
      })),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    ['publish', change(PUBLISH_EVENTS, () => ({ projectId: ids.project, events: [] })), `${U} - ${N} ${F} - ${N} -`],
    ["publish into another's project", change(PUBLISH_EVENTS, () => ({ projectId: scene.otherProjectId, events: [] })), `${U} ${N} ${N} ${N} ${N} - -`],
    [
      'redeliver',
      change(gql(`mutation ($input: RedeliverInput!) { redeliver(input: $input) { changed } }`), () => ({ projectId: ids.project, filter: {} })),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      'cancel deliveries',
      change(gql(`mutation ($input: RedeliverInput!) { cancelDeliveries(input: $input) { changed } }`), () => ({ projectId: ids.project, filter: {} })),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    [
      'clear deliveries',
      change(gql(`mutation ($input: ClearDeliveriesInput!) { clearDeliveries(input: $input) { deleted } }`), () => ({
        projectId: ids.project,
        before: '2020-01-01T00:00:00Z',
      })),
      `${U} ${F} ${N} ${F} - ${N} -`,
    ],
    ['mark read', change(MARK_READ, () => ({ all: true })), `${U} ${F} - - - - -`],
    ['revoke a token that there is not', change(REVOKE_TOKEN, () => ({ id: unknownId('ApiToken') })), `${U} ${F} ${N} ${N} ${N} ${N} ${N}`],
  ])('%s', async (_what, run, codes) => {
    expect(await codesOf(run)).toEqual(codes.split(' '));
  });
});

describe('node and nodes', () => {
  const SEEN_BY: Record<keyof Ids, Actor[]> = {
    project: ['member', 'admin', 'instanceAdmin'],
    projectChannel: ['member', 'admin', 'instanceAdmin'],
    memberChannel: ['member'],
    teamSubscription: ['member', 'admin', 'instanceAdmin'],
    memberSubscription: ['member'],
    defaultSubscription: ['member', 'admin', 'instanceAdmin'],
    member: ['member', 'admin', 'instanceAdmin'],
    outsider: ['outsider', 'instanceAdmin'],
  };

  test.each(OBJECTS)('%s is null for whoever may not know of it', async (name) => {
    const seen: Actor[] = [];
    for (const actor of ACTORS) {
      if (actor === 'stranger' || actor === 'agent') continue;
      const both = gql(`query ($id: ID!) { node(id: $id) { id __typename } nodes(ids: [$id]) { id } }`);
      const { node, nodes } = await app.data(both, { id: ids[name] }, scene.tokens[actor]);
      expect(nodes).toEqual([node === null ? null : { id: ids[name] }]);
      if (node !== null) seen.push(actor);
    }
    expect(seen).toEqual(SEEN_BY[name]);
  });

  test.each([
    ['garbage', 'garbage'],
    ['nothing', ''],
    ['an id of nothing', unknownId('Channel')],
    ['an item of another', globalId('InboxItem', `${uuidv7()}:1`)],
    ['a type that there is not', Buffer.from(`Agent:${uuidv7()}`).toString('base64url')],
  ])('%s is null', async (_what, id) => {
    expect(await app.data(gql(`query ($id: ID!) { node(id: $id) { id } }`), { id })).toEqual({ node: null });
  });

  test('types come with their own fields', async () => {
    const { nodes } = await app.data(
      gql(`query ($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on Project { slug } ... on Channel { name project { slug } } } }`),
      { ids: [ids.project, ids.projectChannel] },
    );
    expect(nodes).toEqual([
      { __typename: 'Project', slug: 'demo' },
      { __typename: 'Channel', name: 'ours', project: { slug: 'demo' } },
    ]);
  });

  test('more than 100 ids are refused', async () => {
    const { errors } = await app.graphql(gql(`query ($ids: [ID!]!) { nodes(ids: $ids) { id } }`), { ids: Array.from({ length: 101 }, () => 'x') });
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'ids' }] });
  });
});

describe('fields of a project', () => {
  const QUERY = gql(`query ($slug: String!) { project(slug: $slug) {
    slug viewerRole members { edges { node { user { name } } } } channels { edges { node { name config { __typename } lastError } } } subscriptions { edges { node { id } } }
    defaultSubscriptions { id } tokens { edges { node { name } } } deliveries { edges { node { id } } } deliveryStats(since: "2026-01-01T00:00:00Z", bucketSeconds: 86400) { count }
  } }`);

  test('a member reads all but what is for admins, which is null with FORBIDDEN at its path', async () => {
    const { data, errors } = await app.graphql(QUERY, { slug: 'demo' }, scene.tokens.member);
    expect(data?.project).toMatchObject({ slug: 'demo', viewerRole: 'MEMBER', tokens: null, deliveries: null, deliveryStats: null });
    expect(data?.project?.channels.edges).toEqual([{ node: { name: 'ours', config: null, lastError: null } }]);
    expect(data?.project?.subscriptions.edges).toEqual([{ node: { id: ids.teamSubscription } }]);
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
      expect(data?.project?.viewerRole).toBe(role);
      expect(data?.project?.channels.edges).toEqual([{ node: { name: 'ours', config: { __typename: 'WebhookConfig' }, lastError: null } }]);
    }
  });

  test('whoever may not know of it reads null, as for a slug that there is not', async () => {
    expect(await app.data(QUERY, { slug: 'demo' }, scene.tokens.outsider)).toEqual({ project: null });
    expect(await app.data(QUERY, { slug: 'nope' }, scene.tokens.member)).toEqual({ project: null });
  });
});

test('users are found by part of a name or address, in any case, and by nothing else', async () => {
  const find = async (query: string): Promise<string[]> => {
    const { users } = await app.data(gql(`query ($query: String) { users(query: $query) { edges { node { name } } } }`), { query });
    return users.edges.map(({ node }) => node.name);
  };
  expect((await find('OUTSID')).sort()).toEqual(['outsider']);
  expect((await find('otheradmin@')).sort()).toEqual(['otherAdmin']);
  expect(await find('%')).toEqual([]);
  expect(await find('admin')).toHaveLength(3);
});

describe('muting', () => {
  const MUTE = gql(`mutation ($input: MuteSubscriptionsInput!) { muteSubscriptions(input: $input) { changed } }`);
  const mute = async (input: VariablesOf<typeof MUTE>['input']) => await app.graphql(MUTE, { input }, scene.tokens.member);

  test('mutes all that are the viewer’s own, and null unmutes them', async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const { viewer } = await app.data(gql(`{ viewer { subscriptions { edges { node { id } } } } }`), {}, scene.tokens.member);
    const count = viewer.subscriptions.edges.length;
    expect(count).toBeGreaterThan(1);
    expect((await mute({ until })).data?.muteSubscriptions.changed).toBe(count);
    expect((await mute({ until, projectId: scene.projectId })).data?.muteSubscriptions.changed).toBe(0);
    expect((await mute({ until: null })).data?.muteSubscriptions.changed).toBe(count);
  });

  test('until must be said: what is left out by mistake must not unmute', async () => {
    expect((await mute({})).errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ path: 'until' }] });
  });
});

describe('secrets', () => {
  test.each(ACTORS)('no answer to %s holds one', async (actor) => {
    const all = await app.graphql(
      gql(`query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Channel { config { ... on WebhookConfig { url hmacSecret headers { name value } } } } } }`),
      { ids: [ids.projectChannel, ids.memberChannel] },
      scene.tokens[actor],
    );
    expect(JSON.stringify(all)).not.toContain('canary-4711');
  });
});

describe('ids of another tenant or type', () => {
  test.each<[what: string, call: Row[1], path: string]>([
    [
      "another user's channel",
      change(CREATE_SUBSCRIPTION, () => ({ projectId: ids.project, trigger: 'TASK_FAILED' as const, channelIds: [ids.projectChannel, ids.memberChannel] })),
      'channelIds.1',
    ],
    [
      'an id of another type',
      change(CREATE_SUBSCRIPTION, () => ({ projectId: ids.project, trigger: 'TASK_FAILED' as const, channelIds: [ids.projectChannel, ids.project] })),
      'channelIds.1',
    ],
    ['garbage', change(CREATE_SUBSCRIPTION, () => ({ projectId: 'garbage', trigger: 'TASK_FAILED' as const })), 'projectId'],
    ["another's item", change(MARK_READ, () => ({ ids: [globalId('InboxItem', `${uuidv7()}:1`)] })), 'ids.0'],
  ])('%s is NOT_FOUND at its path', async (_what, run, path) => {
    const { errors } = await run(scene.tokens.admin);
    expect(errors[0]?.extensions).toMatchObject({ code: 'NOT_FOUND', issues: [{ path }] });
  });
});

test('a token is shown once, and works at once; revoked, it does not', async () => {
  const token = await addToken(app, { name: 'short', userId: scene.people.member.id });
  expect((await app.graphql(VIEWER, {}, token)).status).toBe(200);
  const { viewer } = await app.data(gql(`{ viewer { tokens(first: 1) { edges { node { id name lastUsedAt } } } } }`), {}, token);
  const id = viewer.tokens.edges[0]?.node.id ?? '';
  await app.data(REVOKE_TOKEN, { input: { id } }, scene.tokens.member);
  const answer = await app.graphql(VIEWER, {}, token);
  expect([answer.status, answer.errors[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
});

test('whoever removes itself does not read the project by the answer', async () => {
  const { projectId, people } = scene;
  await setMember(app, projectId, people.otherAdmin, 'ADMIN');
  const removal = gql(`mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { project { slug members { edges { node { role } } } } } }`);
  const { data, errors } = await app.graphql(removal, { input: { projectId, userId: people.otherAdmin.id } }, people.otherAdmin.token);
  expect(data).toBeNull();
  expect(errors[0]?.extensions.code).toBe('NOT_FOUND');
  expect(await app.data(gql(`{ project(slug: "demo") { slug } }`), {}, people.otherAdmin.token)).toEqual({ project: null });
});
