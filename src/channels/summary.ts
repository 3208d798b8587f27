import { eventHeading, suppressedText } from '../domain/message.ts';
import type { DeliveryMessage } from './message.ts';

/** What a chat message says, in the order in which it is read. All of it is cleaned, nothing is escaped or cut: how is the format's affair. */
export interface Summary {
  /** Tells good from bad before a word is read. */
  mark: string;
  /** The same as `#rrggbb`. */
  color: string;
  /** `Task failed`: our own words. */
  title: string;
  /** `billing.run`: the event's. One line. */
  subject: string;
  /** What else there is to know; labels are our own words, values one line each, none of them the subject again. */
  facts: readonly Fact[];
  /** `+37 similar since 12:04 UTC`. */
  suppressed: string | null;
  /** May have several lines. */
  exception: string | null;
  /** Where a person reads on: http or https, at most 2,000 characters. */
  url: string | null;
  /** `task.failed`, `z4j.test`. */
  trigger: string;
  /** `2026-11-24 12:00:00 UTC`. */
  time: string;
}

export interface Fact {
  label: string;
  value: string;
}

/** What the link of every message is called. */
export const LINK_LABEL = 'Open in the dashboard';

/** What chat messages have in common. Pure: the same message gives the same summary. */
export function summarize(message: DeliveryMessage): Summary {
  const { eventId, trigger, suppressedCount, suppressedSinceMs, timestampMs } = message;
  const { title, subject: name } = eventHeading({ ...message, id: eventId });
  const subject = cleanLine(name) || '–';
  const suppressed = suppressedSinceMs === null ? null : { count: suppressedCount, since: suppressedSinceMs };
  return {
    ...TONES[trigger],
    title,
    subject,
    facts: factsOf(message).filter(({ value }) => value !== '' && value !== subject),
    suppressed: suppressedText(suppressed, timestampMs),
    exception: cleanBlock(message.exception ?? '') || null,
    url: linkOf(message.url),
    trigger,
    time: `${new Date(timestampMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`,
  };
}

/** `text` as one line: white space and line breaks as single spaces, and clean as a block is. */
export function cleanLine(text: string): string {
  return cleanBlock(text.replaceAll(/\s+/g, ' '));
}

/**
 * `text` without what no reader sees as it is: lone surrogates and control characters but line feed and tab as U+FFFD; nothing that turns the direction of
 * what follows (https://www.unicode.org/reports/tr9/#Explicit_Directional_Embeddings); no white space around.
 */
export function cleanBlock(text: string): string {
  return text.toWellFormed().replaceAll('\r\n', '\n').replaceAll(DIRECTIONS, '').replaceAll(CONTROLS, '\ufffd').trim();
}

/**
 * `text` encoded, in at most `unitsMax` (at least 1) UTF-16 units: cut on a code-point boundary, with "…" where something was cut. `encode` works character by
 * character; `measure` says what counts of the encoded text, all of it by default.
 */
export function cutTo(
  text: string,
  unitsMax: number,
  encode: (text: string) => string,
  measure: (char: string) => number = (char) => encode(char).length,
): string {
  let used = 0;
  let at = 0;
  let keep = 0;
  for (const char of text) {
    used += measure(char);
    if (used > unitsMax) return `${encode(text.slice(0, keep))}…`;
    at += char.length;
    if (used < unitsMax) keep = at;
  }
  return encode(text);
}

/** Breaks up, without a visible sign, what providers make mentions and links of by themselves: "@" and "/" are followed by a zero-width space. */
export function defuse(text: string): string {
  return text.replaceAll(/[@/]/g, '$&\u200b');
}

/** As long as the strictest provider (Discord, 2,048) takes a link. */
const URL_CHARS_MAX = 2_000;

const BAD = { mark: '🔴', color: '#d93025' };
const GOOD = { mark: '🟢', color: '#1e8e3e' };
const TONES: Record<DeliveryMessage['trigger'], Pick<Summary, 'mark' | 'color'>> = {
  'task.failed': BAD,
  'task.succeeded': GOOD,
  'task.retried': { mark: '🟡', color: '#f9ab00' },
  'task.slow': { mark: '🟠', color: '#e8710a' },
  'agent.offline': BAD,
  'agent.online': GOOD,
  'z4j.test': { mark: '🔵', color: '#1a73e8' },
};

/** Marks, embeddings, overrides and isolates: left open, they turn our own words too. */
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const CONTROLS = /(?![\n\t])\p{Cc}/gu;

function factsOf({ projectSlug, taskId, queue, agent, runtimeMs }: DeliveryMessage): Fact[] {
  const values: [string, string | null][] = [
    ['Project', projectSlug],
    ['Task ID', taskId],
    ['Queue', queue],
    ['Agent', agent],
    ['Runtime', runtimeMs === null ? null : durationText(runtimeMs)],
  ];
  return values.map(([label, value]) => ({ label, value: cleanLine(value ?? '') }));
}

function durationText(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${(ms / 1_000).toFixed(1)} s`;
  return seconds < 3_600 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

/** A link that is too long is left out: what is left of a cut one leads elsewhere. */
function linkOf(text: string | null): string | null {
  const url = text === null ? null : URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return null;
  const href = url.href.replaceAll('|', '%7C');
  return href.length <= URL_CHARS_MAX ? href : null;
}
