import { describe, expect, test } from 'vitest';
import { createSend } from '../../src/channels/send.ts';
import { telegram } from '../../src/channels/telegram.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import type { SendResult } from '../../src/domain/ports.ts';
import { SECRET_MASK } from '../../src/lib/secret.ts';
import { createManualClock } from '../support/clock.ts';
import { CHAT_INPUTS } from './chat-fixtures.ts';
import { compiled, issuesOf, MESSAGE, NO_MAIL, NOW_MS, reply, scriptedHttp, storedOf } from './support.ts';

const { botToken, chatId } = CHAT_INPUTS.telegram;
const channel = compiled(telegram, storedOf(telegram, { botToken, chatId }));
const TOKEN_FORM = 'must have the form \\d+:[A-Za-z0-9_-]+';
const CHAT_FORM = 'must have the form -?\\d+|@[A-Za-z0-9_]+';

test.each(['1', '-1001234567890', '@my_channel'])('the chat %s is taken', (id) => {
  expect(issuesOf(telegram, { botToken, chatId: id })).toEqual([]);
});

test.each([
  ['botToken', '', 'is required'],
  ['botToken', '123456789', TOKEN_FORM],
  ['botToken', ':abc', TOKEN_FORM],
  ['botToken', '1:abc/../x', TOKEN_FORM],
  ['botToken', '1:abc?x', TOKEN_FORM],
  ['botToken', '1:abc\n', TOKEN_FORM],
  ['botToken', '1:äbc', TOKEN_FORM],
  ['botToken', '١:abc', TOKEN_FORM],
  ['chatId', '', 'must not be empty'],
  ['chatId', 'my_channel', CHAT_FORM],
  ['chatId', '+1', CHAT_FORM],
  ['chatId', '1.5', CHAT_FORM],
  ['chatId', '@', CHAT_FORM],
  ['chatId', '@my-channel', CHAT_FORM],
  ['chatId', '1\n', CHAT_FORM],
])('%s %j is refused', (field, value, message) => {
  expect(issuesOf(telegram, { botToken, chatId, [field]: value })).toEqual([{ path: `config.telegram.${field}`, message }]);
});

test('the token is kept and masked, the chat is public and may change without it', () => {
  const stored = storedOf(telegram, { botToken, chatId });
  expect(stored.config).toEqual({ botToken: SECRET_MASK, chatId });
  const moved = storedOf(telegram, { botToken: SECRET_MASK, chatId: '@other' }, stored);
  expect(compiled(telegram, moved).build(MESSAGE, NOW_MS)).toMatchObject({
    url: `https://api.telegram.org/bot${botToken}/sendMessage`,
    body: expect.stringContaining('"chat_id":"@other"'),
    headers: { 'content-type': 'application/json' },
  });
});

function send(answer: SendResult): Promise<Outcome> {
  return createSend({ mail: NO_MAIL, http: scriptedHttp(() => answer), clock: createManualClock(NOW_MS), version: '1' })(channel, MESSAGE);
}

describe('delivered is a 200 that says ok: true', () => {
  test.each([
    ['ok', '{"ok":true,"result":{}}', 'DELIVERED'],
    ['ok, with the message back, cut at 8 KiB', `{"ok":true,"result":{"text":"${'x'.repeat(8_192)}`, 'DELIVERED'],
    ['not ok', '{"ok":false,"description":"Bad Request"}', 'FAILED'],
    ['something like ok', '{"ok":1}', 'FAILED'],
    ['ok within something else', '{"result":{"ok":true}}', 'FAILED'],
    ['ok within what is no JSON', 'x {"ok":true,', 'FAILED'],
    ['a page', '<html>', 'FAILED'],
    ['nothing', '', 'FAILED'],
  ])('%s: %s', async (_, body, outcome) => {
    expect(await send(reply(200, body))).toMatchObject({ outcome });
    expect((await send(reply(201, body))).outcome).toBe('FAILED');
    expect((await send(reply(500, body))).outcome).toBe('RETRY');
  });

  test('a body that was not read, for its encoding, counts by its status', async () => {
    expect(await send(reply(200, '', { 'content-encoding': 'gzip' }))).toMatchObject({ outcome: 'DELIVERED' });
    expect(await send(reply(200, '', { 'content-encoding': 'identity' }))).toMatchObject({ outcome: 'FAILED' });
  });
});

describe('parameters.retry_after', () => {
  test.each([
    ['7', 7_000],
    ['0', 0],
    ['99999999', 3_600_000],
    ['-1', 3_000],
    ['"7"', 7_000],
    ['"soon"', 3_000],
    ['null', 3_000],
    ['{}', 3_000],
  ])('%s', async (seconds, retryAfterMs) => {
    const body = `{"ok":false,"error_code":429,"parameters":{"retry_after":${seconds}}}`;
    expect(await send(reply(429, body, { 'retry-after': '3' }))).toMatchObject({ outcome: 'RETRY', reason: 'RATE_LIMITED', retryAfterMs });
  });
});

describe('the token is never shown', () => {
  test.each([
    ['as it is', botToken],
    ['its secret half', botToken.slice(botToken.indexOf(':') + 1)],
    ['percent-encoded', encodeURIComponent(botToken)],
    ['percent-encoded whole', Array.from(botToken, (char) => `%${char.charCodeAt(0).toString(16)}`).join('')],
    ['in the URL', `https://api.telegram.org/bot${botToken}/sendMessage`],
  ])('%s', async (_, text) => {
    for (const outcome of [await send(reply(404, `no ${text}`)), await send({ ok: false, failure: 'TLS', message: `no ${text}` })]) {
      expect(JSON.stringify(outcome)).toContain(SECRET_MASK);
      expect(JSON.stringify(outcome)).not.toMatch(/AAE-abc|%41%41|AAE%2[dD]/);
    }
  });

  test('what Telegram says of the error is', async () => {
    const body = '{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}';
    expect(await send(reply(400, body))).toMatchObject({ outcome: 'FAILED', reason: 'REJECTED', responseBody: body });
  });
});
