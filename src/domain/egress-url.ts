import { domainToUnicode } from 'node:url';
import { parseIp } from '../lib/ip.ts';

/** Where a URL points, as the WHATWG parser reads it: what is checked, connected to and sent is this and nothing else. */
export interface HttpTarget {
  /** Scheme, host and port: `https://hooks.example.com:8443`. */
  origin: string;
  isTls: boolean;
  /** In lower case and ASCII; an IPv6 address without brackets. */
  host: string;
  isLiteral: boolean;
  port: number;
  /** Path and query; the fragment is never sent. */
  path: string;
}

/** The closed list of what a URL's form is refused for, with what the user reads. */
const URL_REFUSALS = {
  CHARACTERS: 'must not contain white space, control characters or backslashes',
  FORM: 'must be an absolute URL with a host',
  SCHEME: 'must be an https URL',
  USERINFO: 'must not contain a user name or password',
  PORT: 'must not use a port of another well-known protocol',
} as const;

export type UrlRefusal = keyof typeof URL_REFUSALS;

export type UrlCheck = { ok: true; target: HttpTarget } | { ok: false; reason: UrlRefusal; message: string };

/** Checks the form of a URL to send to (spec 6); says nothing about where its host leads. `http:` passes only with `allowHttp`. */
export function parseHttpTarget(text: string, allowHttp: boolean): UrlCheck {
  if (!PRINTABLE_ASCII.test(text) && FORBIDDEN.test(text)) return refuse('CHARACTERS');
  const authority = AUTHORITY.exec(text);
  const url = URL.parse(text);
  if (url !== null && url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) return refuse('SCHEME');
  if (url === null || authority === null || url.hostname === '' || hasBrokenLabel(url.hostname)) return refuse('FORM');
  if (authority[1]?.includes('@')) return refuse('USERINFO');
  const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : Number(url.port);
  if (port === undefined || BAD_PORTS.has(port)) return refuse('PORT');
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  const isTls = url.protocol === 'https:';
  return { ok: true, target: { origin: url.origin, isTls, host, isLiteral: parseIp(host) !== null, port, path: url.pathname + url.search } };
}

function refuse(reason: UrlRefusal): UrlCheck {
  return { ok: false, reason, message: URL_REFUSALS[reason] };
}

/** The parser of Node 24 lets labels pass that start like Punycode and are none (`xn--a`), against https://url.spec.whatwg.org/#concept-domain-to-ascii. */
export function hasBrokenLabel(hostname: string): boolean {
  return (
    hostname.includes('xn--') &&
    domainToUnicode(hostname)
      .split('.')
      .some((label) => label.startsWith('xn--'))
  );
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 };

/** Nearly every URL: nothing more to look for. */
const PRINTABLE_ASCII = /^[\x21-\x5b\x5d-\x7e]+$/;

/** The parser drops tabs and line feeds, trims the rest, drops invisible letters of host names, and reads "\" as "/": other readers may not. */
const FORBIDDEN = /[\p{C}\p{Z}\\]/u;

/** Exactly two slashes: the parser also takes none, one or five. */
const AUTHORITY = /^[a-z]+:\/\/([^/?#]+)/i;

/** https://fetch.spec.whatwg.org/#port-blocking */
const BAD_PORTS: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137,
  139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);
