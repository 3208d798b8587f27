import { parseIp, parseIpRange } from '../lib/ip.ts';

/** What the operator opened of the way out (spec 6). The empty policy: public addresses, https. */
export interface EgressPolicy {
  /** Ranges that may be reached although they are not public: `10.0.0.0/8`, or one address. */
  allowCidrs: readonly string[];
  allowHttp: boolean;
  hosts: readonly EgressHost[];
}

/** Like curl's --connect-to: what goes to `host` (any port where `port` is null) is connected to `address` and `toPort`. */
export interface EgressHost {
  /** As the URL parser writes it: lower case, ASCII; an IPv6 address without brackets. */
  host: string;
  port: number | null;
  address: string;
  toPort: number;
}

/** A setting's value, or its problem, which never repeats what was given. */
export type Parsed<T> = { ok: true; value: T } | { ok: false; message: string };

/** EGRESS_ALLOW_CIDRS: ranges or addresses, separated by commas. */
export function parseAllowCidrs(text: string): Parsed<readonly string[]> {
  const value = entriesOf(text);
  const bad = value.findIndex((entry) => parseIpRange(entry) === null);
  return bad < 0 ? { ok: true, value } : problem(bad, 'is not an address or a range such as 10.0.0.0/8');
}

/** EGRESS_HOSTS: `name[:port]=address:port`, separated by commas; an IPv6 address in brackets. */
export function parseEgressHosts(text: string): Parsed<readonly EgressHost[]> {
  const value: EgressHost[] = [];
  for (const [index, entry] of entriesOf(text).entries()) {
    const parsed = parseEgressHost(entry);
    if (parsed === null) return problem(index, 'is not of the form name[:port]=address:port');
    if (value.some((other) => other.host === parsed.host && other.port === parsed.port))
      return problem(index, 'names a host and port that an entry before it has');
    value.push(parsed);
  }
  return { ok: true, value };
}

/** Where `host` and `port` are to be connected to instead, if the operator says so: an entry with the port wins over one without. */
export function findEgressHost(policy: EgressPolicy, host: string, port: number): EgressHost | null {
  return (
    policy.hosts.find((entry) => entry.host === host && entry.port === port) ?? policy.hosts.find((entry) => entry.host === host && entry.port === null) ?? null
  );
}

function entriesOf(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

function problem(index: number, message: string): { ok: false; message: string } {
  return { ok: false, message: `entry ${index + 1} ${message}` };
}

const ENTRY = /^(?<name>\[[0-9a-f:.]+\]|[^\s[\]:/?#@\\=]+)(?::(?<port>\d+))?=(?:\[(?<address6>[0-9a-f:.]+)\]|(?<address4>[\d.]+)):(?<toPort>\d+)$/i;

function parseEgressHost(entry: string): EgressHost | null {
  const { name, port: portText, address6, address4, toPort: toPortText } = ENTRY.exec(entry)?.groups ?? {};
  if (name === undefined) return null;
  const hostname = URL.parse(`https://${name}`)?.hostname ?? '';
  const port = portText === undefined ? null : Number(portText);
  const address = address6 ?? address4 ?? '';
  const toPort = Number(toPortText);
  if (hostname === '' || parseIp(address) === null || !isPort(toPort) || (port !== null && !isPort(port))) return null;
  return { host: hostname.replace(/^\[|\]$/g, ''), port, address, toPort };
}

function isPort(value: number): boolean {
  return value >= 1 && value <= 65_535;
}
