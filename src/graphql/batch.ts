/**
 * Makes a function of one key from one of many: the keys asked for in the same turn go together. Nothing is kept afterwards, since the context of a
 * subscription lives as long as its socket. A key without a row gives null.
 */
export function createBatch<Row>(loadMany: (keys: string[]) => Promise<Map<string, Row>>): (key: string) => Promise<Row | null> {
  let pending: Map<string, Waiting<Row>> | null = null;

  async function flush(waiting: Map<string, Waiting<Row>>): Promise<void> {
    try {
      const rows = await loadMany([...waiting.keys()]);
      for (const [key, { resolve }] of waiting) resolve(rows.get(key) ?? null);
    } catch (error) {
      for (const { reject } of waiting.values()) reject(error);
    }
  }

  return (key) => {
    if (pending === null) {
      const waiting = new Map<string, Waiting<Row>>();
      pending = waiting;
      afterThisTurn(() => {
        pending = null;
        void flush(waiting);
      });
    }
    const known = pending.get(key);
    if (known !== undefined) return known.promise;
    const waiting = Promise.withResolvers<Row | null>();
    pending.set(key, waiting);
    return waiting.promise;
  };
}

/** Calls `run` when all resolvers that can go on now have done so: after the promise jobs that are queued, and those that they queue. */
export function afterThisTurn(run: () => void): void {
  void Promise.resolve().then(() => {
    process.nextTick(run);
  });
}

type Waiting<Row> = PromiseWithResolvers<Row | null>;
