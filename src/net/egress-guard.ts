import { isReachable } from '../domain/egress-address.ts';
import type { Clock } from '../lib/clock.ts';
import { type IpRange, parseIp, parseIpRange } from '../lib/ip.ts';
import { type EgressPolicy, findEgressHost } from './egress-policy.ts';
import type { Lookup } from './lookup.ts';

/** Where to connect to: nothing else than what was checked. */
export interface Allowed {
  ok: true;
  addresses: readonly string[];
  port: number;
}

/** EGRESS_REFUSED: an address of the host may not be reached. DNS: no addresses, or not in time. */
export type Verdict = Allowed | { ok: false; failure: 'EGRESS_REFUSED' | 'DNS' };

interface EgressGuard {
  /** What may be connected to for `host` and `port`; at once for a literal and where the host was checked within the last 30 s. Never rejects. */
  judge(host: string, port: number): Verdict | Promise<Verdict>;
}

export interface EgressGuardOptions {
  policy: EgressPolicy;
  lookup: Lookup;
  clock: Clock;
  limits?: Partial<typeof GUARD_LIMITS>;
}

export const GUARD_LIMITS = {
  lookupMs: 5_000,
  checkedMs: 30_000,
  /** How long a name without addresses stays so. */
  negativeMs: 5_000,
  hostsMax: 1_000,
  /** All addresses of a host are checked; this many of each family are tried. */
  triedPerFamilyMax: 3,
};

/** The one judge of where this server may connect to (spec 6): by the host as a literal, or by every address that it resolves to. */
export function createEgressGuard(options: EgressGuardOptions): EgressGuard {
  const { policy, lookup, clock } = options;
  const limits = { ...GUARD_LIMITS, ...options.limits };
  const opened = policy.allowCidrs.map(parseIpRange).filter((range) => range !== null);
  const checked = new Map<string, { atMs: number; answer: Answer }>();
  const underWay = new Map<string, Promise<Answer>>();

  function judge(host: string, port: number): Verdict | Promise<Verdict> {
    const entry = policy.hosts.length === 0 ? null : findEgressHost(policy, host, port);
    if (entry !== null) return { ok: true, addresses: [entry.address], port: entry.toPort };
    const known = checked.get(host);
    if (known !== undefined && isFresh(known.atMs, known.answer)) return toVerdict(known.answer, port);
    if (parseIp(host) !== null) return toVerdict(remember(host, judgeAddresses([host], opened, 1)), port);
    return find(host).then((answer) => toVerdict(answer, port));
  }

  // A clock that was set back makes an entry stale, not young.
  function isFresh(atMs: number, answer: Answer): boolean {
    const ageMs = clock.now() - atMs;
    return ageMs >= 0 && ageMs < (answer === 'DNS' ? limits.negativeMs : limits.checkedMs);
  }

  function find(host: string): Promise<Answer> {
    const running = underWay.get(host);
    if (running !== undefined) return running;
    const started = resolve(host).then((answer) => {
      underWay.delete(host);
      return remember(host, answer);
    });
    underWay.set(host, started);
    return started;
  }

  function remember(host: string, answer: Answer): Answer {
    checked.delete(host);
    const oldest = checked.size >= limits.hostsMax ? checked.keys().next().value : undefined;
    if (oldest !== undefined) checked.delete(oldest);
    checked.set(host, { atMs: clock.now(), answer });
    return answer;
  }

  function resolve(host: string): Promise<Answer> {
    return new Promise((done) => {
      const cancel = clock.after(limits.lookupMs, () => {
        done('DNS');
      });
      const end = (answer: Answer): void => {
        cancel();
        done(answer);
      };
      lookup(host).then(
        (addresses) => {
          end(judgeAddresses(addresses, opened, limits.triedPerFamilyMax));
        },
        () => {
          end('DNS');
        },
      );
    });
  }

  return { judge };
}

/** What is kept of a host: the addresses to try, or why there are none. */
type Answer = readonly string[] | 'EGRESS_REFUSED' | 'DNS';

function toVerdict(answer: Answer, port: number): Verdict {
  return typeof answer === 'string' ? { ok: false, failure: answer } : { ok: true, addresses: answer, port };
}

/** One address that may not be reached refuses the host: which of them is tried is not ours to choose safely. */
function judgeAddresses(addresses: readonly string[], opened: readonly IpRange[], perFamilyMax: number): Answer {
  if (addresses.length === 0) return 'DNS';
  if (!addresses.every((address) => isReachable(address, opened))) return 'EGRESS_REFUSED';
  const isV6 = (address: string): boolean => address.includes(':');
  const tried = new Set([...addresses.filter((address) => !isV6(address)).slice(0, perFamilyMax), ...addresses.filter(isV6).slice(0, perFamilyMax)]);
  return addresses.filter((address) => tried.has(address));
}
