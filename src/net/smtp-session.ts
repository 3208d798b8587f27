import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import SMTPConnection, { type SMTPConnectionEnvelope } from 'nodemailer/lib/smtp-connection';
import type { Mail, MailReply, MailResult, MailStep } from '../domain/ports.ts';
import type { Clock } from '../lib/clock.ts';
import { CLOSED_BEFORE_ANSWER, NO_ANSWER_IN_TIME, NO_CONNECTION, tlsMessage } from './egress-error.ts';

export interface SmtpSessionOptions {
  /** Connected and checked; for IMPLICIT, with TLS. */
  socket: Socket;
  /** Of the host, those that were checked: they are told to nobody. */
  addresses: readonly string[];
  /** What EHLO says. */
  helloName: string;
  /** For STARTTLS. */
  secureContext: SecureContext;
  limits: { connectMs: number; replyMs: number; quitMs: number; replyBytesMax: number };
  clock: Clock;
}

/** nodemailer's own timers are on the machine's clock, and count bytes, not replies: they come after all of ours. */
const NEVER_MS = 86_400_000;

/**
 * One SMTP session over a socket: greeting, STARTTLS where it is demanded, AUTH, and the mail to its recipients. nodemailer speaks the protocol; which steps
 * are taken, and how long each may take, is said here. `settle` is called once. The returned function ends the session at once.
 */
export function runSmtpSession(mail: Mail, message: Buffer, options: SmtpSessionOptions, settle: (result: MailResult) => void): () => void {
  const { socket, clock, limits } = options;
  const { server, auth } = mail;
  const envelope = { from: mail.from, to: [...mail.recipients] };
  let isSettled = false;
  let step: MailStep = 'GREETING';
  let cancelTimer = (): void => {};

  const connection = new SMTPConnection({
    connection: socket,
    host: server.host,
    port: server.port,
    servername: server.host,
    name: options.helloName,
    secure: server.tls === 'IMPLICIT',
    secured: server.tls === 'IMPLICIT',
    requireTLS: server.tls === 'STARTTLS',
    ignoreTLS: server.tls === 'NONE',
    // NODE_TLS_REJECT_UNAUTHORIZED=0 must not turn it off.
    tls: { secureContext: options.secureContext, rejectUnauthorized: true },
    connectionTimeout: NEVER_MS,
    greetingTimeout: NEVER_MS,
    socketTimeout: NEVER_MS,
    socketCloseTimeout: 0,
    maxResponseSize: limits.replyBytesMax,
    logger: { debug: onLine, info: onLine },
    transactionLog: true,
  });

  /**
   * nodemailer's log tells when a command has left, with its secrets masked, and when a reply is whole, before it is acted on: a reply that drips byte by byte is late all the
   * same, and what is none is not taken for one. (nodemailer looks at the first digit alone.)
   */
  function onLine(entry: { tnx?: string } | undefined, text = ''): void {
    const what = entry?.tnx;
    if (isSettled || (what !== 'client' && what !== 'message' && what !== 'server')) return;
    if (what === 'client') step = STEPS[verbOf(text)] ?? step;
    if (what === 'message') step = 'MESSAGE';
    if (what === 'server' && !isReply(text)) fail({ ok: false, failure: 'PROTOCOL', message: NOT_SMTP });
    // What follows the answer to STARTTLS is the handshake, which is part of connecting.
    else expectReply(what === 'server' && step === 'STARTTLS' ? limits.connectMs : limits.replyMs);
  }

  function expectReply(withinMs: number): void {
    cancelTimer();
    cancelTimer = clock.after(withinMs, () => {
      fail({ ok: false, failure: 'TIMEOUT', message: NO_ANSWER_IN_TIME });
    });
  }

  function fail(result: MailResult): void {
    if (isSettled) return;
    finish(result);
    end();
  }

  function finish(result: MailResult): void {
    isSettled = true;
    cancelTimer();
    settle(result.ok ? { ok: true, replies: result.replies.map((reply) => ({ ...reply, text: withoutAddresses(reply.text, options.addresses) })) } : result);
  }

  function end(): void {
    connection.close();
    socket.destroy();
  }

  function failWith(error: SmtpError): void {
    if (connection.upgrading === true) fail({ ok: false, failure: 'TLS', message: tlsMessage(error.originalCode ?? '') });
    else fail(resultOf(error, STEPS[verbOf(error.command ?? '')] ?? step, mail.recipients, envelope));
  }

  function logIn(): void {
    const method = loginMethod(String(connection.lastServerResponse));
    if (method !== null) connection.login({ method, user: auth.user, pass: auth.pass }, orFail(sendMail));
    else if (auth.isDemanded) fail({ ok: false, failure: 'PROTOCOL', message: NO_LOGIN });
    else sendMail();
  }

  function sendMail(): void {
    connection.send(envelope, message, (error, info) => {
      if (isSettled) return;
      if (error !== null) failWith(error);
      else leave(repliesOf(envelope, mail.recipients, { step: 'MESSAGE', ...readReply(info.response) }));
    });
  }

  /** The result is known: a server that does not answer QUIT changes nothing about it. */
  function leave(result: MailResult): void {
    finish(result);
    const cancel = clock.after(limits.quitMs, end);
    connection.once('end', cancel);
    connection.quit();
  }

  function orFail(next: () => void): (error?: SmtpError | null) => void {
    return (error) => {
      if (isSettled) return;
      if (error === undefined || error === null) next();
      else failWith(error);
    };
  }

  // Stays, so that an error after the end is no crash.
  connection.on('error', failWith);
  expectReply(limits.replyMs);
  connection.connect(orFail(logIn));
  return () => {
    fail({ ok: false, failure: 'CONNECT', message: NO_CONNECTION });
    end();
  };
}

