import { cutBytes, toStorable } from '../lib/text.ts';
import type { SendFailure } from './ports.ts';

/** Reasons of an attempt that is worth another one. The first five: no reply came. DEFERRED: a mail server answered 4xx. */
export const RETRY_REASONS = [
  'DNS',
  'CONNECT',
  'TLS',
  'TIMEOUT',
  'PROTOCOL',
  'REQUEST_TIMEOUT',
  'TOO_EARLY',
  'RATE_LIMITED',
  'SERVER_ERROR',
  'DEFERRED',
] as const;
export type RetryReason = (typeof RETRY_REASONS)[number];

/** Reasons of an attempt that is the last. EGRESS_REFUSED and BAD_CONFIG: nothing was sent. */
export const FAILED_REASONS = [
  'EGRESS_REFUSED',
  'BAD_CONFIG',
  'REDIRECTED',
  'CREDENTIALS_REFUSED',
  'NOT_FOUND',
  'GONE',
  'REJECTED',
  'UNEXPECTED_REPLY',
] as const;
export type FailedReason = (typeof FAILED_REASONS)[number];

/**
 * Recipients of a mail that were answered for good, with the code of the answer: those of 2xx have it, the others were refused. No further attempt sends to
 * them; redeliver forgets who refused.
 */
export type AnsweredRecipients = Readonly<Record<string, number>>;

interface OfRecipients {
  /** Of a mail: by this attempt and those before it. */
  recipients?: AnsweredRecipients;
}

export interface Delivered extends OfRecipients {
  outcome: 'DELIVERED';
  /** HTTP status, or SMTP reply code. */
  statusCode: number;
}

export interface Retry extends OfRecipients {
  outcome: 'RETRY';
  reason: RetryReason;
  statusCode: number | null;
  error: string;
  /** At most 2 KiB. */
  responseBody: string | null;
  /** What the receiver asked for, 0 to 1 h: it holds back the whole destination. */
  retryAfterMs: number | null;
  /** Timed out or could not connect: the channel is suspect. */
  unreachable: boolean;
}

export interface Failed extends OfRecipients {
  outcome: 'FAILED';
  reason: FailedReason;
  statusCode: number | null;
  error: string;
  /** At most 2 KiB. */
  responseBody: string | null;
  /** The receiver said 410: the channel is switched off. */
  gone: boolean;
}

/** How one attempt of a delivery ended. Its texts hold no secret of the channel and can be stored as they are. */
export type Outcome = Delivered | Retry | Failed;

/** A reply as far as an outcome depends on it; `body` is cleared of secrets already. */
export interface JudgedReply {
  status: number;
  /** Whether the channel's kind counts it as delivered. */
  isDelivered: boolean;
  body: string;
  retryAfterMs: number | null;
}

/** What a reply means for its delivery (spec 5). */
export function outcomeOfReply({ status, isDelivered, body, retryAfterMs }: JudgedReply): Outcome {
  if (isDelivered) return { outcome: 'DELIVERED', statusCode: status };
  const rule = STATUS_RULES.find((row) => status >= row.from && status <= row.to) ?? UNEXPECTED;
  const error = `the receiver answered with status ${status}${rule.note}`;
  const responseBody = body === '' ? null : cutBytes(toStorable(body), RESPONSE_BODY_BYTES_MAX);
  if (rule.outcome === 'FAILED') return { outcome: 'FAILED', reason: rule.reason, statusCode: status, error, responseBody, gone: rule.reason === 'GONE' };
  return { outcome: 'RETRY', reason: rule.reason, statusCode: status, error, responseBody, retryAfterMs: clampRetryAfter(retryAfterMs), unreachable: false };
}

