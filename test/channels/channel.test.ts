import { describe, expect, test } from 'vitest';
import { defineChannel } from '../../src/channels/channel.ts';
import { joinConfig, secretsOf, viewOf } from '../../src/channels/config.ts';
import { fieldInfos } from '../../src/channels/field-info.ts';
import { createSend } from '../../src/channels/send.ts';
import { webhook } from '../../src/channels/webhook.ts';
import { parseJson } from '../../src/lib/json.ts';
import { SECRET_MASK, Secret } from '../../src/lib/secret.ts';
import { createManualClock } from '../support/clock.ts';
import { compiled, issuesOf, MESSAGE, NO_MAIL, NOW_MS, reply, scriptedHttp, storedOf } from './support.ts';

/** Every kind of field in one kind of channel, as the kinds to come will need them. */
const everything = defineChannel({
  kind: 'everything',
  typeName: 'Everything',
  title: 'Everything',
  docsUrl: null,
  fields: {
    host: { kind: 'TEXT', label: 'Host', required: true },
    user: { kind: 'TEXT', label: 'User', required: true },
    from: { kind: 'TEXT', label: 'From', defaultFrom: 'user', check: (text) => (text.includes('@') ? null : 'must be an address') },
    pass: { kind: 'SECRET', label: 'Password' },
    hook: { kind: 'URL', label: 'Hook', secret: true, pattern: 'https://hooks\\.example\\.com/.+', hint: 'The whole URL.' },
    port: { kind: 'INTEGER', label: 'Port', choices: [25, 465], default: 465 },
    tls: { kind: 'BOOLEAN', label: 'TLS', default: true },
    severity: { kind: 'CHOICE', label: 'Severity', choices: ['critical', 'info'], enumName: 'PagerDutySeverity' },
    to: { kind: 'TEXT_LIST', label: 'To', maxItems: 50, maxLength: 254 },
    headers: { kind: 'HEADERS', label: 'Headers', maxItems: 20, valueBytesMax: 1_024 },
    severities: { kind: 'SEVERITY_MAP', label: 'Severities', choices: ['critical', 'info'], enumName: 'PagerDutySeverity' },
  },
  targets: ['host', 'tls'],
  check: ({ tls, port }) => (tls || port === 25 ? [] : [{ path: 'tls', message: 'may be off on port 25 only' }]),
  prepare: (config) => config,
  // What has no value and no default is typed as nullable, the rest is not: this compiles.
  build: (message, { from, port, tls, to, severities, pass, severity }) => ({
    url: `https://${from.toLowerCase()}:${port.toFixed()}`,
    headers: {},
    body: JSON.stringify([message.eventId, tls, to.length, severities.length, pass?.length ?? null, severity?.length ?? null]),
  }),
  delivered: [
    [200, 200],
    [204, 204],
  ],
  readReply: ({ status, body }) => {
    if (status === 200) return { isDelivered: body === 'ok' };
    return body.startsWith('wait') ? { retryAfterMs: Number(body.slice(4)) } : {};
  },
});

const input = { host: 'smtp.example.com', user: 'me@example.com', pass: 'hunter2-hunter2', hook: 'https://hooks.example.com/T0/B0' };

describe('a declaration gives', () => {
  test('what the API tells of the fields and makes its types of', () => {
    const infos = fieldInfos(everything);
    expect(infos.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'host TEXT',
      'user TEXT',
      'from TEXT',
      'pass SECRET',
      'hook URL',
      'port INTEGER',
      'tls BOOLEAN',
      'severity CHOICE',
      'to TEXT_LIST',
      'headers HEADERS',
      'severities SEVERITY_MAP',
    ]);
    expect(infos.filter(({ required }) => required).map(({ name }) => name)).toEqual(['host', 'user']);
    expect(infos.filter(({ secret }) => secret).map(({ name }) => name)).toEqual(['pass', 'hook', 'headers']);
    expect(infos.filter((info) => info.isAlwaysSet).map(({ name }) => name)).toEqual(['host', 'user', 'from', 'port', 'tls', 'to', 'headers', 'severities']);
    expect(infos.find(({ name }) => name === 'port')).toMatchObject({ defaultValue: 465, choices: ['25', '465'], maxLength: null, enumName: null });
    expect(infos.find(({ name }) => name === 'hook')).toMatchObject({
      pattern: 'https://hooks\\.example\\.com/.+',
      hint: 'The whole URL.',
      defaultValue: null,
    });
    expect(infos.find(({ name }) => name === 'to')).toMatchObject({ maxLength: 254, choices: null });
    expect(infos.find(({ name }) => name === 'severities')).toMatchObject({ choices: ['critical', 'info'], enumName: 'PagerDutySeverity' });
  });

  test("webhook's, as the contract has them", () => {
    expect(fieldInfos(webhook)).toMatchObject([
      { name: 'url', kind: 'URL', required: true, secret: false, isAlwaysSet: true },
      { name: 'headers', kind: 'HEADERS', required: false, secret: true, isAlwaysSet: true, maxLength: 1_024 },
      { name: 'hmacSecret', kind: 'SECRET', required: false, secret: true, isAlwaysSet: false },
    ]);
  });

  test('the view: masks, defaults, null and [] where nothing is set', () => {
    expect(viewOf(everything.fields, storedOf(everything, input).config)).toEqual({
      host: 'smtp.example.com',
      user: 'me@example.com',
      from: 'me@example.com',
      pass: SECRET_MASK,
      hook: SECRET_MASK,
      port: 465,
      tls: true,
      severity: null,
      to: [],
      headers: [],
      severities: [],
    });
    expect(viewOf(webhook.fields, null)).toEqual({ url: null, headers: [], hmacSecret: null });
  });

  test('the two stored halves: what is public without secrets, and the secrets alone', () => {
    const stored = storedOf(everything, { ...input, headers: [{ name: 'X-A', value: 'header secret' }] });
    expect(stored.config).toEqual({ ...input, pass: SECRET_MASK, hook: SECRET_MASK, headers: [{ name: 'X-A', value: SECRET_MASK }] });
    expect(parseJson(stored.secrets.reveal())).toEqual({
      values: { pass: input.pass, hook: input.hook, headers: [{ name: 'X-A', value: 'header secret' }] },
      previous: {},
    });
  });

  test('the list for redaction: secrets, parts of headers, disguises, the old ones', () => {
    const before = storedOf(webhook, { url: 'https://example.com', hmacSecret: 'older secret' });
    const key = 'A/+A'.repeat(8);
    const stored = storedOf(webhook, { hmacSecret: `whsec_${key}`, headers: [{ name: 'X-A', value: ' Bearer tökën-123 ' }] }, before);
    const { given, previous } = joinConfig(webhook.fields, stored);
    const secrets = secretsOf(webhook.fields, given, previous);
    expect(secrets).toEqual(expect.arrayContaining(['older secret', `whsec_${key}`, key, 'A_-A'.repeat(8), 'Bearer tökën-123', 'tökën-123']));
    expect(secrets).toContain(Buffer.from('tökën-123').toString('latin1'));
    expect(secrets).not.toContain('https://example.com');
  });
});

