import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Config, readConfig } from '../src/config.ts';

const KEYS = `k1:${Buffer.alloc(32, 1).toString('base64')}`;
const POSTGRES = { DATABASE_URL: 'postgres://tocsin:hunter2hunter2@db.example/tocsin', SECRET_KEYS: KEYS };

function config(env: Record<string, string>): Config {
  const read = readConfig(env);
  if (!read.ok) throw new Error(read.problems.join('; '));
  return read.config;
}

function problems(env: Record<string, string>): string[] {
  const read = readConfig(env);
  return read.ok ? [] : read.problems;
}

test('nothing set: the embedded default, on loopback', () => {
  expect(config({})).toEqual({
    port: 4000,
    host: '127.0.0.1',
    publicUrl: 'http://127.0.0.1:4000',
    logLevel: 'info',
    graphiql: true,
    trustProxy: { hops: 0 },
    role: 'all',
    dispatch: 'send',
    eventHistory: 'problems',
    outboundConcurrency: 16,
    egress: { allowCidrs: [], allowHttp: false, hosts: [] },
    dataDir: './data',
    database: null,
    secretKeys: null,
    firstAdmin: null,
  });
});

test('an empty variable counts as not set, as compose files leave them', () => {
  expect(config({ PORT: '', DATABASE_URL: '', SECRET_KEYS: '', EGRESS_ALLOW_CIDRS: '' }).port).toBe(4000);
});

test.each<[string, Record<string, string>, Partial<Config>]>([
  ['PORT 0: any that is free', { PORT: '0' }, { port: 0 }],
  ['PUBLIC_URL without its last slash', { PUBLIC_URL: 'https://tocsin.example/' }, { publicUrl: 'https://tocsin.example' }],
  ['PUBLIC_URL of a server that listens everywhere', { HOST: '0.0.0.0', PORT: '80' }, { publicUrl: 'http://localhost:80' }],
  ['PUBLIC_URL of an IPv6 address', { HOST: '::1' }, { publicUrl: 'http://[::1]:4000' }],
  ['GRAPHIQL', { GRAPHIQL: 'false' }, { graphiql: false }],
  ['TRUST_PROXY, a number', { TRUST_PROXY: '2' }, { trustProxy: { hops: 2 } }],
  ['TRUST_PROXY, a range', { TRUST_PROXY: '10.0.0.0/8' }, { trustProxy: { ranges: [{ family: 4, value: 0x0a000000n, bits: 8 }] } }],
  ['DISPATCH', { DISPATCH: 'hold' }, { dispatch: 'hold' }],
  ['EVENT_HISTORY', { EVENT_HISTORY: 'matched' }, { eventHistory: 'matched' }],
  ['OUTBOUND_CONCURRENCY', { OUTBOUND_CONCURRENCY: '1' }, { outboundConcurrency: 1 }],
  ['LOG_LEVEL', { LOG_LEVEL: 'silent' }, { logLevel: 'silent' }],
  ['ROLE with a server of one’s own', { ...POSTGRES, ROLE: 'worker' }, { role: 'worker' }],
])('%s', (_what, env, expected) => {
  expect(config(env)).toMatchObject(expected);
});

test('egress settings are read', () => {
  const { egress } = config({ EGRESS_ALLOW_CIDRS: '10.0.0.0/8, 192.0.2.1', EGRESS_ALLOW_HTTP: 'true', EGRESS_HOSTS: 'hooks.example:443=127.0.0.1:8443' });
  expect(egress.allowHttp).toBe(true);
  expect(egress.allowCidrs).toHaveLength(2);
  expect(egress.hosts).toEqual([{ host: 'hooks.example', port: 443, address: '127.0.0.1', toPort: 8443 }]);
});

