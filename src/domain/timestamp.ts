/** 0001-01-01T00:00:00Z, the first instant that RFC 3339 and PostgreSQL's timestamptz both write without a sign. */
const FIRST_INSTANT_MS = -62_135_596_800_000;

const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(\.\d{1,30})?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

/**
 * Epoch milliseconds of an RFC 3339 date-time, finer fractions dropped; null where the text is none, names a day or an hour
 * that does not exist, lies before year 1 of UTC, or lacks its offset. A leap second counts as the second after it.
 */
export function parseTimestamp(text: string): number | null {
  const match = RFC_3339.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const offsetHour = Number(match[9] ?? 0);
  const offsetMinute = Number(match[10] ?? 0);
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  const offsetMs = (match[8] === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute) * 60_000;
  const fractionMs = Number((match[7] ?? '').slice(1, 4).padEnd(3, '0'));
  return knownInstant(date.getTime() + (hour * 60 + minute) * 60_000 + second * 1000 + fractionMs - offsetMs);
}

/** `ms` where it is an instant of year 1 or later, else null. */
export function knownInstant(ms: number): number | null {
  return ms >= FIRST_INSTANT_MS ? ms : null;
}
