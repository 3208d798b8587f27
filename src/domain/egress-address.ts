import { type IpAddress, type IpRange, isInRange, parseIp, parseIpRange } from '../lib/ip.ts';

/** What an address is for. Only PUBLIC ones may be reached without the operator's leave (spec 6). */
export const ADDRESS_CLASSES = [
  'PUBLIC',
  'THIS_NETWORK',
  'PRIVATE',
  'SHARED',
  'LOOPBACK',
  'LINK_LOCAL',
  'IETF_PROTOCOL',
  'DOCUMENTATION',
  'BENCHMARKING',
  'SERVICE_ANYCAST',
  'RELAY_ANYCAST',
  'MULTICAST',
  'RESERVED',
  'CLOUD_PLATFORM',
  'EMBEDDED_IPV4',
  'DISCARD',
  'ORCHID',
  'SEGMENT_ROUTING',
  'UNIQUE_LOCAL',
  'SITE_LOCAL',
  'UNALLOCATED',
  'INVALID',
] as const;

export type AddressClass = (typeof ADDRESS_CLASSES)[number];

/** What `ip` is for, by the longest matching prefix; INVALID where it is no address. */
export function classifyAddress(ip: string): AddressClass {
  const address = parseIp(ip);
  return address === null ? 'INVALID' : (findRow(address)?.class ?? 'INVALID');
}

/**
 * Whether `ip` may be reached: it is public, or the operator opened it. An opened address that carries an IPv4 address (NAT64, say) is
 * only as good as that one, and the metadata services of clouds, which hand out credentials, cannot be opened.
 */
export function isReachable(ip: string, opened: readonly IpRange[]): boolean {
  const address = parseIp(ip);
  return address !== null && isAddressReachable(address, opened);
}

function isAddressReachable(address: IpAddress, opened: readonly IpRange[]): boolean {
  const row = findRow(address);
  if (row === undefined || METADATA.some((range) => isInRange(address, range))) return false;
  if (row.class === 'PUBLIC') return true;
  if (!opened.some((range) => isInRange(address, range))) return false;
  return row.carries === undefined || isAddressReachable({ family: 4, value: CARRIED[row.carries](address.value) }, opened);
}

interface Row {
  range: IpRange;
  class: AddressClass;
  /** Where in the address an IPv4 address is carried. */
  carries: keyof typeof CARRIED | undefined;
}

const CARRIED = {
  inLowBits: (value: bigint) => value & 0xffff_ffffn,
  // RFC 3056 2: 2002:V4ADDR::/48.
  in6to4: (value: bigint) => (value >> 80n) & 0xffff_ffffn,
  // RFC 4380 4: the client's address with every bit turned.
  inTeredo: (value: bigint) => (value & 0xffff_ffffn) ^ 0xffff_ffffn,
};

/**
 * https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry, as of 2025-10-09, every row. Those that IANA calls
 * globally reachable (AS112, AMT, the PCP, TURN and SRP anycasts, ORCHIDv2, DETs, 64:ff9b::/96) are refused too: no receiver lives there. Added:
 * multicast and the unallocated rest (…/ipv4-address-space, …/ipv6-address-space), fec0::/10 (RFC 3879), ::/96 (RFC 4291 2.5.5.1), ::ffff:0:0:0/96
 * (RFC 2765) and Azure's platform address, which is public in form (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
 */
