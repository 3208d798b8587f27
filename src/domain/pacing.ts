/** At most `count` sends within any `perMs`. */
interface PaceRule {
  count: number;
  perMs: number;
}

/** How fast destinations may be sent to (spec 5). Slack: https://docs.slack.dev/apis/web-api/rate-limits; Telegram: https://core.telegram.org/bots/faq. */
export const PACES = {
  SLACK: [{ count: 1, perMs: 1_000 }],
  TELEGRAM_CHAT: [{ count: 1, perMs: 1_000 }],
  TELEGRAM_GROUP: [
    { count: 1, perMs: 1_000 },
    { count: 20, perMs: 60_000 },
  ],
  DISCORD: [{ count: 5, perMs: 2_000 }],
} as const satisfies Record<string, readonly PaceRule[]>;

export type Pace = keyof typeof PACES;

/** What a channel sends to, where that is paced: channels of one destination share its slots. */
export interface Destination {
  /** Tells destinations apart without telling what they are. */
  key: string;
  pace: Pace;
}

/** A send may be a little late, and the next one on time: what the provider sees must still be within its rule. */
const MARGIN = 1.03;

/**
 * Books `count` slots, none before `earliestMs`, after those that are booked (epoch milliseconds, oldest first). Gives them, and what must be remembered of
 * the bookings for the next time.
 */
export function bookSlots(pace: Pace, booked: readonly number[], earliestMs: number, count: number): { slots: number[]; booked: number[] } {
  const rules: readonly PaceRule[] = PACES[pace];
  const all = [...booked];
  for (let left = count; left > 0; left -= 1) {
    const bounds = rules.map((rule) => (all.at(-rule.count) ?? Number.NEGATIVE_INFINITY) + rule.perMs * MARGIN);
    all.push(Math.ceil(Math.max(earliestMs, all.at(-1) ?? 0, ...bounds)));
  }
  return { slots: all.slice(booked.length), booked: lately(pace, all) };
}

/** As many of the last bookings as the rules look back. */
function lately(pace: Pace, booked: readonly number[]): number[] {
  return booked.slice(-Math.max(...PACES[pace].map((rule) => rule.count)));
}

/** Slots are booked so far ahead: what is cancelled leaves no more than this unused. */
const HORIZON_MS = 30_000;
/** Whoever waits for a slot to come near asks again within this time. */
const ASK_AGAIN_MS = 120_000;

/** What is known of a destination, in epoch milliseconds. `expected`: when the last asks again of those that have no slot yet. */
export interface Bookings {
  booked: number[];
  expected: number;
}

/**
 * Gives `count` that want to be sent a time each, none before `earliestMs`: slots while they are near, and beyond that when to ask again, in turn at the pace
 * at which slots come near.
 */
export function bookNear(
  pace: Pace,
  known: Bookings,
  { nowMs, earliestMs, count }: { nowMs: number; earliestMs: number; count: number },
): Bookings & { times: { at: number; isBooked: boolean }[] } {
  const near = bookSlots(pace, known.booked, earliestMs, count).slots.filter((at) => at <= nowMs + HORIZON_MS);
  const rules: readonly PaceRule[] = PACES[pace];
  const stepMs = Math.max(...rules.map((rule) => (rule.perMs / rule.count) * MARGIN));
  const from = Math.max(earliestMs, nowMs + HORIZON_MS, known.expected);
  const far = Array.from({ length: count - near.length }, (_, index) =>
    Math.ceil(Math.min(from + (index + 1) * stepMs, Math.max(earliestMs, nowMs) + ASK_AGAIN_MS)),
  );
  const times = [...near.map((at) => ({ at, isBooked: true })), ...far.map((at) => ({ at, isBooked: false }))];
  return { times, booked: lately(pace, [...known.booked, ...near]), expected: far.at(-1) ?? known.expected };
}
