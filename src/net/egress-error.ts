import type { SendFailure, SendResult } from '../domain/ports.ts';

/** Why a connection or an exchange ended without a status. The message is for users: it tells no address and repeats nothing of the peer's. */
export class EgressError extends Error {
  readonly failure: SendFailure;

  constructor(failure: SendFailure, message: string) {
    super(message);
    this.name = 'EgressError';
    this.failure = failure;
  }
}

/**
 * One text for a host that does not resolve, does not answer and may not be reached: told apart, they would map the operator's network
 * for whoever can save a channel. The failure's code, which logs and metrics show, does tell them apart.
 */
export const NO_CONNECTION = 'no connection: the host does not resolve, does not answer, or is not allowed by the egress policy';

/** What a user reads who saves a URL whose host does not resolve, or to an address that may not be reached. One text, for the same reason. */
export const HOST_NOT_ALLOWED = 'must lead to a host that resolves, and only to addresses that the egress policy allows';

export const NO_ANSWER_IN_TIME = 'no answer in time';
export const CLOSED_BEFORE_ANSWER = 'the connection was closed before an answer';

/** An ending without a status, from whatever undici or the connector gave. */
export function toSendFailure(error: unknown): SendResult {
  if (error instanceof EgressError) return { ok: false, failure: error.failure, message: error.message };
  const code = codeOf(error);
  const [failure, message] = BY_CODE[code] ?? (code.startsWith('HPE_') ? NOT_HTTP : CLOSED);
  return { ok: false, failure, message };
}

/** The TLS failure that Node's error stands for, with what a user can do something about. */
export function toTlsError(error: unknown): EgressError {
  return new EgressError('TLS', tlsMessage(codeOf(error)));
}

export function tlsMessage(code: string): string {
  return TLS_MESSAGES[code] ?? 'the TLS handshake failed';
}

type Ending = readonly [SendFailure, string];

const NOT_HTTP: Ending = ['PROTOCOL', 'the answer is not valid HTTP'];
const CLOSED: Ending = ['PROTOCOL', CLOSED_BEFORE_ANSWER];

/** https://undici.nodejs.org/#/docs/api/Errors */
const BY_CODE: Readonly<Record<string, Ending>> = {
  UND_ERR_HEADERS_OVERFLOW: ['PROTOCOL', 'the answer has too many headers'],
  UND_ERR_INVALID_ARG: ['EGRESS_REFUSED', 'the request has a header or a path that cannot be sent'],
  UND_ERR_NOT_SUPPORTED: ['EGRESS_REFUSED', 'the request has a header or a path that cannot be sent'],
};

const NOT_TRUSTED = 'the TLS certificate is not one that this server trusts';

/** https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const TLS_MESSAGES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the TLS certificate has expired',
  CERT_NOT_YET_VALID: 'the TLS certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the TLS certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: NOT_TRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: NOT_TRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: NOT_TRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: NOT_TRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NOT_TRUSTED,
};

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
