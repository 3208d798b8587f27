import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asRecord, parseJson } from '../../src/lib/json.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { gql, type VariablesOf } from '../support/gql.ts';
import { type CREATE_CHANNEL, CREATE_PROJECT, CREATE_SUBSCRIPTION } from '../support/operations.ts';
import { until } from '../support/pipeline.ts';
import { discordTooMany, openDiscord } from '../support/providers/discord.ts';
import { PROVIDERS_CA, type Provider } from '../support/providers/provider.ts';
import { openSlack, slackTooMany } from '../support/providers/slack.ts';
import { openTelegram, telegramTooMany } from '../support/providers/telegram.ts';

// A whole server, and real TLS servers in the providers' places: what operators can do by EGRESS_HOSTS and NODE_EXTRA_CA_CERTS, and no more.

const SLACK_PATH = '/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX';
const TOKEN = '123456789:AAE-abcdefghijklmnopqrstuvwxyz_01234';
const CHAT = '-1001234567890';
const DISCORD_PATH = '/api/webhooks/123456789012345678/abcDEF_-0123456789';
const SECRETS = ['XXXXXXXXXXXX', 'AAE-abcdef', 'abcDEF_-01'];

const CONFIGS = {
  slack: { webhookUrl: `https://hooks.slack.com${SLACK_PATH}` },
  telegram: { botToken: TOKEN, chatId: CHAT },
  discord: { webhookUrl: `https://discord.com${DISCORD_PATH}?thread_id=42` },
};
type Kind = keyof typeof CONFIGS;
const KINDS = Object.keys(CONFIGS) as Kind[];

/** Less than what a delivery's own second attempt waits: 5 s less a fifth. */
const HELD_SECONDS = 3;
const TOO_MANY = { slack: slackTooMany(HELD_SECONDS), telegram: telegramTooMany(HELD_SECONDS), discord: discordTooMany(HELD_SECONDS - 0.25) };
const HELD_MS = { slack: 3_000, telegram: 3_000, discord: 2_750 };

let app: TestApp;
let providers: Record<Kind, Provider>;
let projectId: string;
let channelIds: Record<Kind, string>;
const trusted = getCACertificates('default');

beforeAll(async () => {
  setDefaultCACertificates([...trusted, PROVIDERS_CA]);
  providers = { slack: await openSlack(SLACK_PATH), telegram: await openTelegram(TOKEN, [CHAT]), discord: await openDiscord(DISCORD_PATH) };
  const { slack, telegram, discord } = providers;
  const hosts = `hooks.slack.com=127.0.0.1:${slack.port},api.telegram.org=127.0.0.1:${telegram.port},discord.com=127.0.0.1:${discord.port}`;
  app = await openTestApp({ env: { EGRESS_ALLOW_CIDRS: '', EGRESS_ALLOW_HTTP: 'false', EGRESS_HOSTS: hosts } });
  projectId = (await app.data(CREATE_PROJECT, { input: { slug: 'my-project', name: 'My project' } })).createProject.project.id;
  const ids = await Promise.all(KINDS.map((kind) => addChannel(kind, CONFIGS[kind])));
  channelIds = Object.fromEntries(KINDS.map((kind, index) => [kind, ids[index]])) as Record<Kind, string>;
  for (const kind of KINDS) await subscribe(`${kind}.*`, [channelIds[kind]]);
  await subscribe('all.*', ids);
}, 120_000);

afterAll(async () => {
  await app.close();
  await Promise.all(Object.values(providers).map((provider) => provider.close()));
  setDefaultCACertificates(trusted);
});

beforeEach(() => {
  for (const provider of Object.values(providers)) provider.exchanges.length = 0;
});

type ConfigInput = VariablesOf<typeof CREATE_CHANNEL>['input']['config'];

async function addChannel(kind: Kind, config: object): Promise<string> {
  const { createChannel } = await app.data(
    gql(`mutation ($i: CreateChannelInput!) { createChannel(input: $i) { channel { id type config {
      ... on SlackConfig { slackUrl: webhookUrl } ... on TelegramConfig { botToken chatId } ... on DiscordConfig { discordUrl: webhookUrl } } } } }`),
    { i: { projectId, name: `${kind}-${JSON.stringify(config).length}`, config: { [kind]: config } as ConfigInput } },
  );
  expect(createChannel.channel.type).toBe(kind.toUpperCase());
  const mask = '••••••••';
  expect(createChannel.channel.config).toEqual({ slack: { slackUrl: mask }, telegram: { botToken: mask, chatId: CHAT }, discord: { discordUrl: mask } }[kind]);
  return createChannel.channel.id;
}

async function subscribe(taskNamePattern: string, ids: string[]): Promise<void> {
  await app.data(CREATE_SUBSCRIPTION, { input: { projectId, team: true, trigger: 'TASK_FAILED', filters: { taskNamePattern }, channelIds: ids } });
}

async function publish(id: string, taskName: string): Promise<void> {
  const event = { id, trigger: 'task.failed', taskId: 'task-1', taskName, exception: 'ValueError: <no> customer' };
  expect((await app.events([event], { query: '?project=my-project' })).status).toBe(200);
}

const LOG = gql(`query ($f: DeliveryFilter) { project(slug: "my-project") { deliveries(filter: $f, first: 100) { edges { node {
  channelType status statusCode reason error responseBody attempts { outcome reason statusCode error responseBody } } } } } }`);

async function deliveries(eventId: string) {
  return (await app.data(LOG, { f: { eventId } })).project?.deliveries?.edges.map(({ node }) => node) ?? [];
}

