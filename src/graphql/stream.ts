/**
 * An async generator that can be stopped while it waits: `return` aborts the signal that its source was opened with. A plain async generator answers
 * `return` only when it next yields, which for a quiet stream is never.
 */
export function stoppable<T>(open: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  const controller = new AbortController();
  const source = open(controller.signal);
  return {
    next: () => source.next(),
    return: () => {
      controller.abort();
      return source.return();
    },
    throw: (error: unknown) => {
      controller.abort();
      return source.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: async () => {
      controller.abort();
      await source.return();
    },
  };
}
