// npm run bench [-- throughput latency inbox start]   (all of them without arguments)
// Measures the server as a process of its own, with PostgreSQL where BENCH_DATABASE_URL names a server (a database of its own is made and dropped), else on PGlite.
// The load, the receiver and the sockets run in other processes of the same machine. Figures of one run compare with each other, not with those of another.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Pool } from 'undici';
import { cpuMs, memoryMiB, type Peer, pause, startPeer, startServer } from './processes.ts';

const TOKEN = 'bench-admin-token-0123456789';
const POSTGRES = process.env['BENCH_DATABASE_URL'];
const DATABASE = 'tocsin_bench';
/** Each event goes to one of these, in turn: one webhook alone would measure its limit of four sends at once. */
const WEBHOOKS = 8;
const wanted = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'));

interface Row {
  measured: string;
  [column: string]: string | number;
}

const env: Record<string, string> = {
  DATA_DIR: join(folder, 'data'),
  BOOTSTRAP_ADMIN_EMAIL: 'bench@example.com',
  BOOTSTRAP_ADMIN_TOKEN: TOKEN,
  SECRET_KEYS: `bench:${Buffer.alloc(32, 1).toString('base64')}`,
  EGRESS_ALLOW_CIDRS: '127.0.0.0/8',
  EGRESS_ALLOW_HTTP: 'true',
};

