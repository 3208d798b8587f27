import { describe, expect, test } from 'vitest';
import { outcomeOfMail } from '../../src/domain/mail-outcome.ts';
import type { MailReply, MailStep } from '../../src/domain/ports.ts';

const A = 'a@example.com';
const B = 'b@example.com';
const C = 'c@example.com';

function reply(recipient: string, code: number, step: MailStep = code < 300 ? 'MESSAGE' : 'RCPT', text = `${code} 1.2.3 said`): MailReply {
  return { recipient, step, code, text };
}

/** Spec 5, and who is told apart; written down apart from the code. */
describe.each(['GREETING', 'EHLO', 'STARTTLS', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'MESSAGE'] as const)('replies to %s', (step) => {
  test.each(Array.from({ length: 300 }, (_, index) => 300 + index))('%i', (code) => {
    const outcome = outcomeOfMail([A], {}, [reply(A, code, step)]);
    expect(outcome).toMatchObject({ outcome: code >= 400 && code < 500 ? 'RETRY' : 'FAILED', statusCode: code, responseBody: `${code} 1.2.3 said` });
    const failed = code < 400 ? 'UNEXPECTED_REPLY' : step === 'AUTH' ? 'CREDENTIALS_REFUSED' : 'REJECTED';
    expect(outcome).toMatchObject({ reason: code >= 400 && code < 500 ? 'DEFERRED' : failed });
    expect(outcome.recipients).toEqual(code >= 400 && code < 500 ? {} : { [A]: code });
    expect('error' in outcome && outcome.error).toContain(String(code));
  });
});

test('every recipient has it: delivered', () => {
  expect(outcomeOfMail([A, B], {}, [reply(A, 250), reply(B, 250)])).toEqual({ outcome: 'DELIVERED', statusCode: 250, recipients: { [A]: 250, [B]: 250 } });
  expect(outcomeOfMail([A, B], { [A]: 250 }, [reply(B, 252)])).toEqual({ outcome: 'DELIVERED', statusCode: 252, recipients: { [A]: 250, [B]: 252 } });
});

test('one put off, one refused, one has it: tried again, for the first alone', () => {
  expect(outcomeOfMail([A, B, C], {}, [reply(A, 250), reply(B, 451), reply(C, 550)])).toEqual({
    outcome: 'RETRY',
    reason: 'DEFERRED',
    statusCode: 451,
    error: `the mail server answered with 451; not taken yet: ${B} (451); refused: ${C} (550)`,
    responseBody: '451 1.2.3 said\n550 1.2.3 said',
    recipients: { [A]: 250, [C]: 550 },
    retryAfterMs: null,
    unreachable: false,
  });
});

test('the last one took it, but one was refused before: failed, and named', () => {
  expect(outcomeOfMail([A, B, C], { [A]: 250, [C]: 550 }, [reply(B, 250)])).toMatchObject({
    outcome: 'FAILED',
    reason: 'REJECTED',
    statusCode: 550,
    error: `refused: ${C} (550)`,
    responseBody: null,
    recipients: { [A]: 250, [B]: 250, [C]: 550 },
  });
});

test('who was refused and is no recipient any more does not count; nor does one who has it', () => {
  expect(outcomeOfMail([A], { [A]: 250, [C]: 550 }, [])).toMatchObject({ outcome: 'DELIVERED', statusCode: 250 });
  expect(outcomeOfMail([A, C], { [A]: 250, [C]: 550 }, [])).toMatchObject({ outcome: 'FAILED', statusCode: 550, error: `refused: ${C} (550)` });
});

test('what met all alike names nobody: there is nothing to tell apart', () => {
  const all = [A, B].map((recipient) => reply(recipient, 535, 'AUTH'));
  expect(outcomeOfMail([A, B], {}, all)).toMatchObject({ error: 'the mail server answered with 535 to the credentials' });
  expect(outcomeOfMail([A, B, C], { [C]: 550 }, all)).toMatchObject({ error: expect.stringContaining(`${C} (550)`) });
});

test('fifty names of usual length fit, answers are cut', () => {
  const many = Array.from({ length: 50 }, (_, index) => `somebody-${index}@mail.example.com`);
  const outcome = outcomeOfMail(
    many,
    {},
    many.map((recipient, index) => reply(recipient, 550, 'RCPT', `550 ${index} ${'x€'.repeat(100)}\0`)),
  );
  for (const name of many) expect('error' in outcome && outcome.error).toContain(`${name} (550)`);
  const body = 'responseBody' in outcome ? (outcome.responseBody ?? '') : '';
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(2_048);
  expect(body).not.toContain('\0');
});
