import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { parseIp } from '../lib/ip.ts';

/** All addresses of a host name, as they are now. Rejects, or gives none, where there are none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

interface SystemLookupOptions {
  hostsFile?: string;
  /** `address:port` of the name servers; those of the system where left out. */
  servers?: readonly string[];
  /** After it, what one family has answered is taken without the other. */
  timeoutMs?: number;
}

/**
 * The system's names: the hosts file, else DNS for A and AAAA at once.
 *
 * Not `dns.lookup`: getaddrinfo blocks one of libuv's four threads for as long as a name server likes, so four slow names of one user would hold up
 * every lookup and file operation of the process. It also tries search domains; here a name means itself, as if it ended in a dot.
 */
export function createSystemLookup(options: SystemLookupOptions = {}): Lookup {
  const { hostsFile = '/etc/hosts', servers, timeoutMs = 4_000 } = options;

  return async (host) => {
    const fixed = addressesInHosts(await readHosts(hostsFile), host);
    if (fixed.length > 0) return fixed;
    // A resolver of its own for each: it reads resolv.conf anew, and can be cancelled.
    const resolver = new Resolver({ timeout: 1_500, tries: 2 });
    if (servers !== undefined) resolver.setServers(servers);
    const timer = setTimeout(() => {
      resolver.cancel();
    }, timeoutMs);
    const [ipv4, ipv6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    clearTimeout(timer);
    // IPv4 first: containers often have an IPv6 address and no way out for it.
    const found = [ipv4, ipv6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (found.length === 0 && ipv4.status === 'rejected') throw new Error('no addresses', { cause: ipv4.reason });
    return found;
  };
}

/** The addresses that a hosts file gives for `host`; those with a zone id are left out, they cannot be connected to by address alone. */
export function addressesInHosts(text: string, host: string): string[] {
  const name = host.replace(/\.$/, '').toLowerCase();
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    return names.some((other) => other.toLowerCase() === name) && parseIp(address) !== null ? [address] : [];
  });
}

async function readHosts(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}