describe('refused', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['a port that is none', { PORT: '4000x' }, /^PORT must be a whole number from 0 to 65535$/],
    ['a port too high', { PORT: '65536' }, /^PORT /],
    ['a negative port', { PORT: '-1' }, /^PORT /],
    ['a public URL with a query', { PUBLIC_URL: 'https://a.example/?x' }, /^PUBLIC_URL /],
    ['a public URL that is none', { PUBLIC_URL: 'a.example' }, /^PUBLIC_URL /],
    ['an unknown role', { ROLE: 'boss' }, /^ROLE must be one of all, api, worker$/],
    ['a flag that is neither', { GRAPHIQL: 'yes' }, /^GRAPHIQL must be one of true, false$/],
    ['a database that is no PostgreSQL', { DATABASE_URL: 'mysql://a/b', SECRET_KEYS: KEYS }, /^DATABASE_URL /],
    ['a server of one’s own without keys', { DATABASE_URL: POSTGRES.DATABASE_URL }, /^SECRET_KEYS must be set with DATABASE_URL/],
    ['split roles on the embedded database', { ROLE: 'api' }, /^ROLE must be all without DATABASE_URL/],
    ['a key of 31 bytes', { SECRET_KEYS: `k:${Buffer.alloc(31).toString('base64')}` }, /^SECRET_KEYS key 1 /],
    ['a first admin without token', { BOOTSTRAP_ADMIN_EMAIL: 'a@example.com' }, /must be set together$/],
    ['a token of 19 characters', { BOOTSTRAP_ADMIN_EMAIL: 'a@example.com', BOOTSTRAP_ADMIN_TOKEN: 'x'.repeat(19) }, /^BOOTSTRAP_ADMIN_TOKEN /],
    ['an address that is none', { BOOTSTRAP_ADMIN_EMAIL: 'admin', BOOTSTRAP_ADMIN_TOKEN: 'x'.repeat(20) }, /^BOOTSTRAP_ADMIN_EMAIL /],
    ['a CIDR that is none', { EGRESS_ALLOW_CIDRS: '10.0.0.0/8,nowhere' }, /^EGRESS_ALLOW_CIDRS entry 2 /],
    ['a host map that is none', { EGRESS_HOSTS: 'a=b' }, /^EGRESS_HOSTS entry 1 /],
    ['proxies that are none', { TRUST_PROXY: 'true' }, /^TRUST_PROXY /],
    ['too many proxies', { TRUST_PROXY: '17' }, /^TRUST_PROXY /],
    ['a range among proxies that is none', { TRUST_PROXY: '10.0.0.0/8,lb.example' }, /^TRUST_PROXY /],
    ['no sends at all', { OUTBOUND_CONCURRENCY: '0' }, /^OUTBOUND_CONCURRENCY /],
    ['a pool of one, which would wait for itself', { ...POSTGRES, DATABASE_POOL: '1' }, /^DATABASE_POOL /],
  ])('%s', (_why, env, expected) => {
    expect(problems(env)).toEqual([expect.stringMatching(expected)]);
  });

  test('every problem at once, those between settings too', () => {
    const found = problems({ PORT: 'x', ROLE: 'y', DATABASE_URL: POSTGRES.DATABASE_URL, GRAPHIQL: 'z' });
    expect(found.map((problem) => problem.split(' ')[0])).toEqual(['SECRET_KEYS', 'PORT', 'GRAPHIQL', 'ROLE']);
  });

  test('no problem repeats a value', () => {
    const canary = 'canary-4711';
    const env = Object.fromEntries(
      [
        'PORT',
        'HOST',
        'PUBLIC_URL',
        'ROLE',
        'LOG_LEVEL',
        'GRAPHIQL',
        'TRUST_PROXY',
        'DISPATCH',
        'EVENT_HISTORY',
        'EGRESS_ALLOW_CIDRS',
        'EGRESS_HOSTS',
        'DATABASE_URL',
      ].map((name) => [name, `${canary} \u0000`]),
    );
    const found = problems({ ...env, SECRET_KEYS: canary, BOOTSTRAP_ADMIN_TOKEN: canary, BOOTSTRAP_ADMIN_EMAIL: canary });
    expect(found.length).toBeGreaterThan(10);
    expect(found.join('\n')).not.toContain(canary);
  });
});

test('secrets cannot be printed with the rest', () => {
  const printed = inspect(config({ ...POSTGRES, BOOTSTRAP_ADMIN_EMAIL: 'a@example.com', BOOTSTRAP_ADMIN_TOKEN: 'opensesame-opensesame' }), { depth: 9 });
  expect(printed).not.toContain('hunter2');
  expect(printed).not.toContain('opensesame');
});