if (POSTGRES !== undefined) {
  await administer(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`, `CREATE DATABASE ${DATABASE}`);
  env['DATABASE_URL'] = Object.assign(new URL(POSTGRES), { pathname: `/${DATABASE}` }).href;
}
let eventNumber = 0;
process.stdout.write(`${POSTGRES === undefined ? 'PGlite' : 'PostgreSQL'}, Node ${process.version}\n`);
const emptyServer = await startServer(env);
await emptyServer.stop();
const server = await startServer(env);
const sink = startPeer('sink.ts');
const { port: sinkPort } = (await sink.first) as { port: number };
const http = new Pool(server.url, { connections: 64 });
try {
  if (isWanted('start')) await measureStart();
  await graphql('mutation { createProject(input: { slug: "bench", name: "Bench" }) { project { id } } }');
  await addWebhooks();
  await publishMany(10, 2_000, 16);
  await drained(2_000);
  if (isWanted('throughput')) for (const perPost of [1, 10, 100]) await measureThroughput(perPost);
  if (isWanted('latency')) for (const perSecond of [50, 200, 1_000]) await measureLatency(perSecond);
  if (isWanted('inbox')) await measureInbox(1_000);
} finally {
  await http.close();
  await sink.stop();
  await server.stop();
  if (POSTGRES !== undefined) await administer(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
  rmSync(folder, { recursive: true, force: true });
}

function report({ measured, ...columns }: Row): void {
  process.stdout.write(
    `${measured.padEnd(36)}${Object.entries(columns)
      .map(([name, value]) => `${name} ${String(value)}`)
      .join('   ')}\n`,
  );
}

function isWanted(name: string): boolean {
  return wanted.length === 0 || wanted.includes(name);
}

async function measureStart(): Promise<void> {
  await pause(2_000);
  report({
    measured: 'start',
    'empty database ms': Math.round(emptyServer.startMs),
    'existing database ms': Math.round(server.startMs),
    'idle MiB': Math.round(memoryMiB(server.pid)),
  });
}

/** Events a post, posts by 16 at once, until all are delivered to one webhook each. */
async function measureThroughput(perPost: number): Promise<void> {
  const events = perPost === 1 ? 3_000 : 10_000;
  await sink.ask('take');
  const before = { server: cpuMs({ pid: server.pid }), database: cpuMs({ name: 'postgres' }), at: performance.now() };
  await publishMany(perPost, events, 16);
  const acceptedMs = performance.now() - before.at;
  await drained(events);
  const elapsedMs = performance.now() - before.at;
  await pause(300);
  report({
    measured: `event to webhook, ${String(perPost)} a post`,
    'deliveries/s': Math.round((events / elapsedMs) * 1_000),
    'accepted/s': Math.round((events / acceptedMs) * 1_000),
    'server µs CPU a delivery': Math.round(((cpuMs({ pid: server.pid }) - before.server) * 1_000) / events),
    ...(POSTGRES === undefined ? {} : { 'PostgreSQL µs CPU a delivery': Math.round(((cpuMs({ name: 'postgres' }) - before.database) * 1_000) / events) }),
  });
}

/** Single posts at a steady rate; from the moment before the POST to its arrival at the receiver. */
async function measureLatency(perSecond: number): Promise<void> {
  const events = perSecond * 8;
  await sink.ask('take');
  await paced(perSecond, events, () => publish([event('bench', 'webhook')]));
  await drained(events);
  report({ measured: `POST to webhook at ${String(perSecond)} a second`, ...percentiles(await taken(sink)) });
}

/** One event for each of `sockets` users' inboxes, ten times, each with a socket of its own. */
async function measureInbox(sockets: number): Promise<void> {
  const file = join(folder, 'tokens');
  writeFileSync(file, (await addMembers(sockets)).join('\n'));
  const peer = startPeer('sockets.ts', [`${server.url.replace('http', 'ws')}/graphql`, file]);
  await peer.first;
  await reached(async () => Number((await peer.ask('ready'))['ready']) >= sockets);
  const before = cpuMs({ pid: server.pid });
  await paced(2, 20, () => publish([event('bench', 'inbox')]));
  await reached(async () => Number((await peer.ask('count'))['count']) >= sockets * 20);
  const cpu = Math.round(((cpuMs({ pid: server.pid }) - before) * 1_000) / (sockets * 20));
  report({
    measured: `event to all of ${String(sockets)} sockets`,
    ...percentiles(await taken(peer)),
    'server µs CPU an item': cpu,
    MiB: Math.round(memoryMiB(server.pid)),
  });
  await peer.stop();
}

async function addWebhooks(): Promise<void> {
  const { project } = await graphql<{ project: { id: string } }>('{ project(slug: "bench") { id } }');
  for (let number = 0; number < WEBHOOKS; number += 1) await addWebhook(project.id, number);
  const { project: withDefaults } = await graphql<{ project: { defaultSubscriptions: { id: string }[] } }>(
    '{ project(slug: "bench") { defaultSubscriptions { id } } }',
  );
  for (const { id } of withDefaults.defaultSubscriptions) await graphql('mutation ($id: ID!) { deleteDefaultSubscription(input: { id: $id }) { id } }', { id });
  const { viewer } = await graphql<{ viewer: { subscriptions: { edges: { node: { id: string } }[] } } }>(
    '{ viewer { subscriptions { edges { node { id } } } } }',
  );
  for (const { node } of viewer.subscriptions.edges) await graphql('mutation ($id: ID!) { deleteSubscription(input: { id: $id }) { id } }', { id: node.id });
}

async function addWebhook(projectId: string, number: number): Promise<void> {
  const url = `http://127.0.0.1:${String(sinkPort)}/hook/${String(number)}`;
  const { createChannel } = await graphql<{ createChannel: { channel: { id: string } } }>(
    'mutation ($input: CreateChannelInput!) { createChannel(input: $input) { channel { id } } }',
    {
      input: { projectId, name: `sink ${String(number)}`, config: { webhook: { url, hmacSecret: 'bench secret' } } },
    },
  );
  await graphql('mutation ($input: CreateSubscriptionInput!) { createSubscription(input: $input) { subscription { id } } }', {
    input: {
      projectId,
      team: true,
      trigger: 'TASK_FAILED',
      filters: { taskNamePattern: `webhook${String(number)}.*` },
      channelIds: [createChannel.channel.id],
    },
  });
}

async function addMembers(count: number): Promise<string[]> {
  const { project } = await graphql<{ project: { id: string } }>('{ project(slug: "bench") { id } }');
  await graphql(
    'mutation ($id: ID!) { createDefaultSubscription(input: { projectId: $id, trigger: TASK_FAILED, inApp: true, filters: { taskNamePattern: "inbox.*" } }) { defaultSubscription { id } } }',
    { id: project.id },
  );
  const tokens: string[] = [];
  for (let done = 0; done < count; done += 20) {
    const batch = Array.from({ length: Math.min(20, count - done) }, (_, i) => addMember(project.id, done + i));
    tokens.push(...(await Promise.all(batch)));
  }
  return tokens;
}

async function addMember(projectId: string, number: number): Promise<string> {
  const { createUser } = await graphql<{ createUser: { user: { id: string } } }>(
    'mutation ($input: CreateUserInput!) { createUser(input: $input) { user { id } } }',
    {
      input: { email: `member-${String(number)}@example.com`, name: `Member ${String(number)}` },
    },
  );
  await graphql('mutation ($input: SetMemberInput!) { setMember(input: $input) { project { id } } }', {
    input: { projectId, userId: createUser.user.id, role: 'MEMBER' },
  });
  const { createToken } = await graphql<{ createToken: { token: string } }>('mutation ($input: CreateTokenInput!) { createToken(input: $input) { token } }', {
    input: { name: 'bench', userId: createUser.user.id },
  });
  return createToken.token;
}

function event(prefix: string, taskPrefix: 'webhook' | 'inbox'): object {
  eventNumber += 1;
  return {
    id: `${prefix}-${String(process.pid)}-${String(eventNumber)}`,
    trigger: 'task.failed',
    taskId: `task-${String(eventNumber)}`,
    taskName: taskPrefix === 'webhook' ? `webhook${String(eventNumber % WEBHOOKS)}.run` : 'inbox.run',
    queue: 'default',
    engine: 'celery',
    agent: 'worker-1',
    runtimeMs: 1_234,
    exception: "ValueError('the invoice has no customer')",
    traceback: 'Traceback (most recent call last):\n'.padEnd(800, '  File "billing.py", line 42, in run\n'),
    data: { sentAtMs: performance.timeOrigin + performance.now() },
  };
}

async function publish(events: object[]): Promise<void> {
  const { statusCode, body } = await http.request({
    method: 'POST',
    path: '/v1/events?project=bench',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify(events),
  });
  const answer = await body.text();
  if (statusCode !== 200) throw new Error(`${String(statusCode)} ${answer}`);
}

async function publishMany(perPost: number, events: number, atOnce: number): Promise<void> {
  let left = events / perPost;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await publish(Array.from({ length: perPost }, () => event('bench', 'webhook')));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Calls `run` at a steady rate, without waiting for the answer of one before the next. */
async function paced(perSecond: number, count: number, run: () => Promise<void>): Promise<void> {
  const begin = performance.now();
  const runs: Promise<void>[] = [];
  for (let i = 0; i < count; i += 1) {
    const waitMs = begin + (i * 1_000) / perSecond - performance.now();
    if (waitMs > 1) await pause(waitMs);
    runs.push(run());
  }
  await Promise.all(runs);
}

async function drained(count: number): Promise<void> {
  await reached(async () => Number((await sink.ask('count'))['count']) >= count);
}

async function reached(check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 120_000;
  while (!(await check())) {
    if (performance.now() > end) throw new Error('the bench waited two minutes in vain');
    await pause(5);
  }
}

async function taken(peer: Peer): Promise<number[]> {
  return (await peer.ask('take'))['latenciesMs'] as number[];
}

function percentiles(values: number[]): Record<string, number> {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number => Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) * 10) / 10;
  return { 'p50 ms': at(0.5), 'p99 ms': at(0.99), 'max ms': at(1) };
}

async function graphql<T>(query: string, variables: object = {}): Promise<T> {
  const { body } = await http.request({
    method: 'POST',
    path: '/graphql',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await body.json()) as { data: T; errors?: unknown[] };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

async function administer(...statements: string[]): Promise<void> {
  const client = new pg.Client(POSTGRES);
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}
