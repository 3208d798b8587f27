import { StringDecoder } from 'node:string_decoder';
import type { Dispatcher } from 'undici';
import type { HttpReply, SendResult } from '../domain/ports.ts';
import type { Clock } from '../lib/clock.ts';
import { EgressError, NO_ANSWER_IN_TIME, toSendFailure } from './egress-error.ts';

interface ExchangeLimits {
  totalMs: number;
  bodyBytesMax: number;
  /** A longer body than this is not read to its end to save the connection. */
  drainBytesMax: number;
  /** 1xx answers before the real one. */
  informationalMax: number;
}

interface HttpExchange {
  /** For undici's dispatch(). */
  handler: Dispatcher.DispatchHandler;
  isSettled(): boolean;
  /** Ends it without a status. */
  fail(result: SendResult): void;
}

/**
 * One request's answer, from now on within `totalMs`. It is settled by the first of: body's end, `bodyBytesMax` of body, time. Once there is a status
 * it counts, whatever becomes of the body: the receiver has the request, and sending it again would be twice.
 */
export function createHttpExchange(limits: ExchangeLimits, clock: Clock, settle: (result: SendResult) => void): HttpExchange {
  let controller: Dispatcher.DispatchController | null = null;
  let reply: HttpReply | null = null;
  let informational = 0;
  let chunks: Buffer[] = [];
  let seenBytes = 0;
  let isSettled = false;

  const cancelTimer = clock.after(limits.totalMs, () => {
    end(new EgressError('TIMEOUT', NO_ANSWER_IN_TIME));
    controller?.abort(CUT);
  });

  function end(error: unknown): void {
    if (isSettled) return;
    isSettled = true;
    settle(reply === null ? toSendFailure(error) : { ok: true, reply: { ...reply, body: decodeBody(chunks, limits.bodyBytesMax) } });
    chunks = [];
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      if (isSettled) started.abort(CUT);
    },

    onResponseStart(started, status, headers) {
      if (status < 200) {
        informational += 1;
        if (informational > limits.informationalMax) started.abort(new EgressError('PROTOCOL', 'the answer is not valid HTTP'));
        return;
      }
      reply = { status, headers: joinHeaders(headers), body: '' };
      // Not unpacked: a few bytes may stand for gigabytes. What a provider needs is asked for with identity.
      if ((reply.headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') end(null);
    },

    onResponseData(started, chunk) {
      seenBytes += chunk.length;
      if (!isSettled) {
        chunks.push(chunk);
        if (seenBytes >= limits.bodyBytesMax) end(null);
      }
      if (seenBytes > limits.drainBytesMax) started.abort(CUT);
    },

    onResponseEnd() {
      cancelTimer();
      end(null);
    },

    onResponseError(_started, error) {
      cancelTimer();
      end(error);
    },
  };

  return {
    handler,
    isSettled: () => isSettled,
    fail: (result) => {
      cancelTimer();
      isSettled = true;
      settle(result);
    },
  };
}

/** The reason of an abort that nobody reads: the exchange is settled. */
const CUT = new EgressError('PROTOCOL', 'cut');

/** As UTF-8; what a cut leaves of a last character is dropped. */
function decodeBody(chunks: readonly Buffer[], bytesMax: number): string {
  if (chunks.length === 0) return '';
  const all = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  return all.length < bytesMax ? all.toString('utf8') : new StringDecoder('utf8').write(all.subarray(0, bytesMax));
}

function joinHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  // Names come from the receiver: `__proto__` is one like others.
  const joined: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value !== undefined) joined[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return joined;
}
