import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';
import { gql } from '../support/gql.ts';
import { CREATE_PROJECT, CREATE_SUBSCRIPTION } from '../support/operations.ts';
import { until } from '../support/pipeline.ts';
import { PROVIDERS_CA } from '../support/providers/provider.ts';
import { openSmtpServer, SMTP_PASS, SMTP_USER, type SmtpServer, type SmtpServerOptions } from '../support/providers/smtp.ts';

// A whole server, and a real mail server in the place of smtp.example.com: what operators can do by EGRESS_HOSTS and NODE_EXTRA_CA_CERTS, and no more.

const A = 'a@example.com';
const B = 'b@example.com';
const C = 'c@example.com';

let app: TestApp;
let server: SmtpServer;
let projectId: string;
/** What the server answers in place of its own rules. */
let answer: NonNullable<SmtpServerOptions['answer']>;
const trusted = getCACertificates('default');

beforeAll(async () => {
  setDefaultCACertificates([...trusted, PROVIDERS_CA]);
  server = await openSmtpServer({ answer: (step, line) => answer(step, line) });
  app = await openTestApp({ env: { EGRESS_ALLOW_CIDRS: '', EGRESS_ALLOW_HTTP: 'false', EGRESS_HOSTS: `smtp.example.com=127.0.0.1:${server.port}` } });
  projectId = (await app.data(CREATE_PROJECT, { input: { slug: 'my-project', name: 'My project' } })).createProject.project.id;
}, 120_000);

afterAll(async () => {
  await app.close();
  await server.close();
  setDefaultCACertificates(trusted);
});

beforeEach(() => {
  answer = () => undefined;
  server.mails.length = 0;
});

const CONFIG = { smtpHost: 'smtp.example.com', smtpPort: 587, smtpUser: SMTP_USER, smtpPass: SMTP_PASS, toAddrs: [A, B, C] };
const CREATE = gql(`mutation ($i: CreateChannelInput!) { createChannel(input: $i) { channel { id type config {
  ... on EmailConfig { smtpHost smtpPort smtpUser smtpPass smtpTls fromAddr toAddrs } } } } }`);

/** A channel that gets the failures of the task of this name. */
async function addChannel(taskName: string, config: object = CONFIG): Promise<void> {
  const { createChannel } = await app.data(CREATE, { i: { projectId, name: taskName, config: { email: config } } });
  expect(createChannel.channel).toMatchObject({ type: 'EMAIL', config: { ...CONFIG, ...config, smtpPass: '••••••••', smtpTls: true, fromAddr: SMTP_USER } });
  const channelIds = [createChannel.channel.id];
  await app.data(CREATE_SUBSCRIPTION, { input: { projectId, team: true, trigger: 'TASK_FAILED', filters: { taskNamePattern: taskName }, channelIds } });
}

/** Publishes a failure, whose id is the task's name. */
async function publish(taskName: string): Promise<void> {
  const event = { id: taskName, trigger: 'task.failed', taskId: 'task-1', taskName, exception: 'ValueError: <no> customer' };
  expect((await app.events([event], { query: '?project=my-project' })).status).toBe(200);
}

const LOG = gql(`query ($f: DeliveryFilter) { project(slug: "my-project") { deliveries(filter: $f) { edges { node {
  id channelType status statusCode reason error responseBody attempts { outcome reason statusCode error responseBody } } } } } }`);

async function delivery(eventId: string) {
  const [edge] = (await app.data(LOG, { f: { eventId } })).project?.deliveries?.edges ?? [];
  if (edge === undefined) throw new Error(`no delivery of ${eventId}`);
  return edge.node;
}

const ended = (eventId: string, attempts: number): Promise<void> =>
  until(
    async () => {
      const { status, attempts: made } = await delivery(eventId);
      return status !== 'QUEUED' && made.length >= attempts;
    },
    `the delivery of ${eventId} has ended`,
    30_000,
  );