const NO_LOGIN = 'the mail server offers neither AUTH PLAIN nor AUTH LOGIN';
const NOT_SMTP = 'the answer is not valid SMTP';

/** Of nodemailer's errors, what is looked at. */
interface SmtpError {
  code?: string | undefined;
  originalCode?: string | undefined;
  command?: string | undefined;
  response?: string | undefined;
}

type Envelope = Partial<SMTPConnectionEnvelope> & { from: string; to: string[] };

/** By the answer to EHLO. PLAIN first: it costs one round trip less. */
function loginMethod(ehlo: string): 'PLAIN' | 'LOGIN' | null {
  const offered = ehlo.split('\n').flatMap(
    (line) =>
      /^250[ -]AUTH[ =](.*)$/i
        .exec(line)?.[1]
        ?.toUpperCase()
        .split(/[\s=]+/) ?? [],
  );
  return (['PLAIN', 'LOGIN'] as const).find((method) => offered.includes(method)) ?? null;
}

/** What ended a session early, from nodemailer's error. */
function resultOf(error: SmtpError, step: MailStep, recipients: readonly string[], envelope: Envelope): MailResult {
  const { code, text } = readReply(error.response);
  if (code >= 300) return repliesOf(envelope, recipients, { step: error.code === 'EMESSAGE' ? 'MESSAGE' : step, code, text });
  const isAnswer = error.response !== undefined || error.code === 'EPROTOCOL';
  return { ok: false, failure: 'PROTOCOL', message: isAnswer ? NOT_SMTP : CLOSED_BEFORE_ANSWER };
}

const STEPS: Readonly<Record<string, MailStep>> = {
  EHLO: 'EHLO',
  HELO: 'EHLO',
  STARTTLS: 'STARTTLS',
  AUTH: 'AUTH',
  MAIL: 'MAIL',
  RCPT: 'RCPT',
  DATA: 'DATA',
};

function verbOf(command: string): string {
  return command.split(' ', 1)[0] ?? '';
}

/**
 * A reply for each recipient: its own where it was refused, else the one that ended the session. A refused sender is nobody's own. nodemailer keeps who
 * was refused in the envelope that it was given.
 */
function repliesOf({ rejectedErrors = [] }: Envelope, recipients: readonly string[], last: Omit<MailReply, 'recipient'>): MailResult {
  const own = last.step === 'MAIL' ? [] : rejectedErrors.map(({ recipient = '', response }) => [recipient, readReply(response)] as const);
  const refused = new Map(own);
  const replies = recipients.map((recipient): MailReply => {
    const reply = refused.get(recipient);
    return reply === undefined ? { recipient, ...last } : { recipient, step: 'RCPT', ...reply };
  });
  return { ok: true, replies };
}

/** RFC 5321 4.2: three digits at the beginning of each line. */
function isReply(text: string): boolean {
  return text.split('\n').every((line) => /^[2-5]\d\d(?:[ -]|$)/.test(line));
}

/** Code 0 where there was no reply. */
function readReply(text = ''): Pick<MailReply, 'code' | 'text'> {
  return { code: isReply(text) ? Number(text.slice(0, 3)) : 0, text };
}

function withoutAddresses(text: string, addresses: readonly string[]): string {
  return addresses.reduce((cleared, address) => cleared.replaceAll(address, '[address]'), text);
}
