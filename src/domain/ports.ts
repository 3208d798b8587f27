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
