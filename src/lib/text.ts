/** Length of `text` in UTF-8 bytes. */
export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/** Whether `text` has a NUL or a lone surrogate, which PostgreSQL's text and JSON cannot hold. */
export function hasUnstorable(text: string): boolean {
  return text.includes('\0') || !text.isWellFormed();
}

/** `text` with every NUL and lone surrogate as U+FFFD. */
export function toStorable(text: string): string {
  return hasUnstorable(text) ? text.toWellFormed().replaceAll('\0', '\ufffd') : text;
}

/** `text` cut to at most `bytesMax` UTF-8 bytes on a code-point boundary, ending in "…" where something was cut. */
export function cutBytes(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax || utf8Bytes(text) <= bytesMax) return text;
  const room = bytesMax - 3;
  const bytes = Buffer.from(text, 'utf8');
  let end = room;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.toString('utf8', 0, end)}…`;
}
