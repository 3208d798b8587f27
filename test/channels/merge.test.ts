import { describe, expect, test } from 'vitest';
import type { GivenValues, StoredConfig } from '../../src/channels/config.ts';
import { joinConfig } from '../../src/channels/config.ts';
import { mergeConfig } from '../../src/channels/merge.ts';
import { webhook } from '../../src/channels/webhook.ts';
import { SECRET_MASK } from '../../src/lib/secret.ts';
import { issuesOf, NOW_MS, storedOf } from './support.ts';

const DAY_MS = 86_400_000;
const whole = {
  url: 'https://hooks.example.com/in?tag=1',
  headers: [
    { name: 'Authorization', value: 'Bearer first' },
    { name: 'X-Team', value: 'payments' },
  ],
  hmacSecret: 'old secret',
};

function valuesOf(stored: StoredConfig): GivenValues {
  return joinConfig(webhook.fields, stored).given;
}

function after(input: GivenValues): GivenValues {
  return valuesOf(storedOf(webhook, input, storedOf(webhook, whole)));
}

describe('an update', () => {
  test.each<[string, GivenValues, GivenValues]>([
    ['without fields keeps all', {}, whole],
    ['an omitted secret is kept', { url: whole.url }, whole],
    ['an undefined one too', { hmacSecret: undefined, headers: undefined }, whole],
    ['an empty secret is kept', { hmacSecret: '' }, whole],
    ['a masked secret is kept', { hmacSecret: SECRET_MASK }, whole],
    ['a new secret replaces', { hmacSecret: 'new' }, { ...whole, hmacSecret: 'new' }],
    ['null clears an optional secret', { hmacSecret: null }, { url: whole.url, headers: whole.headers }],
    ['null clears the headers', { headers: null }, { url: whole.url, hmacSecret: whole.hmacSecret }],
    ['headers are replaced as a whole', { headers: [{ name: 'X-New', value: 'new' }] }, { ...whole, headers: [{ name: 'X-New', value: 'new' }] }],
    ['no headers', { headers: [] }, { ...whole, headers: [] }],
    [
      "a masked or empty header keeps its name's value, in any case and place",
      {
        headers: [
          { name: 'x-team', value: SECRET_MASK },
          { name: 'X-New', value: 'new' },
          { name: 'AUTHORIZATION', value: '' },
        ],
      },
      {
        ...whole,
        headers: [
          { name: 'x-team', value: 'payments' },
          { name: 'X-New', value: 'new' },
          { name: 'AUTHORIZATION', value: 'Bearer first' },
        ],
      },
    ],
    ['another query is the same place', { url: 'https://hooks.example.com/in?tag=2' }, { ...whole, url: 'https://hooks.example.com/in?tag=2' }],
    ['another spelling too', { url: 'https://HOOKS.example.com:443/x/../in' }, { ...whole, url: 'https://HOOKS.example.com:443/x/../in' }],
  ])('%s', (_, input, expected) => {
    expect(after(input)).toEqual(expected);
  });

  test.each([
    'https://other.example.com/in?tag=1',
    'https://hooks.example.com/out?tag=1',
    'https://hooks.example.com/in/?tag=1',
    'https://hooks.example.com:8443/in?tag=1',
    'http://hooks.example.com/in?tag=1',
  ])('a move to %s asks for every secret anew', (url) => {
    const stored = storedOf(webhook, whole);
    const anew = expect.stringContaining('given anew');
    const all = [
      { path: 'config.webhook.headers', message: anew },
      { path: 'config.webhook.hmacSecret', message: anew },
    ];
    expect(issuesOf(webhook, { url }, stored)).toEqual(all);
    expect(issuesOf(webhook, { url, hmacSecret: SECRET_MASK, headers: [{ name: 'X-Team', value: SECRET_MASK }] }, stored)).toEqual([
      { path: 'config.webhook.headers.0.value', message: anew },
      { path: 'config.webhook.hmacSecret', message: anew },
    ]);
    expect(issuesOf(webhook, { url, hmacSecret: '', headers: [] }, stored)).toEqual([{ path: 'config.webhook.hmacSecret', message: anew }]);
  });

  test.each<[string, GivenValues]>([
    ['given anew, even the same', { hmacSecret: 'old secret', headers: whole.headers }],
    ['cleared', { hmacSecret: null, headers: null }],
    ['cleared by an empty list', { hmacSecret: null, headers: [] }],
  ])('a move with the secrets %s is taken', (_, input) => {
    expect(issuesOf(webhook, { url: 'https://other.example.com/', ...input }, storedOf(webhook, whole))).toEqual([]);
  });

  test('a move without secrets is taken', () => {
    expect(issuesOf(webhook, { url: 'https://other.example.com/' }, storedOf(webhook, { url: whole.url }))).toEqual([]);
  });

  test('a broken url is what is said, not what would follow from it', () => {
    expect(issuesOf(webhook, { url: 'nonsense' }, storedOf(webhook, whole)).map(({ path }) => path)).toEqual(['config.webhook.url']);
  });

  test('what is kept is checked with what is new', () => {
    const stored = storedOf(webhook, { url: whole.url, hmacSecret: 'x'.repeat(16_000) });
    expect(issuesOf(webhook, { headers: [{ name: 'X-A', value: 'x'.repeat(1_000) }] }, stored)).toMatchObject([{ path: 'config.webhook' }]);
  });
});

