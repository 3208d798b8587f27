import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { Clock } from '../lib/clock.ts';
import { isSameIp } from '../lib/ip.ts';
import { EgressError, NO_CONNECTION, toTlsError } from './egress-error.ts';

/** A place that the guard allowed. */
interface ConnectTarget {
  /** The name or address of the URL: for TLS, whose certificate is wanted. */
  host: string;
  isLiteral: boolean;
  /** Those that were checked. */
  addresses: readonly string[];
  port: number;
  /** null: plain TCP. */
  secureContext: SecureContext | null;
  /** For TLS: the protocols that are offered (RFC 7301); none where left out. */
  alpnProtocols?: string[];
}

/** Starts a TCP connection to the first of `addresses` that answers; `attemptMs` is for each but the last. */
export type OpenSocket = (addresses: readonly string[], port: number, attemptMs: number) => Socket;

interface ConnectOptions {
  timeoutMs: number;
  clock: Clock;
  openSocket: OpenSocket;
}

/**
 * Connects to one of the addresses that were checked, and compares the peer's before the first byte is sent; for TLS, which is part of
 * `timeoutMs`, the name stays the host's. `done` is called once; the returned function gives up before that.
 */
export function connectChecked(target: ConnectTarget, options: ConnectOptions, done: (error: EgressError | null, socket: Socket | null) => void): () => void {
  const tcp = options.openSocket(target.addresses, target.port, Math.ceil(options.timeoutMs / 6));
  let socket = tcp;
  let isDone = false;

  const giveUp = (): void => {
    finish(new EgressError('CONNECT', NO_CONNECTION));
  };
  const cancelTimer = options.clock.after(options.timeoutMs, giveUp);
  // Stays, so that an error after the end is no crash.
  tcp.on('error', giveUp);
  tcp.once('connect', () => {
    if (isDone) return;
    const peer = tcp.remoteAddress ?? '';
    if (!target.addresses.some((address) => isSameIp(address, peer))) finish(new EgressError('EGRESS_REFUSED', NO_CONNECTION));
    else if (target.secureContext === null) finish(null);
    else startTls(target.secureContext);
  });

  function startTls(secureContext: SecureContext): void {
    const name = target.host.replace(/\.$/, '');
    const tls = connectTls({
      socket: tcp,
      secureContext,
      host: name,
      ...(target.isLiteral ? {} : { servername: name }),
      ...(target.alpnProtocols === undefined ? {} : { ALPNProtocols: target.alpnProtocols }),
      // NODE_TLS_REJECT_UNAUTHORIZED=0 must not turn it off.
      rejectUnauthorized: true,
    });
    socket = tls;
    tls.on('error', (error) => {
      finish(toTlsError(error));
    });
    tls.once('secureConnect', () => {
      finish(null);
    });
  }

  function finish(error: EgressError | null): void {
    if (isDone) return;
    isDone = true;
    cancelTimer();
    if (error === null) {
      done(null, socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_DELAY_MS));
    } else {
      socket.destroy();
      tcp.destroy();
      done(error, null);
    }
  }

  return giveUp;
}

const KEEP_ALIVE_DELAY_MS = 60_000;

/** The real one. Several addresses are tried as in RFC 8305, families in turn; no name is ever resolved here. */
export const openTcpSocket: OpenSocket = (addresses, port, attemptMs) => {
  const [only = '', ...others] = addresses;
  if (others.length === 0) return connectTcp({ host: only, port });
  const lookup: LookupFunction = (_name, _options, callback) => {
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  return connectTcp({ host: 'checked.invalid', port, lookup, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: attemptMs });
};
