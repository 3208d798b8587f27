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
  return { slots: all.slice(booked.length), booked: all.slice(-Math.max(...rules.map((rule) => rule.count))) };
}
