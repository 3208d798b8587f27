/** An IP address as a number: 32 bits for family 4, 128 for family 6. */
export interface IpAddress {
  family: 4 | 6;
  value: bigint;
}

/** All addresses whose first `bits` bits are those of `value`. */
export interface IpRange {
  family: 4 | 6;
  value: bigint;
  bits: number;
}

/** The address that `text` spells in its usual form: four decimal numbers without leading zeros, or RFC 4291 2.2. No zone id, no brackets. Else null. */
export function parseIp(text: string): IpAddress | null {
  if (text.includes(':')) {
    const value = parseIpv6(text);
    return value === null ? null : { family: 6, value };
  }
  const value = parseIpv4(text);
  return value === null ? null : { family: 4, value };
}

/** The range that `text` spells: `10.0.0.0/8`, or one address. Bits after the prefix are dropped. Else null. */
export function parseIpRange(text: string): IpRange | null {
  const slash = text.indexOf('/');
  const address = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const size = sizeOf(address.family);
  const bits = slash < 0 ? size : parsePrefixLength(text.slice(slash + 1));
  if (bits === null || bits > size) return null;
  const rest = BigInt(size - bits);
  return { family: address.family, value: (address.value >> rest) << rest, bits };
}

/** Whether `address` lies in `range`; families never mix. */
export function isInRange(address: IpAddress, range: IpRange): boolean {
  return address.family === range.family && (address.value ^ range.value) >> BigInt(sizeOf(range.family) - range.bits) === 0n;
}

/** Whether both texts spell the same address: `::1` and `0:0:0:0:0:0:0:1` do. */
export function isSameIp(one: string, other: string): boolean {
  if (one === other) return parseIp(one) !== null;
  const left = parseIp(one);
  const right = parseIp(other);
  return left !== null && right !== null && left.family === right.family && left.value === right.value;
}

function sizeOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

function parsePrefixLength(text: string): number | null {
  return /^(?:0|[1-9]\d{0,2})$/.test(text) ? Number(text) : null;
}

const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

function parseIpv4(text: string): bigint | null {
  const match = IPV4.exec(text);
  if (match === null) return null;
  let value = 0n;
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255) return null;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

const IPV6_GROUPS = 8;

function parseIpv6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === null || tail === null) return null;
  const missing = IPV6_GROUPS - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  return [...head, ...Array<bigint>(missing).fill(0n), ...tail].reduce((value, group) => (value << 16n) | group, 0n);
}

/** The 16-bit groups of one side of "::"; the last may be an IPv4 address where `isEnd`. */
function parseGroups(text: string, isEnd: boolean): bigint[] | null {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(BigInt(`0x${part}`));
      continue;
    }
    const ipv4 = isEnd && index === parts.length - 1 ? parseIpv4(part) : null;
    if (ipv4 === null) return null;
    groups.push(ipv4 >> 16n, ipv4 & 0xffffn);
  }
  return groups;
}
