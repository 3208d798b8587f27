import { describe, expect, test } from 'vitest';
import { type EgressPolicy, findEgressHost, parseAllowCidrs, parseEgressHosts } from '../../src/net/egress-policy.ts';

describe('EGRESS_ALLOW_CIDRS', () => {
  test.each([
    ['', []],
    ['10.0.0.0/8', ['10.0.0.0/8']],
    [' 10.0.0.0/8 , fd00::/8,192.168.1.5,', ['10.0.0.0/8', 'fd00::/8', '192.168.1.5']],
  ])('%j', (text, value) => {
    expect(parseAllowCidrs(text)).toEqual({ ok: true, value });
  });

  test.each([
    ['localhost', 1],
    ['10.0.0.0/8,10.0.0.0/33', 2],
    ['10.0.0.0/8 fd00::/8', 1],
    ['10.0.0', 1],
  ])('%j: entry %i is named, never shown', (text, entry) => {
    expect(parseAllowCidrs(text)).toEqual({ ok: false, message: `entry ${entry} is not an address or a range such as 10.0.0.0/8` });
  });
});

describe('EGRESS_HOSTS', () => {
  test.each([
    ['', []],
    ['hooks.slack.com=127.0.0.1:8443', [{ host: 'hooks.slack.com', port: null, address: '127.0.0.1', toPort: 8443 }]],
    ['Hooks.Slack.com:443=[::1]:8443', [{ host: 'hooks.slack.com', port: 443, address: '::1', toPort: 8443 }]],
    ['bücher.example=127.0.0.1:1', [{ host: 'xn--bcher-kva.example', port: null, address: '127.0.0.1', toPort: 1 }]],
    ['[::2]:443=127.0.0.1:65535', [{ host: '::2', port: 443, address: '127.0.0.1', toPort: 65_535 }]],
    [
      'a.example=127.0.0.1:1, a.example:443=127.0.0.1:2',
      [
        { host: 'a.example', port: null, address: '127.0.0.1', toPort: 1 },
        { host: 'a.example', port: 443, address: '127.0.0.1', toPort: 2 },
      ],
    ],
  ])('%j', (text, value) => {
    expect(parseEgressHosts(text)).toEqual({ ok: true, value });
  });

  test.each([
    ['hooks.slack.com', 'no target'],
    ['hooks.slack.com=127.0.0.1', 'no target port'],
    ['hooks.slack.com=localhost:8443', 'a name as target: it would be resolved unchecked'],
    ['hooks.slack.com=::1:8443', 'an IPv6 address without brackets'],
    ['hooks.slack.com=127.0.0.1:0', 'port 0'],
    ['hooks.slack.com=127.0.0.1:65536', 'a port too high'],
    ['hooks.slack.com:0=127.0.0.1:1', 'port 0 of the name'],
    ['hooks.slack.com=127.1:1', 'a short address'],
    ['=127.0.0.1:1', 'no name'],
    ['https://hooks.slack.com=127.0.0.1:1', 'a URL'],
    ['a/b=127.0.0.1:1', 'a path'],
    ['user@a=127.0.0.1:1', 'userinfo'],
    ['a^b=127.0.0.1:1', 'a letter that no host has'],
  ])('%j is a problem: %s', (text) => {
    expect(parseEgressHosts(`ok.example=127.0.0.1:1,${text}`)).toEqual({ ok: false, message: 'entry 2 is not of the form name[:port]=address:port' });
  });

  test('one host and port twice is a problem', () => {
    expect(parseEgressHosts('a.example=127.0.0.1:1,A.example=127.0.0.1:2')).toMatchObject({ ok: false, message: expect.stringContaining('entry 2') });
  });
});

test.each([
  ['a.example', 443, 2],
  ['a.example', 8443, 1],
  ['b.example', 443, 3],
  ['b.example', 8443, null],
  ['c.example', 443, null],
  ['sub.a.example', 443, null],
])('%s:%i: the entry with the port wins, in whatever order they stand', (host, port, toPort) => {
  const hosts = parseEgressHosts('a.example=127.0.0.1:1,a.example:443=127.0.0.1:2,b.example:443=127.0.0.1:3');
  const policy: EgressPolicy = { allowCidrs: [], allowHttp: false, hosts: hosts.ok ? hosts.value : [] };
  expect(findEgressHost(policy, host, port)?.toPort ?? null).toBe(toPort);
});
