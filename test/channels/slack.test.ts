import { describe, expect, test } from 'vitest';
import { slack } from '../../src/channels/slack.ts';
import { SECRET_MASK } from '../../src/lib/secret.ts';
import { slackProblems } from '../support/providers/slack.ts';
import { CHAT_INPUTS } from './chat-fixtures.ts';
import { compiled, issuesOf, MESSAGE, NOW_MS, storedOf } from './support.ts';

const { webhookUrl } = CHAT_INPUTS.slack;
const FORM = 'must have the form https://hooks.slack.com/services/…';

test.each([webhookUrl, 'https://hooks.slack.com/services/T/B/x', 'https://HOOKS.slack.com:443/services/T0/B0/x-_9'])('%s is taken', (url) => {
  expect(issuesOf(slack, { webhookUrl: url })).toEqual([]);
});

test.each([
  ['another host', 'https://example.com/services/T0/B0/x', FORM],
  ['a name that only begins like it', 'https://hooks.slack.com.evil.example/services/T0/B0/x', FORM],
  ['the name with a dot at its end', 'https://hooks.slack.com./services/T0/B0/x', FORM],
  ['another port', 'https://hooks.slack.com:8443/services/T0/B0/x', FORM],
  ['another path', 'https://hooks.slack.com/workflows/T0/B0/x', FORM],
  ['no more than the prefix', 'https://hooks.slack.com/services/', FORM],
  ['a way out of the path', 'https://hooks.slack.com/services/../x', FORM],
  ['an encoded way out of the path', 'https://hooks.slack.com/services/%2e%2e/x', FORM],
  ['an encoded slash', 'https://hooks.slack.com/services/T0%2fB0/x', FORM],
  ['a query', 'https://hooks.slack.com/services/T0/B0/x?y', FORM],
  ['a fragment', 'https://hooks.slack.com/services/T0/B0/x#y', FORM],
  ['http', 'http://hooks.slack.com/services/T0/B0/x', 'must be an https URL'],
  ['userinfo', 'https://hooks.slack.com@example.com/services/T0/B0/x', 'must not contain a user name or password'],
  ['a line feed', 'https://hooks.slack.com/services/T0/B0/x\n', 'must not contain white space, control characters or backslashes'],
  ['no URL', 'slack', 'must be an absolute URL with a host'],
])('%s is refused', (_, url, message) => {
  expect(issuesOf(slack, { webhookUrl: url })).toEqual([{ path: 'config.slack.webhookUrl', message }]);
});

describe('the URL is the secret', () => {
  const stored = storedOf(slack, { webhookUrl });

  test.each([undefined, '', SECRET_MASK])('%j keeps it', (value) => {
    expect(storedOf(slack, { webhookUrl: value }, stored)).toEqual(stored);
  });

  test('the mask is refused where nothing is stored', () => {
    expect(issuesOf(slack, { webhookUrl: SECRET_MASK })).toMatchObject([{ path: 'config.slack.webhookUrl' }]);
  });

  test('it is sent as it was given, as JSON', () => {
    const request = compiled(slack, stored).build(MESSAGE, NOW_MS);
    expect(request).toMatchObject({ url: webhookUrl, headers: { 'content-type': 'application/json' } });
  });

  test("a reply keeps Slack's own words and loses the path", () => {
    const { redact } = compiled(slack, stored);
    expect(redact('invalid_token')).toBe('invalid_token');
    expect(redact('no service at /services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX')).toBe(`no service at /services/${SECRET_MASK}`);
  });
});

test('the fallback has the beginning of the exception in one line', () => {
  const { text } = JSON.parse(compiled(slack, storedOf(slack, { webhookUrl })).build({ ...MESSAGE, exception: 'ValueError:\n  a < b' }, NOW_MS).body) as {
    text: string;
  };
  expect(text).toBe('🔴 Task failed: billing.run (my-project) · ValueError: a &lt; b · +37 similar since 11:59 UTC');
});

test('a link that fills its section once it is escaped is left out', () => {
  const bodyWith = (count: number): string =>
    compiled(slack, storedOf(slack, { webhookUrl })).build({ ...MESSAGE, url: `https://example.com/?${'&'.repeat(count)}` }, NOW_MS).body;
  expect(bodyWith(400)).toContain('https://example.com/');
  expect(bodyWith(800)).not.toContain('https://example.com/');
  for (const count of [400, 800]) expect(slackProblems(JSON.parse(bodyWith(count)))).toEqual([]);
});
