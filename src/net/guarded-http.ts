import { parseHttpTarget } from '../domain/egress-url.ts';
import type { HttpPort, HttpRequest, SendResult, TargetCheck } from '../domain/ports.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { type OpenSocket, openTcpSocket } from './connect.ts';
import { HOST_NOT_ALLOWED, NO_CONNECTION } from './egress-error.ts';
import { createEgressGuard, GUARD_LIMITS, type Verdict } from './egress-guard.ts';
import type { EgressPolicy } from './egress-policy.ts';
import { createHttpExchange } from './http-exchange.ts';
import { createHttpPools } from './http-pools.ts';
import type { Lookup } from './lookup.ts';

/** Spec 4 and 6; how many pools, and what is drained, is ours. */
const HTTP_LIMITS = {
  ...GUARD_LIMITS,
  totalMs: 10_000,
  connectMs: 5_000,
  bodyBytesMax: 8_192,
  drainBytesMax: 65_536,
  headerBytesMax: 16_384,
  informationalMax: 8,
  poolsMax: 256,
  connectionsPerPoolMax: 64,
  /** Below the 5 s after which many servers close. */
  idleMs: 4_000,
};

export interface GuardedHttpOptions {
  policy: EgressPolicy;
  lookup: Lookup;
  clock?: Clock;
  /** PEM certificates to trust instead of Node's own and those of NODE_EXTRA_CA_CERTS. */
  ca?: string;
  limits?: Partial<typeof HTTP_LIMITS>;
  openSocket?: OpenSocket;
}

/** The guarded way out for HTTP (spec 6): every channel's requests go through it. Proxy variables of the environment are not read. */
export function createGuardedHttp(options: GuardedHttpOptions): HttpPort & { close(): Promise<void> } {
  const { policy, lookup, clock = systemClock, ca, openSocket = openTcpSocket } = options;
  const limits = { ...HTTP_LIMITS, ...options.limits };
  const guard = createEgressGuard({ policy, lookup, clock, limits });
  const pools = createHttpPools({ clock, openSocket, ca, limits });
  let isClosed = false;

  async function check(url: string): Promise<TargetCheck> {
    const form = parseHttpTarget(url, policy.allowHttp);
    if (!form.ok) return { ok: false, message: form.message };
    const verdict = await guard.judge(form.target.host, form.target.port);
    return verdict.ok ? { ok: true } : { ok: false, message: HOST_NOT_ALLOWED };
  }

  function post(request: HttpRequest): Promise<SendResult> {
    const form = parseHttpTarget(request.url, policy.allowHttp);
    if (!form.ok) return Promise.resolve(refused(`the URL ${form.message}`));
    const headers = outgoingHeaders(request.headers);
    if (headers === null) return Promise.resolve(refused('the request has a header that the connection itself needs'));
    const { target } = form;

    return new Promise((settle) => {
      const exchange = createHttpExchange(limits, clock, settle);
      const send = (verdict: Verdict): void => {
        if (exchange.isSettled()) return;
        if (!verdict.ok) exchange.fail({ ok: false, failure: verdict.failure, message: NO_CONNECTION });
        else if (isClosed) exchange.fail({ ok: false, failure: 'CONNECT', message: NO_CONNECTION });
        else pools.pick(target, verdict).dispatch({ path: target.path, method: 'POST', headers, body: request.body }, exchange.handler);
      };
      const verdict = guard.judge(target.host, target.port);
      if (verdict instanceof Promise) void verdict.then(send);
      else send(verdict);
    });
  }

  function close(): Promise<void> {
    isClosed = true;
    return pools.destroy();
  }

  return { check, post, close };
}

function refused(message: string): SendResult {
  return { ok: false, failure: 'EGRESS_REFUSED', message };
}

/** What frames a message on its connection is the port's own: a header of that kind, however it came into a config, could smuggle a second request. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'accept-encoding',
]);

/** Names and values in turn, or null where one is the port's own. */
function outgoingHeaders(headers: Readonly<Record<string, string>>): string[] | null {
  const flat: string[] = [];
  for (const name of Object.keys(headers)) {
    if (OWN_HEADERS.has(name.toLowerCase())) return null;
    flat.push(name, headers[name] ?? '');
  }
  flat.push('accept-encoding', 'identity');
  return flat;
}
