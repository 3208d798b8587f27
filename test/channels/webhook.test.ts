import { createHmac, randomBytes } from 'node:crypto';
import { verify } from '@octokit/webhooks-methods';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import type { GivenValues } from '../../src/channels/config.ts';
import type { DeliveryMessage } from '../../src/channels/message.ts';
import { createSend } from '../../src/channels/send.ts';
import { webhook } from '../../src/channels/webhook.ts';
import { asRecord, parseJson } from '../../src/lib/json.ts';
import { createManualClock } from '../support/clock.ts';
import { compiled, MESSAGE, NO_MAIL, NOW_MS, reply, scriptedHttp, storedOf } from './support.ts';

const HOUR_MS = 3_600_000;
const url = 'https://hooks.example.com/in';
const minimal: DeliveryMessage = {
  ...MESSAGE,
  taskId: null,
  taskName: null,
  engine: null,
  priority: null,
  state: null,
  queue: null,
  agent: null,
  runtimeMs: null,
  exception: null,
  traceback: null,
  projectId: null,
  projectSlug: null,
  url: null,
  suppressedCount: 0,
  suppressedSinceMs: null,
  data: null,
};

function build(input: GivenValues, message = MESSAGE, attemptMs = NOW_MS) {
  return compiled(webhook, storedOf(webhook, { url, ...input })).build(message, attemptMs);
}

describe('the body', () => {
  test('has every field by its name and in its order', () => {
    expect(build({}).body).toBe(
      JSON.stringify({
        event_id: 'evt-1',
        delivery_id: MESSAGE.deliveryId,
        trigger: 'task.failed',
        task_id: 'task-1',
        task_name: 'billing.run',
        engine: 'celery',
        priority: 5,
        state: 'FAILURE',
        queue: 'billing',
        agent: 'worker-3',
        runtime_ms: 1_250,
        exception: 'ValueError: bad "amount" – 10 €',
        traceback: 'Traceback (most recent call last):\n  File "billing.py", line 1',
        project_id: 'UHJvamVjdDox',
        project_slug: 'my-project',
        url: 'https://tocsin.example.com/projects/my-project/tasks/task-1',
        suppressed_count: 37,
        data: { customer: 42 },
        timestamp: '2026-11-24T12:00:00.007Z',
      }),
    );
  });

  test('has null where there is nothing, and no field less', () => {
    const body = parseJson(build({}, minimal).body);
    expect(Object.keys(asRecord(body))).toEqual(Object.keys(asRecord(parseJson(build({}).body))));
    expect(body).toMatchObject({ task_id: null, task_name: null, runtime_ms: null, project_id: null, url: null, data: null, suppressed_count: 0 });
  });

  test('carries the data unchanged', () => {
    const text = '{"10":1,"__proto__":{"a":1},"b":[1.5,null,"é"],"a":{}}';
    const data: DeliveryMessage['data'] = JSON.parse(text);
    expect(build({}, { ...MESSAGE, data }).body).toContain(`"data":${text},`);
  });

  test('can say z4j.test', () => {
    expect(JSON.parse(build({}, { ...minimal, trigger: 'z4j.test' }).body)).toMatchObject({ trigger: 'z4j.test' });
  });
});

describe('the request', () => {
  test('goes to the url with its own headers, identified and unsigned without a secret', () => {
    const request = build({ headers: [{ name: 'Authorization', value: 'Bearer x' }] });
    expect(request.url).toBe(url);
    expect(request.headers).toEqual({
      authorization: 'Bearer x',
      'content-type': 'application/json',
      'webhook-id': MESSAGE.deliveryId,
      'webhook-timestamp': String(NOW_MS / 1_000),
    });
  });

  test('is sent with our name and version', async () => {
    const http = scriptedHttp(() => reply(204));
    await createSend({ mail: NO_MAIL, http, clock: createManualClock(NOW_MS), version: '1.2.3' })(compiled(webhook, storedOf(webhook, { url })), MESSAGE);
    expect(http.requests).toMatchObject([{ headers: { 'user-agent': 'tocsin/1.2.3' } }]);
  });

  test('carries other than ASCII values as UTF-8', () => {
    const sent = build({ headers: [{ name: 'X-Team', value: 'Zürich €' }] }).headers['x-team'] ?? '';
    expect(Buffer.from(sent, 'latin1').toString('utf8')).toBe('Zürich €');
  });

  test('carries even a header named __proto__', () => {
    expect(Object.entries(build({ headers: [{ name: '__proto__', value: 'x' }] }).headers)).toContainEqual(['__proto__', 'x']);
  });

  test('has the time of the attempt, the same id on every one', () => {
    const later = build({}, MESSAGE, NOW_MS + 61_999);
    expect(later.headers).toMatchObject({ 'webhook-id': MESSAGE.deliveryId, 'webhook-timestamp': String(NOW_MS / 1_000 + 61) });
  });

  test.each(['a.b', '', 'a b', 'a\r\nb'])('is not built with the id %j', (deliveryId) => {
    expect(() => build({}, { ...MESSAGE, deliveryId })).toThrow(TypeError);
  });
});

