import { domainToASCII } from 'node:url';
import { hasBrokenLabel } from './egress-url.ts';

/** RFC 1035 2.3.4, as text without the dot at its end. */
const HOST_CHARS_MAX = 253;

/**
 * A host name in lower case and ASCII (IDN as Punycode), or null where `text` is none: addresses in all their spellings, ports, dots at the end and
 * percent signs are none. One label is a name too (`mailhog`).
 */
export function parseHostName(text: string): string | null {
  // Node's function reads its argument as a URL's host: it decodes percent signs, and cuts at "/" and more.
  if (!NAME_CHARS.test(text)) return null;
  const host = domainToASCII(text);
  if (host.length > HOST_CHARS_MAX || !HOST.test(host) || hasBrokenLabel(host)) return null;
  return NUMBER.test(host.slice(host.lastIndexOf('.') + 1)) ? null : host;
}

const NAME_CHARS = /^[\p{L}\p{M}\p{N}.-]+$/u;
const HOST = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
/** https://url.spec.whatwg.org/#ends-in-a-number-checker: such a name is read as an IPv4 address. */
const NUMBER = /^(?:\d+|0x[0-9a-f]*)$/;
