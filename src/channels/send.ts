import { outcomeOfMail } from '../domain/mail-outcome.ts';
import { type AnsweredRecipients, type Outcome, outcomeOfFailure, outcomeOfReply, readRetryAfter } from '../domain/outcome.ts';
import type { HttpPort, MailPort } from '../domain/ports.ts';
import type { Clock } from '../lib/clock.ts';
import type { CompiledChannel, HttpChannel, MailChannel } from './channel.ts';
import type { DeliveryMessage } from './message.ts';

interface SenderDeps {
  http: HttpPort;
  mail: MailPort;
  clock: Clock;
  /** Tocsin's own, for User-Agent. */
  version: string;
}

/**
 * Makes one attempt of a delivery. Whatever the network or the receiver does is an outcome; what is thrown is a bug. `answered`: of a mail, who was answered
 * for good by attempts before; they are not sent to.
 */
export type Send = (channel: CompiledChannel, message: DeliveryMessage, answered?: AnsweredRecipients) => Promise<Outcome>;

/** The one way in which channels of every kind send. The outcome's texts are cleared of the channel's secrets before they are cut. */
export function createSend({ http, mail, clock, version }: SenderDeps): Send {
  const userAgent = `tocsin/${version}`;

  async function post(channel: HttpChannel, message: DeliveryMessage): Promise<Outcome> {
    const request = channel.build(message, clock.now());
    const result = await http.post({ ...request, headers: { 'user-agent': userAgent, ...request.headers } });
    if (!result.ok) return outcomeOfFailure(result.failure, channel.redact(result.message));
    const { status, headers, body } = result.reply;
    const nowMs = clock.now();
    const reading = channel.readReply(result.reply, nowMs);
    if (reading.isDelivered) return { outcome: 'DELIVERED', statusCode: status };
    const retryAfterMs = reading.retryAfterMs ?? readRetryAfter(headers['retry-after'], nowMs);
    return outcomeOfReply({ status, isDelivered: false, body: channel.redact(body), retryAfterMs });
  }

  async function sendMail(channel: MailChannel, message: DeliveryMessage, answered: AnsweredRecipients): Promise<Outcome> {
    const composed = channel.compose(message, clock.now());
    const recipients = composed.recipients.filter((recipient) => answered[recipient] === undefined);
    if (recipients.length === 0) return outcomeOfMail(composed.recipients, answered, []);
    const result = await mail.send({ ...composed, recipients });
    if (!result.ok) return outcomeOfFailure(result.failure, channel.redact(result.message));
    const replies = result.replies.map((reply) => ({ ...reply, text: channel.redact(reply.text) }));
    return outcomeOfMail(composed.recipients, answered, replies);
  }

  return (channel, message, answered = {}) => (channel.via === 'HTTP' ? post(channel, message) : sendMail(channel, message, answered));
}
