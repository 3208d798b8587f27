import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type Dispatcher, Pool } from 'undici';
import type { HttpTarget } from '../domain/egress-url.ts';
import type { Clock } from '../lib/clock.ts';
import { connectChecked, type OpenSocket } from './connect.ts';
import type { Allowed } from './egress-guard.ts';

interface HttpPools {
  /** Kept-alive connections from `target`'s origin to those very addresses; made where there are none. */
  pick(target: HttpTarget, place: Allowed): Dispatcher;
  /** Cuts every connection. */
  destroy(): Promise<void>;
}

interface HttpPoolsOptions {
  clock: Clock;
  openSocket: OpenSocket;
  /** PEM certificates instead of those that Node trusts. */
  ca: string | undefined;
  limits: { connectMs: number; headerBytesMax: number; poolsMax: number; connectionsPerPoolMax: number; idleMs: number };
}

/** The connections, bounded in number: a pool is bound to an origin and to the addresses that were checked for it, the one used longest ago goes first. */
export function createHttpPools(options: HttpPoolsOptions): HttpPools {
  const { clock, openSocket, ca, limits } = options;
  const pools = new Map<string, Pool>();
  const connecting = new Set<() => void>();
  let secureContext: SecureContext | null = null;

  function pick(target: HttpTarget, place: Allowed): Dispatcher {
    const key = `${target.origin} ${place.addresses.join()} ${place.port}`;
    const pool = pools.get(key) ?? open(target, place);
    // Last in the map is used last.
    pools.delete(key);
    pools.set(key, pool);
    return pool;
  }

  function open(target: HttpTarget, place: Allowed): Pool {
    const oldest = pools.size >= limits.poolsMax ? pools.keys().next().value : undefined;
    if (oldest !== undefined) {
      void pools.get(oldest)?.close();
      pools.delete(oldest);
    }
    return new Pool(target.origin, {
      connect: (_options, done) => {
        connect(target, place, done);
      },
      connections: limits.connectionsPerPoolMax,
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: limits.headerBytesMax,
      keepAliveTimeout: limits.idleMs,
      keepAliveMaxTimeout: limits.idleMs,
      // The exchange has one time limit for all.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  function connect(target: HttpTarget, place: Allowed, done: ConnectDone): void {
    if (target.isTls) secureContext ??= createSecureContext(ca === undefined ? {} : { ca });
    const giveUp = connectChecked(
      { host: target.host, isLiteral: target.isLiteral, ...place, secureContext: target.isTls ? secureContext : null, alpnProtocols: ['http/1.1'] },
      { timeoutMs: limits.connectMs, clock, openSocket },
      (error, socket) => {
        connecting.delete(giveUp);
        if (socket === null) done(error ?? new Error('no socket'), null);
        else done(null, socket);
      },
    );
    connecting.add(giveUp);
  }

  async function destroy(): Promise<void> {
    for (const giveUp of connecting) giveUp();
    const all = [...pools.values()];
    pools.clear();
    await Promise.all(all.map((pool) => pool.destroy()));
  }

  return { pick, destroy };
}

type ConnectDone = (...result: [error: null, socket: Socket] | [error: Error, socket: null]) => void;
