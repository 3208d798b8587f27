import { createSecureContext, type SecureContext } from 'node:tls';
import type { Mail, MailPort, MailResult, SendFailure, TargetCheck } from '../domain/ports.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { parseIp } from '../lib/ip.ts';
import { connectChecked, type OpenSocket, openTcpSocket } from './connect.ts';
import { HOST_NOT_ALLOWED, NO_ANSWER_IN_TIME, NO_CONNECTION } from './egress-error.ts';
import { type Allowed, createEgressGuard, GUARD_LIMITS } from './egress-guard.ts';
import type { EgressPolicy } from './egress-policy.ts';
import type { Lookup } from './lookup.ts';
import { composeMessage } from './mail-message.ts';
import { runSmtpSession } from './smtp-session.ts';

/** Spec 4; how long a server may think about QUIT, what a reply may hold, and how long sends may go on when the server stops, is ours. */
const MAIL_LIMITS = {
  ...GUARD_LIMITS,
  totalMs: 30_000,
  connectMs: 5_000,
  replyMs: 10_000,
  quitMs: 1_000,
  replyBytesMax: 8_192,
  closeMs: 10_000,
};

export interface GuardedMailOptions {
  policy: EgressPolicy;
  lookup: Lookup;
  clock?: Clock;
  /** PUBLIC_URL: its host is what this server says that it is. */
  publicUrl: string;
  /** PEM certificates to trust instead of Node's own and those of NODE_EXTRA_CA_CERTS. */
  ca?: string;
  limits?: Partial<typeof MAIL_LIMITS>;
  openSocket?: OpenSocket;
}

/** The guarded way out for SMTP (spec 6): nodemailer resolves names by itself, so it gets a socket that is connected to an address that was checked. */
export function createGuardedMail(options: GuardedMailOptions): MailPort & { close(): Promise<void> } {
  const { policy, lookup, clock = systemClock, ca, openSocket = openTcpSocket } = options;
  const limits = { ...MAIL_LIMITS, ...options.limits };
  const guard = createEgressGuard({ policy, lookup, clock, limits });
  const helloName = helloNameOf(options.publicUrl);
  const underWay = new Map<Promise<MailResult>, () => void>();
  let secureContext: SecureContext | null = null;
  let isClosed = false;

  async function check(host: string, port: number): Promise<TargetCheck> {
    const verdict = await guard.judge(host, port);
    return verdict.ok ? { ok: true } : { ok: false, message: HOST_NOT_ALLOWED };
  }

  async function send(mail: Mail): Promise<MailResult> {
    if (isClosed) return failed('CONNECT', NO_CONNECTION);
    const { promise, resolve, reject } = Promise.withResolvers<MailResult>();
    underWay.set(promise, start(mail, resolve, reject));
    try {
      return await promise;
    } finally {
      underWay.delete(promise);
    }
  }

  /** One attempt, from the lookup to the last reply within `totalMs`. The returned function gives it up. */
  function start(mail: Mail, settle: (result: MailResult) => void, reject: (error: unknown) => void): () => void {
    let isOver = false;
    let giveUp = (): void => {};
    const cancelTimer = clock.after(limits.totalMs, () => {
      stop(failed('TIMEOUT', NO_ANSWER_IN_TIME));
    });

    function finish(result: MailResult): void {
      if (isOver) return;
      isOver = true;
      cancelTimer();
      settle(result);
    }

    function stop(result: MailResult): void {
      finish(result);
      giveUp();
    }

    function connect(place: Allowed, message: Buffer): void {
      const { host, tls } = mail.server;
      secureContext ??= createSecureContext(ca === undefined ? {} : { ca });
      const session = { helloName, secureContext, limits, clock };
      const target = { host, isLiteral: false, ...place, secureContext: tls === 'IMPLICIT' ? secureContext : null };
      giveUp = connectChecked(target, { timeoutMs: limits.connectMs, clock, openSocket }, (error, socket) => {
        if (socket === null) finish(failed(error?.failure ?? 'CONNECT', error?.message ?? NO_CONNECTION));
        else giveUp = runSmtpSession(mail, message, { ...session, socket, addresses: place.addresses }, finish);
      });
    }

    Promise.all([composeMessage(mail), guard.judge(mail.server.host, mail.server.port)]).then(([message, verdict]) => {
      if (isOver) return;
      if (verdict.ok) connect(verdict, message);
      else finish(failed(verdict.failure, NO_CONNECTION));
    }, reject);
    return () => {
      stop(failed('CONNECT', NO_CONNECTION));
    };
  }

  /** Takes nothing more; what is under way has `closeMs` to end. */
  async function close(): Promise<void> {
    isClosed = true;
    const cancelTimer = clock.after(limits.closeMs, () => {
      for (const giveUp of underWay.values()) giveUp();
    });
    await Promise.allSettled(underWay.keys());
    cancelTimer();
  }

  return { send, check, close };
}

/** RFC 5321 4.1.3: a name with a dot, or an address literal. */
function helloNameOf(publicUrl: string): string {
  const { hostname } = new URL(publicUrl);
  if (hostname.startsWith('[')) return `[IPv6:${hostname.slice(1)}`;
  if (parseIp(hostname) !== null) return `[${hostname}]`;
  return hostname.includes('.') ? hostname : '[127.0.0.1]';
}

function failed(failure: SendFailure, message: string): MailResult {
  return { ok: false, failure, message };
}
