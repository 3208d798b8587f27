import { cutBytes, toStorable } from '../lib/text.ts';
import type { AnsweredRecipients, Outcome } from './outcome.ts';
import type { MailReply, MailStep } from './ports.ts';

/**
 * What the replies of an attempt mean for its delivery (spec 5): 4xx is tried again, for those recipients alone; it is delivered when every one of
 * `recipients` has the mail, and has failed when one was refused and no one is left to try. Texts are cleared of secrets already. `answered`: by the attempts before.
 */
export function outcomeOfMail(recipients: readonly string[], answered: AnsweredRecipients, replies: readonly MailReply[]): Outcome {
  const open = replies.filter(isDeferred);
  const known = { ...answered, ...Object.fromEntries(replies.filter((reply) => !isDeferred(reply)).map(({ recipient, code }) => [recipient, code])) };
  const refused = recipients.filter((recipient) => !isAccepted(known[recipient] ?? ACCEPTED));
  const worst = open[0] ?? replies.find(({ code }) => !isAccepted(code));
  const said = {
    statusCode: worst?.code ?? known[refused[0] ?? ''] ?? null,
    error: cutBytes(toStorable(errorOf(worst, replies, refused, known)), ERROR_BYTES_MAX),
    responseBody: bodyOf(replies),
    recipients: known,
  };
  if (open.length > 0) return { outcome: 'RETRY', reason: 'DEFERRED', ...said, retryAfterMs: null, unreachable: false };
  if (refused.length === 0) return { outcome: 'DELIVERED', statusCode: replies.at(-1)?.code ?? ACCEPTED, recipients: known };
  return { outcome: 'FAILED', reason: failedReasonOf(worst), ...said, gone: false };
}

const ACCEPTED = 250;
/** As much as the names of fifty recipients may take. */
const ERROR_BYTES_MAX = 2_048;
const BODY_BYTES_MAX = 2_048;

function isAccepted(code: number): boolean {
  return code >= 200 && code <= 299;
}

function isDeferred({ code }: MailReply): boolean {
  return code >= 400 && code <= 499;
}

function failedReasonOf(reply: MailReply | undefined): 'CREDENTIALS_REFUSED' | 'UNEXPECTED_REPLY' | 'REJECTED' {
  if (reply !== undefined && reply.code < 400) return 'UNEXPECTED_REPLY';
  return reply?.step === 'AUTH' ? 'CREDENTIALS_REFUSED' : 'REJECTED';
}

/** What a user can do something about; the rest is the server's own text. */
const STEP_NOTES: Record<MailStep, string> = {
  GREETING: ' when it was connected to',
  EHLO: ' to EHLO',
  STARTTLS: ' to STARTTLS, without which nothing is sent',
  AUTH: ' to the credentials',
  MAIL: ' to the sender',
  RCPT: '',
  DATA: ' to the mail',
  MESSAGE: ' to the mail',
};

function errorOf(worst: MailReply | undefined, replies: readonly MailReply[], refused: readonly string[], known: AnsweredRecipients): string {
  const answer = worst === undefined ? '' : `the mail server answered with ${worst.code}${STEP_NOTES[worst.step]}`;
  if (worst !== undefined && isOfAll(worst, replies, refused)) return answer;
  const waiting = replies.filter(isDeferred).map(({ recipient, code }) => `${recipient} (${code})`);
  const final = refused.map((recipient) => `${recipient} (${known[recipient] ?? ''})`);
  return [answer, waiting.length > 0 ? `not taken yet: ${waiting.join(', ')}` : '', final.length > 0 ? `refused: ${final.join(', ')}` : '']
    .filter((part) => part !== '')
    .join('; ');
}

/** Whether one reply met all who are left: then there is nobody to tell apart. */
function isOfAll({ step }: MailReply, replies: readonly MailReply[], refused: readonly string[]): boolean {
  const met = new Set(replies.filter((reply) => reply.step === step).map(({ recipient }) => recipient));
  return step !== 'RCPT' && met.size === replies.length && refused.every((recipient) => met.has(recipient));
}

/** Each different answer once, those of whoever has the mail left out. */
function bodyOf(replies: readonly MailReply[]): string | null {
  const texts = [...new Set(replies.filter(({ code }) => !isAccepted(code)).map(({ text }) => text))];
  return texts.length === 0 ? null : cutBytes(toStorable(texts.join('\n')), BODY_BYTES_MAX);
}
