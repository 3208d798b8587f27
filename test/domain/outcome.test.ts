import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAILED_REASONS, outcomeOfBadConfig, outcomeOfFailure, outcomeOfReply, RETRY_REASONS, readRetryAfter } from '../../src/domain/outcome.ts';
import { SEND_FAILURES } from '../../src/domain/ports.ts';

const HOUR_MS = 3_600_000;
const now = Date.UTC(2026, 10, 24, 12, 0, 0);

function reply(status: number, body = '', retryAfterMs: number | null = null) {
  return outcomeOfReply({ status, isDelivered: false, body, retryAfterMs });
}

describe('outcomeOfReply', () => {
  test('what its kind counts as delivered is delivered, whatever the status', () => {
    expect(outcomeOfReply({ status: 404, isDelivered: true, body: 'x', retryAfterMs: 1 })).toEqual({ outcome: 'DELIVERED', statusCode: 404 });
  });

  test.each([
    [100, 'FAILED', 'UNEXPECTED_REPLY'],
    [199, 'FAILED', 'UNEXPECTED_REPLY'],
    [204, 'FAILED', 'UNEXPECTED_REPLY'],
    [301, 'FAILED', 'REDIRECTED'],
    [399, 'FAILED', 'REDIRECTED'],
    [400, 'FAILED', 'REJECTED'],
    [401, 'FAILED', 'CREDENTIALS_REFUSED'],
    [403, 'FAILED', 'CREDENTIALS_REFUSED'],
    [404, 'FAILED', 'NOT_FOUND'],
    [408, 'RETRY', 'REQUEST_TIMEOUT'],
    [410, 'FAILED', 'GONE'],
    [425, 'RETRY', 'TOO_EARLY'],
    [429, 'RETRY', 'RATE_LIMITED'],
    [499, 'FAILED', 'REJECTED'],
    [500, 'RETRY', 'SERVER_ERROR'],
    [599, 'RETRY', 'SERVER_ERROR'],
    [600, 'FAILED', 'UNEXPECTED_REPLY'],
    [0, 'FAILED', 'UNEXPECTED_REPLY'],
  ])('%i: %s %s', (status, outcome, reason) => {
    expect(reply(status)).toMatchObject({ outcome, reason, statusCode: status, responseBody: null });
  });

  test('only 410 switches the channel off', () => {
    const gone = Array.from({ length: 500 }, (_, index) => reply(100 + index)).filter((outcome) => outcome.outcome === 'FAILED' && outcome.gone);
    expect(gone.map((outcome) => outcome.statusCode)).toEqual([410]);
  });

  test('a receiver that answers is not unreachable', () => {
    expect(reply(503)).toMatchObject({ unreachable: false });
  });

  test.each([
    ['2,048 bytes are kept', 'x'.repeat(2_048), 'x'.repeat(2_048)],
    ['2,049 are cut', 'x'.repeat(2_049), `${'x'.repeat(2_045)}…`],
    ['cut between characters', 'é'.repeat(1_100), `${'é'.repeat(1_022)}…`],
    ['what the database cannot hold is replaced', 'a\0b\ud800c', 'a\ufffdb\ufffdc'],
    ['nothing is null', '', null],
  ])('body: %s', (_, body, kept) => {
    expect(reply(500, body)).toMatchObject({ responseBody: kept });
    expect(reply(400, body)).toMatchObject({ responseBody: kept });
  });

  test.each([
    [null, null],
    [0, 0],
    [1.2, 2],
    [-5, 0],
    [HOUR_MS, HOUR_MS],
    [HOUR_MS + 1, HOUR_MS],
    [Infinity, HOUR_MS],
    [NaN, null],
  ])('retryAfterMs %s is %s', (given, kept) => {
    expect(reply(429, '', given)).toMatchObject({ retryAfterMs: kept });
  });
});

describe('outcomeOfFailure', () => {
  test.each([
    ['EGRESS_REFUSED', 'FAILED', undefined],
    ['DNS', 'RETRY', true],
    ['CONNECT', 'RETRY', true],
    ['TLS', 'RETRY', true],
    ['TIMEOUT', 'RETRY', true],
    ['PROTOCOL', 'RETRY', false],
  ] as const)('%s: %s, unreachable %s', (failure, outcome, unreachable) => {
    const result = outcomeOfFailure(failure, 'why');
    expect(result).toMatchObject({ outcome, reason: failure, statusCode: null, error: 'why', responseBody: null });
    expect('unreachable' in result ? result.unreachable : undefined).toBe(unreachable);
  });

  test('the table above has every failure', () => {
    expect(SEND_FAILURES).toHaveLength(6);
  });

  test('the error is cut and storable', () => {
    const outcome = outcomeOfFailure('TLS', `a\0${'x'.repeat(1_000)}`);
    const error = 'error' in outcome ? outcome.error : '';
    expect(Buffer.byteLength(error)).toBeLessThanOrEqual(500);
    expect(error).not.toContain('\0');
  });
});

test('a bad config fails at once', () => {
  expect(outcomeOfBadConfig('url is required')).toEqual({
    outcome: 'FAILED',
    reason: 'BAD_CONFIG',
    statusCode: null,
    error: 'url is required',
    responseBody: null,
    gone: false,
  });
});

test('the two lists of reasons share none', () => {
  expect(new Set([...RETRY_REASONS, ...FAILED_REASONS]).size).toBe(RETRY_REASONS.length + FAILED_REASONS.length);
});

describe('readRetryAfter', () => {
  test.each([
    ['120', 120_000],
    [' 120 ', 120_000],
    ['0', 0],
    ['1.5', 1_500],
    ['3600', HOUR_MS],
    ['3601', HOUR_MS],
    ['999999999', HOUR_MS],
    ['9'.repeat(400), HOUR_MS],
    ['Tue, 24 Nov 2026 12:00:30 GMT', 30_000],
    ['Tuesday, 24-Nov-26 12:00:30 GMT', 30_000],
    ['Tue Nov 24 12:00:30 2026', 30_000],
    ['Tue Nov  3 12:00:30 2026', 0],
    ['Tue, 24 Nov 2026 11:59:59 GMT', 0],
    ['Wed, 24 Nov 2027 12:00:00 GMT', HOUR_MS],
    [undefined, null],
    ['', null],
    ['-1', null],
    ['+5', null],
    ['1e3', null],
    ['0x10', null],
    ['NaN', null],
    ['Infinity', null],
    ['soon', null],
    ['2030', 2_030_000],
    ['2026-11-24', null],
    ['2026-11-24T12:00:30Z', null],
    ['Tue, 99 Nov 2026 12:00:30 GMT', null],
    ['Tue, 24 Nov 2026 12:00:30 +0100', null],
    ['10, 20', null],
    ['١٢', null],
  ])('%j: %s ms', (header, expected) => {
    expect(readRetryAfter(header, now)).toBe(expected);
  });

  test('is null or within an hour for whatever a receiver sends', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        const ms = readRetryAfter(header, now);
        expect(ms === null || (ms >= 0 && ms <= HOUR_MS)).toBe(true);
      }),
    );
  });
});
