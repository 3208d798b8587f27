import type { Mail } from '../domain/ports.ts';
import type { DeliveryMessage } from './message.ts';
import { cleanBlock, cutTo, LINK_LABEL, type Summary, summarize } from './summary.ts';

/** UTF-16 units. A subject's end is the project: it is the name in the middle that is cut. */
const SUBJECT_NAME_MAX = 120;
const HEADING_NAME_MAX = 500;
const EXCEPTION_MAX = 4_000;
const TRACEBACK_MAX = 20_000;

/** Subject, text and HTML of a mail, the two saying the same. */
export function mailTexts(message: DeliveryMessage): Pick<Mail, 'subject' | 'text' | 'html'> {
  const summary = summarize(message);
  const traceback = cleanBlock(message.traceback ?? '') || null;
  const project = message.projectSlug === null ? '' : ` (${message.projectSlug})`;
  return {
    subject: `[tocsin] ${summary.title}: ${cutTo(summary.subject, SUBJECT_NAME_MAX, plain)}${project}`,
    text: textOf(summary, traceback),
    html: htmlOf(summary, traceback),
  };
}

function plain(text: string): string {
  return text;
}

/** Blocks with an empty line between them; what is not there is left out. */
function textOf(summary: Summary, traceback: string | null): string {
  const { title, subject, facts, suppressed, exception, url, time } = summary;
  const blocks = [
    `${title}: ${cutTo(subject, HEADING_NAME_MAX, plain)}`,
    suppressed,
    exception === null ? null : cutTo(exception, EXCEPTION_MAX, plain),
    url === null ? null : `${LINK_LABEL}: ${url}`,
    [...facts.map(({ label, value }) => `${label}: ${cutTo(value, HEADING_NAME_MAX, plain)}`), `Time: ${time}`].join('\n'),
    traceback === null ? null : cutTo(traceback, TRACEBACK_MAX, plain),
  ];
  return `${blocks.filter((block) => block !== null).join('\n\n')}\n`;
}

/** Styles stand in the elements, for that is what mail readers take. Nothing is loaded from anywhere. */
function htmlOf(summary: Summary, traceback: string | null): string {
  const { title, subject, facts, suppressed, exception, url, time, color } = summary;
  const rows = [...facts, { label: 'Time', value: time }].map(({ label, value }) => `<br>${label}: <b>${cutTo(value, HEADING_NAME_MAX, escapeHtml)}</b>`);
  const blocks = [
    `<h1 style="margin:0 0 12px;font-size:20px;color:${color}">${title}: ${cutTo(subject, HEADING_NAME_MAX, escapeHtml)}</h1>`,
    suppressed === null ? null : `<p>${escapeHtml(suppressed)}</p>`,
    exception === null ? null : preOf(cutTo(exception, EXCEPTION_MAX, escapeHtml), 14),
    url === null ? null : `<p><a href="${escapeHtml(url)}">${LINK_LABEL}</a></p>`,
    `<p style="color:#5f6368">${rows.join('').replace('<br>', '')}</p>`,
    traceback === null ? null : preOf(cutTo(traceback, TRACEBACK_MAX, escapeHtml), 12),
  ];
  return `${HEAD}${blocks.filter((block) => block !== null).join('\n')}\n</body></html>\n`;
}

const HEAD = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body style="margin:16px;font:16px/1.4 sans-serif;overflow-wrap:anywhere">
`;

function preOf(escaped: string, fontPx: number): string {
  return `<pre style="margin:0 0 12px;padding:8px;background:#f1f3f4;font:${fontPx}px/1.4 monospace;white-space:pre-wrap;overflow-wrap:anywhere">${escaped}</pre>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? '');
}