const TABLE: readonly (readonly [cidr: string, addressClass: AddressClass, carries?: keyof typeof CARRIED])[] = [
  ['0.0.0.0/0', 'PUBLIC'],
  ['0.0.0.0/8', 'THIS_NETWORK'],
  ['10.0.0.0/8', 'PRIVATE'],
  ['100.64.0.0/10', 'SHARED'],
  ['127.0.0.0/8', 'LOOPBACK'],
  ['168.63.129.16/32', 'CLOUD_PLATFORM'],
  ['169.254.0.0/16', 'LINK_LOCAL'],
  ['172.16.0.0/12', 'PRIVATE'],
  ['192.0.0.0/24', 'IETF_PROTOCOL'],
  ['192.0.0.0/29', 'IETF_PROTOCOL'],
  ['192.0.0.8/32', 'IETF_PROTOCOL'],
  ['192.0.0.9/32', 'SERVICE_ANYCAST'],
  ['192.0.0.10/32', 'SERVICE_ANYCAST'],
  ['192.0.0.170/32', 'IETF_PROTOCOL'],
  ['192.0.0.171/32', 'IETF_PROTOCOL'],
  ['192.0.2.0/24', 'DOCUMENTATION'],
  ['192.31.196.0/24', 'SERVICE_ANYCAST'],
  ['192.52.193.0/24', 'RELAY_ANYCAST'],
  ['192.88.99.0/24', 'RELAY_ANYCAST'],
  ['192.88.99.2/32', 'RELAY_ANYCAST'],
  ['192.168.0.0/16', 'PRIVATE'],
  ['192.175.48.0/24', 'SERVICE_ANYCAST'],
  ['198.18.0.0/15', 'BENCHMARKING'],
  ['198.51.100.0/24', 'DOCUMENTATION'],
  ['203.0.113.0/24', 'DOCUMENTATION'],
  ['224.0.0.0/4', 'MULTICAST'],
  ['240.0.0.0/4', 'RESERVED'],
  ['255.255.255.255/32', 'RESERVED'],
  ['::/0', 'UNALLOCATED'],
  ['2000::/3', 'PUBLIC'],
  ['::/96', 'EMBEDDED_IPV4', 'inLowBits'],
  ['::/128', 'THIS_NETWORK'],
  ['::1/128', 'LOOPBACK'],
  ['::ffff:0:0/96', 'EMBEDDED_IPV4', 'inLowBits'],
  ['::ffff:0:0:0/96', 'EMBEDDED_IPV4', 'inLowBits'],
  ['64:ff9b::/96', 'EMBEDDED_IPV4', 'inLowBits'],
  ['64:ff9b:1::/48', 'EMBEDDED_IPV4', 'inLowBits'],
  ['100::/64', 'DISCARD'],
  ['100:0:0:1::/64', 'DISCARD'],
  ['2001::/23', 'IETF_PROTOCOL'],
  ['2001::/32', 'EMBEDDED_IPV4', 'inTeredo'],
  ['2001:1::1/128', 'SERVICE_ANYCAST'],
  ['2001:1::2/128', 'SERVICE_ANYCAST'],
  ['2001:1::3/128', 'SERVICE_ANYCAST'],
  ['2001:2::/48', 'BENCHMARKING'],
  ['2001:3::/32', 'RELAY_ANYCAST'],
  ['2001:4:112::/48', 'SERVICE_ANYCAST'],
  ['2001:10::/28', 'ORCHID'],
  ['2001:20::/28', 'ORCHID'],
  ['2001:30::/28', 'ORCHID'],
  ['2001:db8::/32', 'DOCUMENTATION'],
  ['2002::/16', 'EMBEDDED_IPV4', 'in6to4'],
  ['2620:4f:8000::/48', 'SERVICE_ANYCAST'],
  ['3fff::/20', 'DOCUMENTATION'],
  ['5f00::/16', 'SEGMENT_ROUTING'],
  ['fc00::/7', 'UNIQUE_LOCAL'],
  ['fe80::/10', 'LINK_LOCAL'],
  ['fec0::/10', 'SITE_LOCAL'],
  ['ff00::/8', 'MULTICAST'],
];

/** AWS (instances, ECS, EKS; both families), Google Cloud, Azure, Alibaba, Oracle: after GitLab's deny_cloud_metadata list. */
const METADATA: readonly IpRange[] = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
].map(toRange);

const ROWS: readonly Row[] = TABLE.map(([cidr, addressClass, carries]) => ({ range: toRange(cidr), class: addressClass, carries })).sort(
  (one, other) => other.range.bits - one.range.bits,
);

function findRow(address: IpAddress): Row | undefined {
  return ROWS.find((row) => isInRange(address, row.range));
}

function toRange(cidr: string): IpRange {
  const range = parseIpRange(cidr);
  if (range === null) throw new Error(`not a range: ${cidr}`);
  return range;
}
