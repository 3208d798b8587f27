import { type Outcome, outcomeOfFailure, outcomeOfReply, readRetryAfter } from '../domain/outcome.ts';
import type { HttpPort } from '../domain/ports.ts';
import type { Clock } from '../lib/clock.ts';
import type { CompiledChannel } from './channel.ts';
import type { DeliveryMessage } from './message.ts';

interface SenderDeps {
  http: HttpPort;
  clock: Clock;
  /** Tocsin's own, for User-Agent. */
  version: string;
}

/** Makes one attempt of a delivery. Whatever the network or the receiver does is an outcome; what is thrown is a bug. */
export type Send = (channel: CompiledChannel, message: DeliveryMessage) => Promise<Outcome>;

/** The one way in which channels of every HTTP kind send. The outcome's texts are cleared of the channel's secrets before they are cut. */
export function createSend({ http, clock, version }: SenderDeps): Send {
  const userAgent = `tocsin/${version}`;

  return async function send(channel, message) {
    const request = channel.build(message, clock.now());
    const result = await http.post({ ...request, headers: { 'user-agent': userAgent, ...request.headers } });
    if (!result.ok) return outcomeOfFailure(result.failure, channel.redact(result.message));
    const { status, headers, body } = result.reply;
    const nowMs = clock.now();
    const reading = channel.readReply(result.reply, nowMs);
    if (reading.isDelivered) return { outcome: 'DELIVERED', statusCode: status };
    const retryAfterMs = reading.retryAfterMs ?? readRetryAfter(headers['retry-after'], nowMs);
    return outcomeOfReply({ status, isDelivered: false, body: channel.redact(body), retryAfterMs });
  };
}
