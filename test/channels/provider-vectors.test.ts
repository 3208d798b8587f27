import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { discord } from '../../src/channels/discord.ts';
import { slack } from '../../src/channels/slack.ts';
import { issuesOf } from './support.ts';

interface Vector {
  id: string;
  class: string;
  url: string;
  expect: 'allow' | 'deny';
  why: string;
}

/** Provider rules of the egress vectors: as the URL of a webhook channel some of them pass, as the URL of the provider's own channel none may. */
const VECTORS = (JSON.parse(readFileSync(new URL('../vectors/egress.json', import.meta.url), 'utf8')) as Vector[]).filter(
  (one) => one.class === 'provider-host',
);
const CHANNELS = [slack, discord];

test('there are such vectors', () => {
  expect(VECTORS.length).toBeGreaterThanOrEqual(12);
});

test.each(VECTORS)('$id: $expect, $why', ({ url, expect: expected }) => {
  const taking = CHANNELS.filter((kind) => issuesOf(kind, { webhookUrl: url }).length === 0);
  expect(taking.map(({ kind }) => kind)).toEqual(expected === 'deny' ? [] : [url.includes('slack') ? 'slack' : 'discord']);
});
