/** The ports through which channels reach the world: `net/` implements them guarded, tests scripted. */

export interface HttpRequest {
  url: string;
  /** Names in lower case. The port adds host, content-length, accept-encoding: identity and nothing else. */
  headers: Record<string, string>;
  body: string;
}

export interface HttpReply {
  status: number;
  /** Names in lower case, repeated ones joined by ", ". */
  headers: Record<string, string>;
  /** At most 8 KiB, malformed UTF-8 as U+FFFD; empty where the reply has a Content-Encoding. */
  body: string;
}

/** Why a send got no reply. EGRESS_REFUSED is final; the rest are worth a retry. */
export const SEND_FAILURES = ['EGRESS_REFUSED', 'DNS', 'CONNECT', 'TLS', 'TIMEOUT', 'PROTOCOL'] as const;
export type SendFailure = (typeof SEND_FAILURES)[number];

/** An expected ending of a send: a reply of any status, or the reason why there is none. `message` tells no resolved address. */
export type SendResult = { ok: true; reply: HttpReply } | { ok: false; failure: SendFailure; message: string };

/** Whether a target may be reached, as far as can be said without connecting: `message` says why not, and tells no resolved address. */
export type TargetCheck = { ok: true } | { ok: false; message: string };

export interface HttpPort {
  /** POSTs once: no redirects, 5 s to connect, 10 s in all. Never throws for what the network or the receiver does. */
  post(request: HttpRequest): Promise<SendResult>;
  /** Checks a URL when it is saved: its form, and every address that its host resolves to now. A name that does not resolve is refused. */
  check(url: string): Promise<TargetCheck>;
}

/** A mail server: IMPLICIT is TLS from the first byte on, STARTTLS is demanded, NONE is for port 25 alone. */
export interface MailServer {
  /** A name in lower case and ASCII. */
  host: string;
  port: number;
  tls: 'IMPLICIT' | 'STARTTLS' | 'NONE';
}

/** One mail to some recipients. Its texts may hold anything: encoding them is the port's. */
export interface Mail {
  server: MailServer;
  /** AUTH PLAIN or LOGIN; `isDemanded`: nothing is sent where the server offers neither. */
  auth: { user: string; pass: string; isDemanded: boolean };
  /** Addresses as parseMailAddress gives them: of the envelope, and whom the header names. */
  from: string;
  recipients: readonly string[];
  headerTo: readonly string[];
  /** Without angle brackets. */
  messageId: string;
  /** Epoch milliseconds. */
  dateMs: number;
  subject: string;
  text: string;
  html: string;
}

/** Where in a session a reply came. MESSAGE: after the last byte of the mail. */
export const MAIL_STEPS = ['GREETING', 'EHLO', 'STARTTLS', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'MESSAGE'] as const;
export type MailStep = (typeof MAIL_STEPS)[number];

/** The last reply that counts for a recipient. It has the mail where that is 2xx to MESSAGE. */
export interface MailReply {
  recipient: string;
  step: MailStep;
  /** 300 to 599; 2xx comes with MESSAGE alone. */
  code: number;
  /** With its code; repeats no resolved address. */
  text: string;
}

/** A reply for each recipient, or the reason why there is none. */
export type MailResult = { ok: true; replies: readonly MailReply[] } | { ok: false; failure: SendFailure; message: string };

export interface MailPort {
  /** Sends once: 5 s to connect with TLS, 10 s a reply, 30 s in all. Never throws for what the network or the server does. */
  send(mail: Mail): Promise<MailResult>;
  /** Checks a server when it is saved: every address that its name resolves to now. */
  check(host: string, port: number): Promise<TargetCheck>;
}
