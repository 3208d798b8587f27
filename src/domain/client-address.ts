import { type IpAddress, type IpRange, isInRange, parseIp, parseIpRange } from '../lib/ip.ts';

/** Whose forwarded addresses are believed (TRUST_PROXY): a number of proxies in front, or proxies by their addresses. 0: nobody's. */
export type TrustProxy = { hops: number } | { ranges: readonly IpRange[] };

export const TRUST_NOBODY: TrustProxy = { hops: 0 };

const HOPS_MAX = 16;

/** TRUST_PROXY: a whole number from 0 to 16, or addresses and ranges, separated by commas. The problem repeats nothing that was given. */
export function parseTrustProxy(text: string): { ok: true; value: TrustProxy } | { ok: false; message: string } {
  if (/^\d{1,2}$/.test(text) && Number(text) <= HOPS_MAX) return { ok: true, value: { hops: Number(text) } };
  const ranges = text.split(',').map((entry) => parseIpRange(entry.trim()));
  const known = ranges.filter((range) => range !== null);
  if (known.length === ranges.length) return { ok: true, value: { ranges: known } };
  return { ok: false, message: `must be a number of proxies from 0 to ${HOPS_MAX}, or their addresses and ranges such as 10.0.0.0/8` };
}

/**
 * The client that a request counts for (spec 10): an IPv4 address, or the /64 of an IPv6 one. `peer` is the socket's other end, `forwarded` the
 * X-Forwarded-For header or nothing, to which each proxy adds whom it heard from: it is read from its end, as far as proxies are trusted. What is no address there
 * ends the reading, for whoever wrote it is no proxy of ours.
 */
export function clientAddress(trust: TrustProxy, peer: string | undefined, forwarded: string): string {
  const nearest = parsePeer(peer ?? '');
  if (nearest === null) return 'unknown';
  let client: IpAddress = nearest;
  for (const [hop, text] of forwarded.split(',').reverse().entries()) {
    const next: IpAddress | null = isTrusted(trust, client, hop) ? parsePeer(withoutPort(text.trim())) : null;
    if (next === null) break;
    client = next;
  }
  return countedAs(client);
}

function isTrusted(trust: TrustProxy, proxy: IpAddress, hop: number): boolean {
  return 'hops' in trust ? hop < trust.hops : trust.ranges.some((range) => isInRange(proxy, range));
}

/** Some proxies write the port too: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
}

const IPV4_MAPPED = 0xffffn;
const ZONE = /%.*$/;

/** An IPv4 client of a socket that listens on IPv6 has a mapped address. */
function parsePeer(text: string): IpAddress | null {
  const address = parseIp(text.replace(ZONE, ''));
  if (address === null || address.family === 4 || address.value >> 32n !== IPV4_MAPPED) return address;
  return { family: 4, value: address.value & 0xffffffffn };
}

function countedAs({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
  const groups = [112n, 96n, 80n, 64n].map((shift) => ((value >> shift) & 0xffffn).toString(16));
  return `${groups.join(':')}::/64`;
}
