import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ADDRESS_CLASSES, type AddressClass, classifyAddress, isReachable } from '../../src/domain/egress-address.ts';
import { parseIpRange } from '../../src/lib/ip.ts';

/** Row by row of the IANA registries: first and last address of each, and its neighbours where those are of another class. */
const CASES: readonly (readonly [AddressClass, ...string[]])[] = [
  ['PUBLIC', '1.0.0.0', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0', '168.63.129.15', '168.63.129.17'],
  ['PUBLIC', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '191.255.255.255', '192.0.1.0', '192.0.1.255', '192.0.3.0'],
  ['PUBLIC', '192.31.195.255', '192.31.197.0', '192.52.192.255', '192.52.194.0', '192.88.98.255', '192.88.100.0', '192.167.255.255', '192.169.0.0'],
  [
    'PUBLIC',
    '192.175.47.255',
    '192.175.49.0',
    '198.17.255.255',
    '198.20.0.0',
    '198.51.99.255',
    '198.51.101.0',
    '203.0.112.255',
    '203.0.114.0',
    '223.255.255.255',
  ],
  ['THIS_NETWORK', '0.0.0.0', '0.255.255.255', '::'],
  ['PRIVATE', '10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'],
  ['SHARED', '100.64.0.0', '100.127.255.255', '100.100.100.200'],
  ['LOOPBACK', '127.0.0.0', '127.255.255.255', '::1'],
  ['LINK_LOCAL', '169.254.0.0', '169.254.255.255', 'fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['IETF_PROTOCOL', '192.0.0.0', '192.0.0.8', '192.0.0.11', '192.0.0.170', '192.0.0.171', '192.0.0.255', '2001:1::', '2001:1::4', '2001:1ff:ffff::'],
  ['DOCUMENTATION', '192.0.2.0', '192.0.2.255', '198.51.100.0', '198.51.100.255', '203.0.113.0', '203.0.113.255', '2001:db8::', '3fff::', '3fff:fff:ffff::'],
  ['BENCHMARKING', '198.18.0.0', '198.19.255.255', '2001:2::', '2001:2:0:ffff:ffff:ffff:ffff:ffff'],
  ['SERVICE_ANYCAST', '192.0.0.9', '192.0.0.10', '192.31.196.0', '192.31.196.255', '192.175.48.0', '192.175.48.255', '2001:1::1', '2001:1::2', '2001:1::3'],
  ['SERVICE_ANYCAST', '2001:4:112::', '2001:4:112:ffff:ffff:ffff:ffff:ffff', '2620:4f:8000::', '2620:4f:8000:ffff:ffff:ffff:ffff:ffff'],
  ['RELAY_ANYCAST', '192.52.193.0', '192.52.193.255', '192.88.99.0', '192.88.99.2', '192.88.99.255', '2001:3::', '2001:3:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['MULTICAST', '224.0.0.0', '239.255.255.255', 'ff00::', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['RESERVED', '240.0.0.0', '255.255.255.254', '255.255.255.255'],
  ['CLOUD_PLATFORM', '168.63.129.16'],
  ['EMBEDDED_IPV4', '::2', '::8.8.8.8', '::ffff:ffff', '::ffff:0:0', '::ffff:8.8.8.8', '::ffff:0:8.8.8.8', '64:ff9b::', '64:ff9b::808:808', '64:ff9b:1::'],
  ['EMBEDDED_IPV4', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff', '2001::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff', '2002::', '2002:808:808::1', '2002:ffff::'],
  ['DISCARD', '100::', '100::ffff:ffff:ffff:ffff', '100:0:0:1::', '100:0:0:1:ffff:ffff:ffff:ffff'],
  ['ORCHID', '2001:10::', '2001:1f:ffff::', '2001:20::', '2001:2f:ffff::', '2001:30::', '2001:3f:ffff::'],
  ['SEGMENT_ROUTING', '5f00::', '5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['UNIQUE_LOCAL', 'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['SITE_LOCAL', 'fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  [
    'UNALLOCATED',
    '::1:0:0:0:0',
    '64:ff9a:ffff::',
    '64:ff9b:0:0:0:1::',
    '64:ff9b:2::',
    '100:0:0:2::',
    '1fff:ffff::',
    '4000::',
    '5eff::',
    '5f01::',
    'fbff::',
    'fe00::',
    'fe7f::',
  ],
  [
    'PUBLIC',
    '2001:200::',
    '2001:db7:ffff::',
    '2001:db9::',
    '2003::',
    '2606:4700:4700::1111',
    '2620:4f:7fff:ffff::',
    '2620:4f:8001::',
    '3ffe:ffff::',
    '3fff:1000::',
  ],
  ['INVALID', '', 'localhost', '127.1', '0x7f000001', '[::1]', 'fe80::1%eth0', '1.2.3.4/32'],
];

const ADDRESSES = CASES.flatMap(([addressClass, ...ips]) => ips.map((ip) => [ip, addressClass] as const));

test.each(ADDRESSES)('%s is %s', (ip, addressClass) => {
  expect(classifyAddress(ip)).toBe(addressClass);
  expect(isReachable(ip, [])).toBe(addressClass === 'PUBLIC');
});

test('every class has a row above', () => {
  expect(new Set(ADDRESSES.map(([, addressClass]) => addressClass))).toEqual(new Set(ADDRESS_CLASSES));
});

const opened = (...cidrs: string[]) => cidrs.map(parseIpRange).filter((range) => range !== null);
const EVERYTHING = opened('0.0.0.0/0', '::/0');

describe('what the operator opens', () => {
  test.each([
    ['10.1.2.3', ['10.0.0.0/8'], true, 'in the range'],
    ['10.1.2.3', ['10.1.2.3'], true, 'one address'],
    ['10.1.2.4', ['10.1.2.3'], false, 'its neighbour'],
    ['8.8.8.8', ['10.0.0.0/8'], true, 'public stays public'],
    ['::1', ['127.0.0.0/8'], false, 'the other family'],
    ['::ffff:127.0.0.1', ['127.0.0.0/8'], false, 'a mapped form is another address'],
    ['::ffff:127.0.0.1', ['::ffff:0:0/96'], false, 'the form alone does not open what it carries'],
    ['::ffff:127.0.0.1', ['::ffff:0:0/96', '127.0.0.0/8'], true, 'form and what it carries'],
    ['64:ff9b::808:808', ['64:ff9b::/96'], true, 'NAT64 of a public address'],
    ['64:ff9b::a00:1', ['64:ff9b::/96'], false, 'NAT64 of a private address'],
    ['2002:808:808::1', ['2002::/16'], true, '6to4 of a public address'],
    ['2002:7f00:1::1', ['2002::/16'], false, '6to4 of loopback'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', ['2001::/32'], false, 'Teredo of 192.0.2.45'],
    ['2001:0:4136:e378:8000:63bf:f7f7:f7f7', ['2001::/32'], true, 'Teredo of 8.8.8.8'],
    ['not an address', ['0.0.0.0/0', '::/0'], false, 'no address'],
  ])('%s with %j: %s, %s', (ip, cidrs, expected) => {
    expect(isReachable(ip, opened(...cidrs))).toBe(expected);
  });

  test.each([
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    '::ffff:169.254.169.254',
    '64:ff9b::169.254.169.254',
    '2002:a9fe:a9fe::1',
  ])('the metadata service %s cannot be opened', (ip) => {
    expect(isReachable(ip, EVERYTHING)).toBe(false);
  });
});

test('no IPv6 address that is reachable lies outside 2000::/3 or carries an IPv4 address', () => {
  fc.assert(
    fc.property(fc.ipV6(), (ip) => {
      if (isReachable(ip, [])) expect(ip).toMatch(/^[23][0-9a-f]{3}:/i);
    }),
    { numRuns: 2_000 },
  );
  fc.assert(
    fc.property(fc.ipV4(), fc.constantFrom('::', '::ffff:', '::ffff:0:', '64:ff9b::', '64:ff9b:1::'), (ip, prefix) => {
      expect(isReachable(prefix + ip, [])).toBe(false);
    }),
  );
});