/** What a send without a reply means for its delivery. `message` is cleared of secrets already. */
export function outcomeOfFailure(failure: SendFailure, message: string): Outcome {
  const error = cutBytes(toStorable(message), ERROR_BYTES_MAX);
  if (failure === 'EGRESS_REFUSED') return { outcome: 'FAILED', reason: failure, statusCode: null, error, responseBody: null, gone: false };
  return { outcome: 'RETRY', reason: failure, statusCode: null, error, responseBody: null, retryAfterMs: null, unreachable: UNREACHABLE[failure] };
}

/** The outcome where a stored config cannot be used: nothing is sent. `problem` repeats no value of it. */
export function outcomeOfBadConfig(problem: string): Failed {
  return { outcome: 'FAILED', reason: 'BAD_CONFIG', statusCode: null, error: cutBytes(problem, ERROR_BYTES_MAX), responseBody: null, gone: false };
}

/** Milliseconds from a Retry-After header (RFC 9110 10.2.3: seconds or a date), 0 to 1 h; null where there is none or it is garbage. */
export function readRetryAfter(header: string | undefined, nowMs: number): number | null {
  const text = header?.trim() ?? '';
  if (SECONDS.test(text)) return clampRetryAfter(Number(text) * 1_000);
  if (!HTTP_DATES.some((form) => form.test(text))) return null;
  const atMs = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(atMs) ? null : clampRetryAfter(atMs - nowMs);
}

/** How much of a failed reply is kept. */
const RESPONSE_BODY_BYTES_MAX = 2_048;
const ERROR_BYTES_MAX = 500;
const RETRY_AFTER_MAX_MS = 3_600_000;

type StatusRule = { from: number; to: number; note: string } & ({ outcome: 'RETRY'; reason: RetryReason } | { outcome: 'FAILED'; reason: FailedReason });

/** The first row that holds a status counts; what the channel's kind counts as delivered never gets here. */
const STATUS_RULES: readonly StatusRule[] = [
  { from: 300, to: 399, outcome: 'FAILED', reason: 'REDIRECTED', note: ': redirects are not followed' },
  { from: 401, to: 401, outcome: 'FAILED', reason: 'CREDENTIALS_REFUSED', note: ': it refuses the credentials' },
  { from: 403, to: 403, outcome: 'FAILED', reason: 'CREDENTIALS_REFUSED', note: ': it refuses the credentials' },
  { from: 404, to: 404, outcome: 'FAILED', reason: 'NOT_FOUND', note: '' },
  { from: 408, to: 408, outcome: 'RETRY', reason: 'REQUEST_TIMEOUT', note: '' },
  { from: 410, to: 410, outcome: 'FAILED', reason: 'GONE', note: ': it is gone for good' },
  { from: 425, to: 425, outcome: 'RETRY', reason: 'TOO_EARLY', note: '' },
  { from: 429, to: 429, outcome: 'RETRY', reason: 'RATE_LIMITED', note: '' },
  { from: 400, to: 499, outcome: 'FAILED', reason: 'REJECTED', note: '' },
  { from: 500, to: 599, outcome: 'RETRY', reason: 'SERVER_ERROR', note: '' },
];
/** 1xx, and a 2xx that the channel's kind does not count. */
const UNEXPECTED: StatusRule = { from: 0, to: Infinity, outcome: 'FAILED', reason: 'UNEXPECTED_REPLY', note: ', which does not mean that it took the message' };

/** A receiver whose reply breaks HTTP was reached, and soon; the others cost a slot for seconds. */
const UNREACHABLE: Record<Exclude<SendFailure, 'EGRESS_REFUSED'>, boolean> = { DNS: true, CONNECT: true, TLS: true, TIMEOUT: true, PROTOCOL: false };

const SECONDS = /^\d+(?:\.\d+)?$/;
/** IMF-fixdate, RFC 850 and asctime (RFC 9110 5.6.7): Date.parse alone takes "2030" and much else for a date. */
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

function clampRetryAfter(ms: number | null): number | null {
  return ms === null || Number.isNaN(ms) ? null : Math.min(Math.max(Math.ceil(ms), 0), RETRY_AFTER_MAX_MS);
}
