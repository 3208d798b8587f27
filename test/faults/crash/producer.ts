import { request } from 'node:http';
import { ADMIN_TOKEN } from '../../support/server-process.ts';

/** A call on its way. */
export interface Post {
  /** Resolves when the request has left this process. */
  begun: Promise<void>;
  /** Whether it was answered 200; false where no answer came. Rejects at any other answer. */
  answered: Promise<boolean>;
  /** Whether neither is known yet. */
  isOpen(): boolean;
}

/** A producer that posts events in batches until each was answered, those without answer again under the same ids. */
export interface Producer {
  /** Ids that were answered 200. */
  readonly accepted: ReadonlySet<string>;
  /** Events that were never posted. */
  left(): number;
  /** Posts what was not answered before, or else up to `count` new events. */
  post(url: string, count: number): Post;
  /** Posts one batch after another until `count` events were answered, nothing is left, or no answer comes. */
  feed(url: string, count: number, batchSize: () => number): Promise<void>;
}

/** Produces events of these ids, in their order. */
export function createProducer(ids: readonly string[]): Producer {
  const accepted = new Set<string>();
  const again: (readonly string[])[] = [];
  let next = 0;

  function takeBatch(count: number): readonly string[] {
    const unanswered = again.shift();
    if (unanswered !== undefined) return unanswered;
    const batch = ids.slice(next, next + count);
    next += batch.length;
    return batch;
  }

  function post(url: string, count: number): Post {
    const batch = takeBatch(count);
    const { begun, answered } = send(`${url}/v1/events?project=shop`, batch.map(eventOf));
    let isOpen = true;
    const done = answered.then((isAnswered) => {
      isOpen = false;
      if (isAnswered) for (const id of batch) accepted.add(id);
      else again.push(batch);
      return isAnswered;
    });
    return { begun, answered: done, isOpen: () => isOpen };
  }

  return {
    accepted,
    left: () => ids.length - next,
    post,
    feed: async (url, count, batchSize) => {
      const goal = accepted.size + count;
      while (accepted.size < goal && (next < ids.length || again.length > 0)) {
        if (!(await post(url, batchSize()).answered)) return;
      }
    },
  };
}

function eventOf(id: string): Record<string, unknown> {
  return { id, trigger: 'task.failed', taskId: `task of ${id}`, taskName: 'billing.run', queue: 'default', exception: 'ValueError: nothing to bill' };
}

/** One request on a connection of its own: it is never sent twice by a client that means well. */
function send(url: string, events: readonly unknown[]): Pick<Post, 'begun' | 'answered'> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` };
  const call = request(url, { method: 'POST', headers, agent: false });
  const begun = new Promise<void>((resolve) => {
    call.once('finish', resolve);
    call.once('close', resolve);
  });
  const answered = new Promise<boolean>((resolve, reject) => {
    call.once('error', () => resolve(false));
    call.once('response', (response) => {
      const text: string[] = [];
      response.setEncoding('utf8').on('data', (part: string) => text.push(part));
      response.once('error', () => resolve(false));
      response.once('end', () => {
        if (response.statusCode === 200) resolve(true);
        else reject(new Error(`${String(response.statusCode)} ${text.join('')}`));
      });
    });
  });
  call.end(JSON.stringify(events));
  return { begun, answered };
}