describe('checks across fields', () => {
  test('come after those of the fields, with their path', () => {
    expect(issuesOf(everything, { ...input, tls: false })).toEqual([{ path: 'config.everything.tls', message: 'may be off on port 25 only' }]);
    expect(issuesOf(everything, { ...input, tls: false, port: 25 })).toEqual([]);
    expect(issuesOf(everything, { ...input, user: 'me' })).toEqual([{ path: 'config.everything.from', message: 'must be an address' }]);
    expect(issuesOf(everything, { ...input, user: 'me', from: 'me@example.com' })).toEqual([]);
  });
});

describe('targets', () => {
  const stored = storedOf(everything, { ...input, port: 25 });
  const asksAnew = [
    { path: 'config.everything.pass', message: expect.stringContaining('anew') },
    { path: 'config.everything.hook', message: expect.stringContaining('anew') },
  ];

  test.each([
    ['another text', { host: 'smtp.example.org' }, asksAnew],
    ['a protection switched off', { tls: false }, asksAnew],
    ['one switched off that was on by default and is said to be on', { tls: true }, []],
    ['a field that is no target', { user: 'you@example.com' }, []],
    ['the same text', { host: 'smtp.example.com' }, []],
  ])('%s', (_, change, expected) => {
    expect(issuesOf(everything, change, stored)).toEqual(expected);
  });

  test('a protection switched on again is no move', () => {
    expect(issuesOf(everything, { tls: true }, storedOf(everything, { ...input, port: 25, tls: false }))).toEqual([]);
    expect(issuesOf(everything, { tls: null }, storedOf(everything, { ...input, port: 25, tls: false }))).toEqual([]);
  });
});

describe('readReply', () => {
  const channel = compiled(everything, storedOf(everything, input));

  test.each([
    [200, 'ok', { outcome: 'DELIVERED', statusCode: 200 }],
    [200, 'not ok', { outcome: 'FAILED', reason: 'UNEXPECTED_REPLY', statusCode: 200, responseBody: 'not ok' }],
    [204, '', { outcome: 'DELIVERED', statusCode: 204 }],
    [201, '', { outcome: 'FAILED', reason: 'UNEXPECTED_REPLY' }],
    [429, 'wait1500', { outcome: 'RETRY', retryAfterMs: 1_500 }],
    [429, 'wait99999999', { outcome: 'RETRY', retryAfterMs: 3_600_000 }],
    [429, 'waitx', { outcome: 'RETRY', retryAfterMs: null }],
    [429, 'slow down', { outcome: 'RETRY', retryAfterMs: 9_000 }],
  ])('%i %j', async (status, body, expected) => {
    const http = scriptedHttp(() => reply(status, body, { 'retry-after': '9' }));
    expect(await createSend({ mail: NO_MAIL, http, clock: createManualClock(NOW_MS), version: '1' })(channel, MESSAGE)).toMatchObject(expected);
  });
});

describe('what was stored by another hand', () => {
  const { config, secrets } = storedOf(webhook, { url: 'https://example.com', headers: [{ name: 'X-A', value: 'secret' }] });
  const sealed = (headers: unknown): Secret => new Secret(JSON.stringify({ values: { headers }, previous: {} }));

  test.each([
    ['a header that must not be', { config, secrets: sealed([{ name: 'Host', value: 'evil' }]) }, /headers\.0\.name is reserved/],
    ['a header with a line feed', { config, secrets: sealed([{ name: 'X-A', value: 'a\r\nHost: evil' }]) }, /headers\.0\.value/],
    ['another scheme', { config: { ...config, url: 'file:///etc/passwd' }, secrets }, /url must/],
    ['no url', { config: {}, secrets }, /url is required/],
  ])('is not sent: %s', (_, stored, problem) => {
    const result = webhook.compile(stored);
    expect(result.ok ? '' : result.problem).toMatch(problem);
    expect(result.ok ? '' : result.problem).not.toMatch(/evil|passwd/);
  });

  test.each(['', '[]', 'null', '{"values":[],"previous":1}', '{"previous":{"hmacSecret":{"value":1}}}'])('secrets that are none, %j, are not set', (text) => {
    expect(joinConfig(webhook.fields, { config, secrets: new Secret(text) })).toEqual({ given: { url: 'https://example.com' }, previous: {} });
  });
});