const finished = (eventId: string): Promise<void> =>
  until(async () => (await deliveries(eventId)).every(({ status }) => status !== 'QUEUED'), `the deliveries of ${eventId} have ended`);

test('a failed task arrives at all three, as each provider wants it', async () => {
  await publish('arrives', 'all.run');
  await finished('arrives');
  expect((await deliveries('arrives')).map(({ channelType, status, statusCode }) => `${channelType} ${status} ${statusCode}`).sort()).toEqual([
    'DISCORD SENT 200',
    'SLACK SENT 200',
    'TELEGRAM SENT 200',
  ]);
  for (const kind of KINDS) {
    const { exchanges } = providers[kind];
    expect(exchanges.map(({ answer }) => answer.status)).toEqual([200]);
    const { body, headers } = exchanges[0]?.request ?? { body: '', headers: {} };
    expect(headers['user-agent']).toMatch(/^tocsin\//);
    for (const part of ['Task failed', 'all.run', 'my-project', 'customer', 'http://tocsin.test/projects/my-project/tasks/task-1'])
      expect(body).toContain(part);
  }
  expect(providers.discord.exchanges[0]?.request.target).toBe(`${DISCORD_PATH}/slack?thread_id=42`);
  expect(asRecord(parseJson(providers.telegram.exchanges[0]?.request.body ?? ''))['chat_id']).toBe(CHAT);
});

describe.each(KINDS)('%s', (kind) => {
  test('a 429 holds the channel as long as the provider said, and others not at all', async () => {
    const provider = providers[kind];
    provider.script(TOO_MANY[kind]);
    await publish(`${kind}-1`, `${kind}.run`);
    await until(() => Promise.resolve(provider.exchanges.length === 1), 'the 429 was sent');
    await until(async () => (await deliveries(`${kind}-1`))[0]?.attempts.length === 1, 'the 429 is settled');
    const { node } = await app.data(gql(`query ($id: ID!) { node(id: $id) { ... on Channel { heldUntil lastFailureAt } } }`), { id: channelIds[kind] });
    const { heldUntil, lastFailureAt } = node as { heldUntil: string; lastFailureAt: string };
    expect(Date.parse(heldUntil) - Date.parse(lastFailureAt)).toBe(HELD_MS[kind]);

    await publish(`${kind}-2`, 'all.run');
    await finished(`${kind}-2`);
    const [first, second] = provider.exchanges;
    expect([first?.answer.status, second?.answer.status]).toEqual([429, 200]);
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(HELD_MS[kind]);
    for (const other of KINDS.filter((one) => one !== kind)) expect(providers[other].exchanges[0]?.atMs).toBeLessThan(second?.atMs ?? 0);

    await finished(`${kind}-1`);
    const [delivery] = await deliveries(`${kind}-1`);
    expect(delivery).toMatchObject({ status: 'SENT', attempts: [{ outcome: 'RETRY', reason: 'RATE_LIMITED', statusCode: 429 }, { outcome: 'DELIVERED' }] });
  });
});

test('what a provider says of a refusal is shown, and no secret with it', async () => {
  const wrong = {
    slack: { webhookUrl: `${CONFIGS.slack.webhookUrl}2` },
    telegram: { ...CONFIGS.telegram, botToken: `${TOKEN}2` },
    discord: { webhookUrl: `https://discord.com${DISCORD_PATH}2` },
  };
  const ids = await Promise.all(KINDS.map((kind) => addChannel(kind, wrong[kind])));
  await subscribe('wrong.*', ids);
  const echo = `{"ok":false,"description":"no bot ${TOKEN}2 at /bot${encodeURIComponent(TOKEN)}2/sendMessage"}`;
  providers.telegram.script({ status: 401, body: echo });
  await publish('wrong', 'wrong.run');
  await finished('wrong');
  const byType = Object.fromEntries((await deliveries('wrong')).map((delivery) => [delivery.channelType, delivery]));
  expect(byType).toMatchObject({
    SLACK: { status: 'FAILED', statusCode: 403, reason: 'CREDENTIALS_REFUSED', responseBody: 'invalid_token' },
    TELEGRAM: { status: 'FAILED', statusCode: 401, responseBody: '{"ok":false,"description":"no bot •••••••• at /bot••••••••/sendMessage"}' },
    DISCORD: { status: 'FAILED', statusCode: 404, reason: 'NOT_FOUND', responseBody: '{"message":"Unknown Webhook","code":10015}' },
  });
  const shown = [JSON.stringify(byType), JSON.stringify(app.log.lines)];
  for (const secret of SECRETS) for (const text of shown) expect(text).not.toContain(secret);
});

test('a config that breaks the rules is refused with the path of the field', async () => {
  const create = (config: object) =>
    app.graphql('mutation($i: CreateChannelInput!) { createChannel(input: $i) { channel { id } } }', { i: { projectId, name: 'refused', config } });
  const issuesOf = async (config: object) => (await create(config)).errors[0]?.extensions.issues;
  expect(await issuesOf({ slack: { webhookUrl: 'https://example.com/services/T/B/x' } })).toMatchObject([{ path: 'config.slack.webhookUrl' }]);
  expect(await issuesOf({ discord: {} })).toEqual([{ path: 'config.discord.webhookUrl', message: 'is required' }]);
  expect(await issuesOf({ telegram: { botToken: 'x', chatId: 'y' } })).toMatchObject([
    { path: 'config.telegram.botToken' },
    { path: 'config.telegram.chatId' },
  ]);
});
