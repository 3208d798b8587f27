import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';
import { openReceiver, type Receiver } from '../support/receiver.ts';
import { until } from '../support/pipeline.ts';

const HANGING = 20;
let app: TestApp;
let healthy: Receiver;
let hanging: Receiver[];
let projectId: string;

beforeAll(async () => {
  app = await openTestApp();
  healthy = await openReceiver();
  hanging = await Promise.all(Array.from({ length: HANGING }, () => openReceiver(() => {})));
  projectId = (await app.data('mutation { createProject(input: { slug: "hanging", name: "Hanging" }) { project { id } } }')).createProject.project.id;
  await subscribe('healthy', healthy.url, 'healthy.*');
  for (const [index, { url }] of hanging.entries()) await subscribe(`hanging ${String(index)}`, url, 'hanging.*');
}, 90_000);

afterAll(async () => {
  await Promise.all([healthy, ...hanging].map((receiver) => receiver.close()));
  await app.close();
});

async function subscribe(name: string, url: string, taskNamePattern: string): Promise<void> {
  const channel = await app.data('mutation ($input: CreateChannelInput!) { createChannel(input: $input) { channel { id } } }', { input: { projectId, name, config: { webhook: { url } } } });
  const input = { projectId, team: true, trigger: 'TASK_FAILED', filters: { taskNamePattern }, channelIds: [channel.createChannel.channel.id] };
  await app.data('mutation ($input: CreateSubscriptionInput!) { createSubscription(input: $input) { subscription { id } } }', { input });
}

let number = 0;
async function publish(taskName: string, count = 1): Promise<string[]> {
  const ids = Array.from({ length: count }, () => `${taskName}-${String((number += 1))}`);
  const { status } = await app.events(ids.map((id) => ({ id, trigger: 'task.failed', taskName })), { query: '?project=hanging' });
  expect(status).toBe(200);
  return ids;
}

async function latency(): Promise<number> {
  const startedAt = performance.now();
  const before = healthy.received.length;
  await publish('healthy.task');
  await until(() => healthy.received.length > before, 'it arrives', 30_000);
  return (healthy.received.at(-1)?.atMs ?? 0) - startedAt;
}
async function measure(n: number): Promise<string> {
  const xs: number[] = [];
  for (let i = 0; i < n; i++) xs.push(await latency());
  xs.sort((p, q) => p - q);
  return `n ${n} p50 ${xs[n >> 1]?.toFixed(1)} p90 ${xs[Math.floor(n * 0.9)]?.toFixed(1)} p99 ${xs[Math.floor(n * 0.99)]?.toFixed(1)} max ${xs.at(-1)?.toFixed(1)}`;
}
test('x', async () => {
  await measure(30);
  console.log('idle', await measure(100));
  console.log('idle', await measure(100));
  await publish('hanging.task', 25);
  const t = performance.now();
  for (let i = 0; i < 6; i++) { console.log('hang', ((performance.now() - t)/1000).toFixed(1), hanging.map(h => h.received.length).join(' '), await measure(100)); }
}, 120_000);
