import { verify } from '@octokit/webhooks-methods';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';
import { CREATE_CHANNEL, CREATE_PROJECT, CREATE_SUBSCRIPTION, UPDATE_CHANNEL } from '../support/operations.ts';
import { until } from '../support/pipeline.ts';
import { accept, openReceiver, type Received, type Receiver } from '../support/receiver.ts';

// Signatures of real requests, verified by implementations that know nothing of this project (spec 4).

let app: TestApp;
let receiver: Receiver;
let projectId: string;
/** How the receiver answers next; 204 once these are used up. */
let answers: number[] = [];

beforeAll(async () => {
  app = await openTestApp();
  receiver = await openReceiver((res) => {
    const status = answers.shift();
    if (status === undefined) accept(res);
    else res.writeHead(status).end('not now');
  });
  projectId = (await app.data(CREATE_PROJECT, { input: { slug: 'signed', name: 'Signed' } })).createProject.project.id;
}, 60_000);

afterAll(async () => {
  await app.close();
  await receiver.close();
});

/** A channel that gets the failures of tasks of its own name, at a path of that name. */
async function addWebhook(name: string, hmacSecret: string | null): Promise<string> {
  const webhook = { url: `${receiver.url}/${name}`, ...(hmacSecret === null ? {} : { hmacSecret }) };
  const { createChannel } = await app.data(CREATE_CHANNEL, { input: { projectId, name, config: { webhook } } });
  const channelId = createChannel.channel.id;
  await app.data(CREATE_SUBSCRIPTION, {
    input: { projectId, team: true, trigger: 'TASK_FAILED', filters: { taskNamePattern: name }, channelIds: [channelId] },
  });
  return channelId;
}

/** An event with much in it that a body could get wrong. */
function event(id: string, taskName: string): object {
  const exception = 'ValueError: “naïve” \u2028 \ud83d\udca5 </script>\n\ttab';
  return {
    id,
    trigger: 'task.failed',
    taskName,
    taskId: 'ü/1',
    priority: 9,
    runtimeMs: 1_500,
    exception,
    data: { big: 9_007_199_254_740_991, nested: [{ ключ: null }] },
  };
}

async function publish(taskName: string): Promise<void> {
  expect((await app.events([event(`${taskName} 1`, taskName)], { query: '?project=signed' })).json).toMatchObject({ accepted: 1, deliveries: 1 });
}

async function requests(name: string, count: number): Promise<Received[]> {
  const found = (): Received[] => receiver.received.filter(({ path }) => path === `/${name}`);
  await until(() => found().length >= count, `request ${String(count)} has come`, 20_000);
  return found();
}

function signatures({ headers }: Received): Record<string, string> {
  return Object.fromEntries(['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [name, String(headers[name])]));
}

/** Its verifier for a secret that is not of its own form: the key is the secret's UTF-8 bytes (it would take a string's characters for bytes). */
function standardWebhook(secret: string): Webhook {
  return new Webhook(Buffer.from(secret, 'utf8'), { format: 'raw' });
}

function z4j({ headers }: Received): string {
  return String(headers['x-z4j-signature']);
}

test.each([
  ['a plain text', 'plain', 'it is a secret to everybody'],
  ['text beyond ASCII', 'unicode', 'пароль-🔑-ß'],
])('both signatures hold with %s as the secret', async (_, name, secret) => {
  await addWebhook(name, secret);
  await publish(name);
  const [request] = await requests(name, 1);
  if (request === undefined) throw new Error('no request came');
  expect(await verify(secret, request.body, z4j(request))).toBe(true);
  expect(await verify(`${secret}!`, request.body, z4j(request))).toBe(false);
  const standard = standardWebhook(secret);
  expect(standard.verify(request.body, signatures(request))).toMatchObject({ event_id: `${name} 1`, task_id: 'ü/1', data: { nested: [{ ключ: null }] } });
  expect(() => standard.verify(`${request.body} `, signatures(request))).toThrow();
});

test("Standard Webhooks' own form of a secret: its key is the base64 after whsec_, and X-Z4J-Signature's is the text", async () => {
  const secret = `whsec_${Buffer.alloc(32, 0xfb).toString('base64')}`;
  await addWebhook('whsec', secret);
  await publish('whsec');
  const [request] = await requests('whsec', 1);
  if (request === undefined) throw new Error('no request came');
  expect(() => new Webhook(secret).verify(request.body, signatures(request))).not.toThrow();
  expect(await verify(secret, request.body, z4j(request))).toBe(true);
});

test('a retry has the same body and webhook-id, and a signature of its own time', async () => {
  const secret = 'retried secret';
  await addWebhook('retried', secret);
  answers = [500];
  await publish('retried');
  await requests('retried', 1);
  const { sql } = app.app.api.db;
  await until(async () => (await sql.query(`SELECT 1 FROM deliveries WHERE attempt_count = 1 AND status = 'QUEUED'`)).length === 1, 'the failure is settled');
  // Another second begins, since that is what signatures count in; then the retry, due in 5 s, is due at once.
  await until(() => Math.floor(Date.now() / 1_000) > Number(receiver.received.at(-1)?.headers['webhook-timestamp']), 'the second is over');
  await sql.query(`UPDATE pgboss.job SET start_after = now() WHERE name = 'deliver'`);
  const [first, second] = await requests('retried', 2);
  if (first === undefined || second === undefined) throw new Error('no retry came');
  expect(second.body).toBe(first.body);
  expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
  expect(z4j(second)).toBe(z4j(first));
  expect(second.headers['webhook-timestamp']).not.toBe(first.headers['webhook-timestamp']);
  const standard = standardWebhook(secret);
  for (const request of [first, second]) {
    expect(() => standard.verify(request.body, signatures(request))).not.toThrow();
    expect(await verify(secret, request.body, z4j(request))).toBe(true);
  }
});

test('after a change of secret receivers that hold either can verify webhook-signature, and X-Z4J-Signature is by the new one', async () => {
  const channelId = await addWebhook('rotated', 'the old secret');
  await app.data(UPDATE_CHANNEL, { input: { id: channelId, config: { webhook: { hmacSecret: 'the new secret' } } } });
  await publish('rotated');
  const [request] = await requests('rotated', 1);
  if (request === undefined) throw new Error('no request came');
  for (const secret of ['the old secret', 'the new secret']) {
    expect(() => standardWebhook(secret).verify(request.body, signatures(request))).not.toThrow();
  }
  expect(await verify('the new secret', request.body, z4j(request))).toBe(true);
  expect(await verify('the old secret', request.body, z4j(request))).toBe(false);
});

test('without a secret there is an id and a time, and no signature', async () => {
  await addWebhook('unsigned', null);
  await publish('unsigned');
  const [request] = await requests('unsigned', 1);
  expect(request?.headers).not.toHaveProperty('webhook-signature');
  expect(request?.headers).not.toHaveProperty('x-z4j-signature');
  expect(request?.headers).toMatchObject({ 'webhook-id': expect.any(String), 'webhook-timestamp': expect.stringMatching(/^\d{10}$/) });
});
