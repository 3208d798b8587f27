/** Milliseconds from a JSON number or a header of seconds, which may have decimals; null where it is neither or negative. */
export function secondsToMs(seconds: unknown): number | null {
  const value = typeof seconds === 'string' && SECONDS.test(seconds) ? Number(seconds) : seconds;
  return typeof value === 'number' && value >= 0 ? value * 1_000 : null;
}

const SECONDS = /^\d+(?:\.\d+)?$/;