describe('the mask', () => {
  test.each<[string, GivenValues, StoredConfig | null, string]>([
    ['at creation', { url: whole.url, hmacSecret: SECRET_MASK }, null, 'hmacSecret'],
    ['where none is stored', { hmacSecret: SECRET_MASK }, storedOf(webhook, { url: whole.url }), 'hmacSecret'],
    ['in a header at creation', { url: whole.url, headers: [{ name: 'X-A', value: SECRET_MASK }] }, null, 'headers.0.value'],
    ['of a header that is not stored', { headers: [{ name: 'X-A', value: SECRET_MASK }] }, storedOf(webhook, whole), 'headers.0.value'],
  ])('is refused %s', (_, input, before, path) => {
    expect(issuesOf(webhook, input, before)).toEqual([{ path: `config.webhook.${path}`, message: expect.stringContaining('no stored value') }]);
  });

  test('an empty secret at creation is none; an empty header value is refused', () => {
    expect(issuesOf(webhook, { url: whole.url, hmacSecret: '' })).toEqual([]);
    expect(issuesOf(webhook, { url: whole.url, headers: [{ name: 'X-A', value: '' }] })).toMatchObject([{ path: 'config.webhook.headers.0.value' }]);
  });

  test('is what is stored in the clear, so a read needs no key', () => {
    expect(storedOf(webhook, whole).config).toEqual({
      url: whole.url,
      headers: [
        { name: 'Authorization', value: SECRET_MASK },
        { name: 'X-Team', value: SECRET_MASK },
      ],
      hmacSecret: SECRET_MASK,
    });
  });

  test('is never sealed in place of a secret', () => {
    const stored = storedOf(webhook, { hmacSecret: SECRET_MASK, headers: [{ name: 'x-team', value: SECRET_MASK }] }, storedOf(webhook, whole));
    expect(stored.secrets.reveal()).not.toContain(SECRET_MASK);
  });
});

describe('a changed hmacSecret', () => {
  const previousOf = (stored: StoredConfig) => joinConfig(webhook.fields, stored).previous;
  const first = storedOf(webhook, whole);
  const second = storedOf(webhook, { hmacSecret: 'second' }, first);

  test('keeps the one before it for a day', () => {
    expect(previousOf(first)).toEqual({});
    expect(previousOf(second)).toEqual({ hmacSecret: { value: 'old secret', untilMs: NOW_MS + DAY_MS } });
  });

  test.each<[string, GivenValues, number, unknown]>([
    ['changed again: the newest old one', { hmacSecret: 'third' }, 1, { hmacSecret: { value: 'second', untilMs: NOW_MS + 1 + DAY_MS } }],
    ['given again: as it was', { hmacSecret: 'second' }, 1, { hmacSecret: { value: 'old secret', untilMs: NOW_MS + DAY_MS } }],
    ['another change within the day: as it was', { headers: [] }, DAY_MS - 1, { hmacSecret: { value: 'old secret', untilMs: NOW_MS + DAY_MS } }],
    ['another change after the day: gone', { headers: [] }, DAY_MS, {}],
    ['cleared: gone', { hmacSecret: null }, 1, {}],
    ['moved: gone, for the old one is not known there', { url: 'https://other.example.com/', hmacSecret: 'third', headers: [] }, 1, {}],
  ])('%s', (_, input, laterMs, expected) => {
    expect(previousOf(storedOf(webhook, input, second, NOW_MS + laterMs))).toEqual(expected);
  });

  test('set for the first time has none before it', () => {
    expect(previousOf(storedOf(webhook, { hmacSecret: 'new' }, storedOf(webhook, { url: whole.url })))).toEqual({});
  });
});

test('the urls to ask the egress guard for come with their paths', () => {
  expect(mergeConfig(webhook, null, whole, NOW_MS)).toMatchObject({ ok: true, urls: [{ path: 'config.webhook.url', url: whole.url }] });
});

test('all problems are told at once', () => {
  const input = { url: 1, headers: [{ name: 'Host', value: 'a\r\nb' }], hmacSecret: 5, x: 1 };
  expect(issuesOf(webhook, input).map(({ path }) => path)).toEqual([
    'config.webhook',
    'config.webhook.url',
    'config.webhook.headers.0.name',
    'config.webhook.headers.0.value',
    'config.webhook.hmacSecret',
  ]);
});