const whsec = `whsec_${randomBytes(32).toString('base64')}`;

describe('the signatures', () => {
  test.each([
    ['any text', 'correct horse'],
    ['one character', 'x'],
    ['other than ASCII', 'пароль-✓'],
    ['whsec_ and base64', whsec],
    ['whsec_ and no base64', 'whsec_nöt base64'],
    ['long', 'x'.repeat(5_000)],
  ])('X-Z4J-Signature verifies elsewhere: %s', async (_, hmacSecret) => {
    const { body, headers } = build({ hmacSecret });
    const signature = headers['x-z4j-signature'] ?? '';
    expect(signature).toMatch(/^sha256=[0-9a-f]{64}$/);
    expect(await verify(hmacSecret, body, signature)).toBe(true);
    expect(await verify(hmacSecret, `${body} `, signature)).toBe(false);
  });

  test.each([
    ['whsec_ and base64', whsec, whsec],
    ['24 bytes', `whsec_${'A'.repeat(32)}`, `whsec_${'A'.repeat(32)}`],
    ['64 bytes', `whsec_${Buffer.alloc(64, 1).toString('base64')}`, `whsec_${Buffer.alloc(64, 1).toString('base64')}`],
    ['any text', 'correct horse', Buffer.from('correct horse').toString('base64')],
    ['other than ASCII', 'пароль-✓', Buffer.from('пароль-✓').toString('base64')],
    ['whsec_ and 23 bytes: taken as it is', `whsec_${Buffer.alloc(23).toString('base64')}`, toKey(`whsec_${Buffer.alloc(23).toString('base64')}`)],
    ['whsec_ and 65 bytes: taken as it is', `whsec_${Buffer.alloc(65).toString('base64')}`, toKey(`whsec_${Buffer.alloc(65).toString('base64')}`)],
    ['whsec_ and no base64: taken as it is', 'whsec_nöt base64', toKey('whsec_nöt base64')],
  ])('webhook-signature verifies with standardwebhooks: %s', (_, hmacSecret, receiverSecret) => {
    const attemptMs = Date.now();
    const { body, headers } = build({ hmacSecret }, MESSAGE, attemptMs);
    const receiver = new Webhook(receiverSecret);
    expect(receiver.verify(body, headers)).toMatchObject({ event_id: 'evt-1' });
    expect(() => receiver.verify(body, { ...headers, 'webhook-id': 'other' })).toThrow();
    expect(() => receiver.verify(`${body} `, headers)).toThrow();
  });

  test('are what the formula of the specification says', () => {
    const { body, headers } = build({ hmacSecret: 'correct horse' });
    const signed = `${MESSAGE.deliveryId}.${NOW_MS / 1_000}.${body}`;
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', 'correct horse').update(signed).digest('base64')}`);
  });

  test('are both there for 24 h after the secret changed, and then only the new one', () => {
    const changedMs = Date.now();
    const before = storedOf(webhook, { url, hmacSecret: 'old secret' }, null, changedMs - HOUR_MS);
    const channel = compiled(webhook, storedOf(webhook, { hmacSecret: whsec }, before, changedMs));
    const early = channel.build(MESSAGE, changedMs);
    expect(new Webhook(whsec).verify(early.body, early.headers)).toBeDefined();
    expect(new Webhook(toKey('old secret')).verify(early.body, early.headers)).toBeDefined();
    expect(early.headers['webhook-signature']?.split(' ')).toHaveLength(2);
    expect(channel.build(MESSAGE, changedMs + 24 * HOUR_MS).headers['webhook-signature']?.split(' ')).toHaveLength(2);
    expect(channel.build(MESSAGE, changedMs + 24 * HOUR_MS + 1).headers['webhook-signature']?.split(' ')).toHaveLength(1);
  });

  test("X-Z4J-Signature is the new secret's at once", async () => {
    const stored = storedOf(webhook, { hmacSecret: 'new secret' }, storedOf(webhook, { url, hmacSecret: 'old secret' }));
    const { body, headers } = compiled(webhook, stored).build(MESSAGE, NOW_MS);
    expect(await verify('new secret', body, headers['x-z4j-signature'] ?? '')).toBe(true);
  });

  test('stop when the secret is cleared', () => {
    const stored = storedOf(webhook, { hmacSecret: null }, storedOf(webhook, { url, hmacSecret: 'old secret' }));
    expect(Object.keys(compiled(webhook, stored).build(MESSAGE, NOW_MS).headers)).toEqual(['content-type', 'webhook-id', 'webhook-timestamp']);
  });
});

function toKey(secret: string): string {
  return Buffer.from(secret).toString('base64');
}
