import { describe, expect, test } from 'vitest';
import { discord } from '../../src/channels/discord.ts';
import { createSend } from '../../src/channels/send.ts';
import { SECRET_MASK } from '../../src/lib/secret.ts';
import { createManualClock } from '../support/clock.ts';
import { CHAT_INPUTS } from './chat-fixtures.ts';
import { compiled, issuesOf, MESSAGE, NO_MAIL, NOW_MS, reply, scriptedHttp, storedOf } from './support.ts';

const { webhookUrl } = CHAT_INPUTS.discord;
const FORM = 'must have the form https://discord.com/api/webhooks/…';

describe('the URL', () => {
  test.each([
    [webhookUrl, `${webhookUrl}/slack`],
    [`${webhookUrl}/`, `${webhookUrl}/slack`],
    [`${webhookUrl}/slack`, `${webhookUrl}/slack`],
    [`${webhookUrl}/slack/`, `${webhookUrl}/slack`],
    [`${webhookUrl}?thread_id=42`, `${webhookUrl}/slack?thread_id=42`],
    [`${webhookUrl}/slack?thread_id=42`, `${webhookUrl}/slack?thread_id=42`],
    [`${webhookUrl}?wait=true&x=/slack`, `${webhookUrl}/slack?wait=true&x=/slack`],
    ['https://discordapp.com/api/webhooks/1/x', 'https://discordapp.com/api/webhooks/1/x/slack'],
    ['https://canary.discord.com/api/webhooks/1/x', 'https://canary.discord.com/api/webhooks/1/x/slack'],
    ['https://ptb.discord.com/api/webhooks/1/x', 'https://ptb.discord.com/api/webhooks/1/x/slack'],
  ])('%s is posted to as %s', (url, sent) => {
    expect(issuesOf(discord, { webhookUrl: url })).toEqual([]);
    expect(compiled(discord, storedOf(discord, { webhookUrl: url })).build(MESSAGE, NOW_MS)).toMatchObject({
      url: sent,
      headers: { 'content-type': 'application/json' },
    });
  });

  test.each([
    ['another host', 'https://example.com/api/webhooks/1/x', FORM],
    ['a name under it', 'https://evil.discord.com/api/webhooks/1/x', FORM],
    ['a name that only begins like it', 'https://discordapp.com.evil.example/api/webhooks/1/x', FORM],
    ['another port', 'https://discord.com:8443/api/webhooks/1/x', FORM],
    ['another path', 'https://discord.com/api/channels/1/x', FORM],
    ['no token', 'https://discord.com/api/webhooks/1', FORM],
    ['the endpoint where the token should be', 'https://discord.com/api/webhooks/1/slack', FORM],
    ['an id that is no number', 'https://discord.com/api/webhooks/me/x', FORM],
    ['another endpoint', 'https://discord.com/api/webhooks/1/x/github', FORM],
    ['an encoded way out of the path', 'https://discord.com/api/webhooks/1/x%2f..%2f..', FORM],
    ['a way out of the path', 'https://discord.com/api/webhooks/1/x/../../..', FORM],
    ['a fragment', 'https://discord.com/api/webhooks/1/x#y', FORM],
    ['http', 'http://discord.com/api/webhooks/1/x', 'must be an https URL'],
    ['userinfo', 'https://me@discord.com/api/webhooks/1/x', 'must not contain a user name or password'],
    ['a backslash', 'https://discord.com\\@evil.example/api/webhooks/1/x', 'must not contain white space, control characters or backslashes'],
  ])('%s is refused', (_, url, message) => {
    expect(issuesOf(discord, { webhookUrl: url })).toEqual([{ path: 'config.discord.webhookUrl', message }]);
  });

  test('is the secret: masked, kept by the mask, and its token is cleared of replies', () => {
    const stored = storedOf(discord, { webhookUrl });
    expect(stored.config).toEqual({ webhookUrl: SECRET_MASK });
    expect(storedOf(discord, { webhookUrl: SECRET_MASK }, stored)).toEqual(stored);
    expect(compiled(discord, stored).redact('no abcDEF_-0123456789 here')).toBe(`no ${SECRET_MASK} here`);
  });
});

describe('how long a 429 holds', () => {
  const channel = compiled(discord, storedOf(discord, { webhookUrl }));
  const body = '{"message":"You are being rate limited.","retry_after":64.57,"global":false}';
  const seconds = NOW_MS / 1_000;

  test.each<[string, number, string, Record<string, string>, number | null]>([
    ['retry_after, with decimals', 429, body, { 'retry-after': '65', 'x-ratelimit-reset-after': '1' }, 64_570],
    ['Retry-After without it', 429, '', { 'retry-after': '65', 'x-ratelimit-reset-after': '1' }, 65_000],
    ['the time of the reset', 429, 'not JSON', { 'x-ratelimit-reset-after': '1.5', 'x-ratelimit-reset': String(seconds + 9) }, 1_500],
    ['the moment of the reset', 429, '', { 'x-ratelimit-reset': String(seconds + 9.25) }, 9_250],
    ['a reset that is over', 429, '', { 'x-ratelimit-reset': String(seconds - 9) }, 0],
    ['more than an hour', 429, '{"retry_after":99999}', {}, 3_600_000],
    ['garbage', 429, '{"retry_after":"soon"}', { 'retry-after': 'soon', 'x-ratelimit-reset-after': '-1', 'x-ratelimit-reset': 'x' }, null],
    ['nothing', 429, '', {}, null],
    ['other replies have reset headers too', 500, '', { 'x-ratelimit-reset-after': '9' }, null],
    ['other replies may have Retry-After', 503, '', { 'retry-after': '9' }, 9_000],
  ])('%s', async (_, status, text, headers, retryAfterMs) => {
    const http = scriptedHttp(() => reply(status, text, headers));
    const send = createSend({ mail: NO_MAIL, http, clock: createManualClock(NOW_MS), version: '1' });
    expect(await send(channel, MESSAGE)).toMatchObject({ outcome: 'RETRY', retryAfterMs });
  });
});
