import { describe, expect, test } from 'vitest';
import { clientAddress, parseTrustProxy, TRUST_NOBODY, type TrustProxy } from '../../src/domain/client-address.ts';

function trust(text: string): TrustProxy {
  const parsed = parseTrustProxy(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

describe('what a client counts as', () => {
  test.each([
    ['an IPv4 address', '192.0.2.7', '192.0.2.7'],
    ['the same as a socket that listens on IPv6 tells it', '::ffff:192.0.2.7', '192.0.2.7'],
    ['an IPv6 address: its /64', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['another of the same /64', '2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['one of the next /64', '2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['one with a zone', 'fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['a socket that is gone', undefined, 'unknown'],
  ])('%s', (_what, peer, expected) => {
    expect(clientAddress(TRUST_NOBODY, peer, '')).toBe(expected);
  });
});

describe('forwarded addresses', () => {
  const PEER = '10.0.0.1';
  test.each([
    ['are believed of nobody unless it is said', '0', PEER, '198.51.100.1', PEER],
    ['one proxy: whom it heard from', '1', PEER, '198.51.100.1', '198.51.100.1'],
    ['one proxy: not what its client claims', '1', PEER, '203.0.113.9, 198.51.100.1', '198.51.100.1'],
    ['two proxies', '2', PEER, '203.0.113.9, 198.51.100.1, 10.0.0.2', '198.51.100.1'],
    ['more proxies than the request came through', '3', PEER, '198.51.100.1', '198.51.100.1'],
    ['one proxy without the header', '1', PEER, '', PEER],
    ['what is no address ends it', '2', PEER, '203.0.113.9, unknown', PEER],
    ['ports are left out', '1', PEER, '198.51.100.1:4711', '198.51.100.1'],
    ['IPv6 in brackets', '1', PEER, '[2001:db8::1]:4711', '2001:db8:0:0::/64'],
    ['proxies by range, as many as there are', '10.0.0.0/8', PEER, '203.0.113.9, 198.51.100.1, 10.9.9.9, 10.0.0.2', '198.51.100.1'],
    ['a peer outside of the ranges is believed nothing', '10.0.0.0/8', '192.0.2.1', '198.51.100.1', '192.0.2.1'],
    ['a peer inside, told by a socket that listens on IPv6', '10.0.0.0/8', '::ffff:10.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['only proxies: the farthest', '10.0.0.0/8, ::1', '::1', '10.1.1.1,10.2.2.2', '10.1.1.1'],
  ])('%s', (_what, setting, peer, forwarded, expected) => {
    expect(clientAddress(trust(setting), peer, forwarded)).toBe(expected);
  });
});

test.each(['-1', '17', '1.5', 'true', '10.0.0.0/33', '10.0.0.0/8,', 'lb.example'])('TRUST_PROXY refuses %j', (text) => {
  const parsed = parseTrustProxy(text);
  expect(parsed.ok).toBe(false);
  expect(JSON.stringify(parsed)).not.toContain('lb.example');
});
