import type { HttpReply } from '../domain/ports.ts';
import { asRecord, parseJson } from '../lib/json.ts';
import { defineChannel, type ReplyReading } from './channel.ts';
import type { DeliveryMessage } from './message.ts';
import { secondsToMs } from './retry-dialect.ts';
import { cutTo, LINK_LABEL, summarize } from './summary.ts';

/** A message to a Telegram chat by a bot (https://core.telegram.org/bots/api#sendmessage). The bot's token is part of the URL: it is never shown. */
export const telegram = defineChannel({
  kind: 'telegram',
  typeName: 'Telegram',
  title: 'Telegram',
  docsUrl: 'https://core.telegram.org/bots/api#sendmessage',
  fields: {
    botToken: {
      kind: 'SECRET',
      label: 'Bot token',
      required: true,
      pattern: '\\d+:[A-Za-z0-9_-]+',
      hint: 'From @BotFather: a number, a colon and a secret.',
      disguises: tokenSecrets,
    },
    chatId: {
      kind: 'TEXT',
      label: 'Chat',
      required: true,
      maxLength: 100,
      pattern: '-?\\d+|@[A-Za-z0-9_]+',
      hint: 'The number of a chat (of a group it is negative), or the @name of a public channel.',
    },
  },
  targets: [],
  destination: ({ botToken, chatId }) => ({ at: `${botToken} ${chatId}`, pace: chatId.startsWith('-') ? 'TELEGRAM_GROUP' : 'TELEGRAM_CHAT' }),
  // Whether a 200 is one is said in its body.
  delivered: [],
  prepare: ({ botToken, chatId }) => ({ url: `https://api.telegram.org/bot${botToken}/sendMessage`, chatId }),
  build: (message, { url, chatId }) => ({ url, body: telegramBody(message, chatId), headers: { 'content-type': 'application/json' } }),
  readReply,
});

/** https://core.telegram.org/bots/api#sendmessage: after entities parsing; Telegram counts UTF-16 units. */
const TEXT_UNITS_MAX = 4_096;
/** Ours: a headline and its facts are read at a glance. */
const SUBJECT_UNITS_MAX = 300;
const VALUE_UNITS_MAX = 200;

/**
 * All that the event says stands in `code` or `pre`, in which Telegram finds no mention, link, hashtag or command (https://core.telegram.org/bots/api#formatting-options:
 * they contain no other entities); outside of them it would: "billing.run" is a domain to it.
 */
function telegramBody(message: DeliveryMessage, chatId: string): string {
  const { mark, title, subject, facts, suppressed, exception, url, trigger, time } = summarize(message);
  const lines: Line[] = [
    { own: `${mark} <b>${title}:</b> `, value: cutTo(subject, SUBJECT_UNITS_MAX, same) },
    ...facts.map(({ label, value }) => ({ own: `${label}: `, value: cutTo(value, VALUE_UNITS_MAX, same) })),
    ...(suppressed === null ? [] : [{ own: '', value: suppressed }]),
    { own: '', value: `${trigger} · ${time}` },
  ];
  const head = lines.map(({ own, value }) => `${own}<code>${escapeHtml(value)}</code>`).join('\n');
  const link = url === null ? '' : `\n<a href="${escapeHtml(url)}">${LINK_LABEL}</a>`;
  // Our own tags do not count, but the few units that they take are not missed either.
  const used = lines.reduce((sum, { own, value }) => sum + own.length + value.length + 1, 0) + LINK_LABEL.length + 1;
  const block = exception === null ? '' : `\n<pre>${cutTo(exception, TEXT_UNITS_MAX - used, escapeHtml, (char) => char.length)}</pre>`;
  return JSON.stringify({ chat_id: chatId, text: `${head}${link}${block}`, parse_mode: 'HTML', link_preview_options: { is_disabled: true } });
}

interface Line {
  own: string;
  value: string;
}

function same(text: string): string {
  return text;
}

/** https://core.telegram.org/bots/api#html-style */
function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** https://core.telegram.org/bots/api#making-requests, and ResponseParameters of a 429. */
function readReply({ status, headers, body }: HttpReply): ReplyReading {
  const json = parseJson(body);
  const { ok, parameters } = asRecord(json);
  const isCut = json === undefined && STARTS_OK.test(body);
  const isUnread = (headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity';
  const retryAfterMs = secondsToMs(asRecord(parameters)['retry_after']);
  return { isDelivered: status === 200 && (ok === true || isCut || isUnread), ...(retryAfterMs === null ? {} : { retryAfterMs }) };
}

/** How a reply that was cut begins: Telegram sends the message back, which may be more than is kept of a reply. */
const STARTS_OK = /^\s*\{\s*"ok"\s*:\s*true\s*,/;

/** What comes after the colon is the secret; the number before it is the bot's public id. */
function tokenSecrets(token: string): string[] {
  const secret = token.slice(token.indexOf(':') + 1);
  return secret.length >= SECRET_CHARS_MIN ? [secret] : [];
}

/** Shorter ones would mask what is no secret; Telegram's have 35 characters. */
const SECRET_CHARS_MIN = 8;
