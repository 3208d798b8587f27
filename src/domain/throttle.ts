/** At most `max` times in any `windowMs`. */
export interface Limit {
  max: number;
  windowMs: number;
}

export type Admission = { ok: true; hits: number[] } | { ok: false; retryAfterMs: number };

/**
 * Whether one more may happen at `nowMs`, where it happened at `hits` before (epoch milliseconds, in any order, of replicas whose clocks may differ): with what
 * is to be remembered then, or how long to wait, at most the window. The window slides, so that no two minutes' worth come together at the turn of a minute.
 */
export function admit(hits: readonly number[], { max, windowMs }: Limit, nowMs: number): Admission {
  const recent = hits.filter((at) => at > nowMs - windowMs).sort((a, b) => a - b);
  const blocking = recent.at(-max);
  if (recent.length < max || blocking === undefined) return { ok: true, hits: [...recent, nowMs] };
  return { ok: false, retryAfterMs: Math.min(blocking + windowMs - nowMs, windowMs) };
}
