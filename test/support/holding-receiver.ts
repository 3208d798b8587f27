import type { ServerResponse } from 'node:http';
import { accept, openReceiver } from './receiver.ts';

/** One request that came whole, and what became of it. Times are epoch milliseconds. */
export interface HeldRequest {
  /** The path that it was posted to: tells channels apart. */
  path: string;
  webhookId: string;
  eventId: string;
  at: number;
  /** Null while, or where for ever, the sender got no answer. */
  answeredAt: number | null;
}

/** Webhook receivers of one test, each a path of one server in this process. They answer at once, or when they are let. */
export interface HoldingReceiver {
  readonly url: string;
  /** In the order in which they came. */
  readonly requests: readonly HeldRequest[];
  /** Answers nothing from now on: sends stay open. */
  hold(): void;
  /** Answers what is held, and from now on at once. */
  release(): void;
  /** Sends that are held open now. */
  held(): number;
  close(): Promise<void>;
}

/** Starts receivers on a free port. */
export async function openHoldingReceiver(): Promise<HoldingReceiver> {
  const requests: HeldRequest[] = [];
  const held = new Map<ServerResponse, HeldRequest>();
  let isHolding = false;

  function answer(res: ServerResponse, request: HeldRequest): void {
    held.delete(res);
    res.once('finish', () => {
      request.answeredAt = Date.now();
    });
    accept(res);
  }

  const receiver = await openReceiver((res, { path, headers, body }) => {
    const { event_id: eventId } = JSON.parse(body) as { event_id: string };
    const request = { path, webhookId: String(headers['webhook-id']), eventId, at: Date.now(), answeredAt: null };
    requests.push(request);
    if (!isHolding) {
      answer(res, request);
      return;
    }
    held.set(res, request);
    res.once('close', () => held.delete(res));
  });

  return {
    url: receiver.url,
    requests,
    hold: () => {
      isHolding = true;
    },
    release: () => {
      isHolding = false;
      for (const [res, request] of held) answer(res, request);
    },
    held: () => held.size,
    close: receiver.close,
  };
}