test('a failed task arrives as a mail', async () => {
  await addChannel('arrives');
  await publish('arrives');
  await ended('arrives', 1);
  expect(await delivery('arrives')).toMatchObject({ channelType: 'EMAIL', status: 'SENT', statusCode: 250, error: null, attempts: [{ outcome: 'DELIVERED' }] });
  expect(server.mails).toMatchObject([{ from: SMTP_USER, to: [A, B, C], isTls: true, user: SMTP_USER }]);
  const { data = '' } = server.mails[0] ?? {};
  expect(data).toContain('Subject: [tocsin] Task failed: arrives (my-project)');
  expect(data).toContain('ValueError: <no> customer');
  expect(data.replaceAll('=\r\n', '')).toContain('ValueError: &lt;no&gt; customer');
  expect(data.replaceAll('=\r\n', '')).toContain('http://tocsin.test/projects/my-project/tasks/task-1');
  expect(data.replaceAll(/\r\n\s+/g, ' ')).toContain(`Message-ID: <${(await delivery('arrives')).id}@example.com>`);
});

test('retries go to those who were put off alone, redelivery to those who refused; who has the mail gets it once', async () => {
  await addChannel('partial');
  let hasGreylisted = false;
  answer = (step, line) => {
    if (step !== 'RCPT') return undefined;
    if (line.includes(C)) return '550 5.1.1 no such mailbox';
    if (!line.includes(B) || hasGreylisted) return undefined;
    hasGreylisted = true;
    return '451 4.7.1 greylisted';
  };
  await publish('partial');
  await ended('partial', 2);
  expect(server.mails.map(({ to }) => to)).toEqual([[A], [B]]);
  expect(await delivery('partial')).toMatchObject({
    status: 'FAILED',
    reason: 'REJECTED',
    statusCode: 550,
    error: `refused: ${C} (550)`,
    attempts: [
      { outcome: 'RETRY', reason: 'DEFERRED', statusCode: 451, responseBody: '451 4.7.1 greylisted\n550 5.1.1 no such mailbox' },
      { outcome: 'FAILED', reason: 'REJECTED', error: `refused: ${C} (550)` },
    ],
  });
  answer = () => undefined;
  const { id } = await delivery('partial');
  await app.data('mutation($i: RedeliverInput!) { redeliver(input: $i) { __typename } }', { i: { ids: [id] } });
  await ended('partial', 3);
  expect(server.mails.map(({ to }) => to)).toEqual([[A], [B], [C]]);
  expect(await delivery('partial')).toMatchObject({ status: 'SENT' });
  // One mail to whoever has both: the Message-ID is the same on each.
  expect(new Set(server.mails.map(({ data }) => /Message-ID:\s*(\S+)/.exec(data)?.[1])).size).toBe(1);
});

test('refused credentials end it at once, and are told to nobody', async () => {
  await addChannel('login', { ...CONFIG, smtpPass: 'another password' });
  await publish('login');
  await ended('login', 1);
  const told = await delivery('login');
  expect(told).toMatchObject({
    status: 'FAILED',
    reason: 'CREDENTIALS_REFUSED',
    statusCode: 535,
    error: 'the mail server answered with 535 to the credentials',
    responseBody: '535 5.7.8 no such user, or not with ••••••••',
  });
  expect(server.mails).toEqual([]);
  for (const text of [JSON.stringify(told), app.log.text()]) {
    expect(text).not.toContain('another password');
    expect(text).not.toContain(Buffer.from('another password').toString('base64').slice(0, 18));
  }
});

test('a server that may not be reached is refused when it is saved, at its path', async () => {
  const refused = await app.graphql(CREATE, { i: { projectId, name: 'local', config: { email: { ...CONFIG, smtpHost: 'localhost' } } } });
  expect(refused.errors[0]?.extensions).toMatchObject({
    code: 'BAD_USER_INPUT',
    issues: [{ path: 'config.email.smtpHost', message: 'must lead to a host that resolves, and only to addresses that the egress policy allows' }],
  });
});
