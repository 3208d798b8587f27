import { readRetryAfter } from '../domain/outcome.ts';
import type { HttpReply } from '../domain/ports.ts';
import { asRecord, parseJson } from '../lib/json.ts';
import { defineChannel, type ReplyReading } from './channel.ts';
import type { DeliveryMessage } from './message.ts';
import { pathSecrets, providerUrlProblem } from './provider-url.ts';
import { secondsToMs } from './retry-dialect.ts';
import { cleanLine, cutTo, defuse, LINK_LABEL, summarize } from './summary.ts';

const URLS = {
  hosts: ['discord.com', 'discordapp.com', 'canary.discord.com', 'ptb.discord.com'],
  path: /^\/api\/webhooks\/\d+\/(?!slack\/?$)[A-Za-z0-9_-]+(?:\/slack)?\/?$/,
  hasQuery: true,
  form: 'https://discord.com/api/webhooks/…',
};

/** A message to a Discord channel by its webhook's Slack-compatible endpoint (https://discord.com/developers/docs/resources/webhook#execute-slackcompatible-webhook). */
export const discord = defineChannel({
  kind: 'discord',
  typeName: 'Discord',
  title: 'Discord',
  docsUrl: 'https://discord.com/developers/docs/resources/webhook',
  fields: {
    webhookUrl: {
      kind: 'URL',
      secret: true,
      label: 'Webhook URL',
      required: true,
      hint: "From the channel's settings, Integrations: https://discord.com/api/webhooks/…; ?thread_id= names a thread.",
      check: (text) => providerUrlProblem(text, URLS),
      disguises: (url) => [...pathSecrets(url, '/api/webhooks/'), slackUrl(url)],
    },
  },
  targets: [],
  destination: ({ webhookUrl }) => ({ at: webhookUrl.replace(/\?.*/, ''), pace: 'DISCORD' }),
  delivered: [
    [200, 200],
    [204, 204],
  ],
  prepare: ({ webhookUrl }) => ({ url: slackUrl(webhookUrl) }),
  build: (message, { url }) => ({ url, body: discordBody(message), headers: { 'content-type': 'application/json' } }),
  readReply: readWait,
});

/** `/slack` once at the end of the path, before a query. */
function slackUrl(text: string): string {
  const url = new URL(text);
  url.pathname = `${url.pathname.replace(/(?:\/slack)?\/?$/, '')}/slack`;
  return url.href;
}

/** Of an embed's description, which an attachment's text becomes (https://discord.com/developers/docs/resources/message#embed-object-embed-limits). */
const TEXT_CHARS_MAX = 4_096;
/** Ours: a headline and its facts are read at a glance. Together far below the 2,000 characters of a message. */
const SUBJECT_CHARS_MAX = 300;
const VALUE_CHARS_MAX = 200;
const FENCE = '```';

/**
 * The headline is the message's text, which notifications show; only there a mention would call anybody, so it holds none. All else is in one attachment.
 * Blocks, `mrkdwn` and colours by name are not part of the endpoint.
 */
function discordBody(message: DeliveryMessage): string {
  const { mark, color, title, subject, facts, suppressed, exception, url, trigger } = summarize(message);
  const project = message.projectSlug === null ? '' : ` (${cutTo(cleanLine(message.projectSlug), VALUE_CHARS_MAX, encodeText)})`;
  const head = [
    ...facts.map(({ label, value }) => `**${label}:** \`${cutTo(value, VALUE_CHARS_MAX, encodeInline)}\``),
    ...(suppressed === null ? [] : [suppressed]),
  ].join('\n');
  const room = TEXT_CHARS_MAX - head.length - 2 * FENCE.length - 3;
  const block = exception === null ? '' : `\n${FENCE}\n${cutTo(exception, room, encodeBlock)}\n${FENCE}`;
  const text = `${head}${block}`.trim();
  const attachment = {
    ...(url === null ? {} : { title: LINK_LABEL, title_link: url }),
    ...(text === '' ? {} : { text }),
    color,
    footer: trigger,
    ts: Math.floor(message.timestampMs / 1_000),
  };
  return JSON.stringify({ text: `${mark} ${title}: ${cutTo(subject, SUBJECT_CHARS_MAX, encodeText)}${project}`, attachments: [attachment] });
}

/** Markdown's characters escaped; what could become a mention, a link or, once the endpoint has read Slack's markup, either of them, broken up. */
function encodeText(text: string): string {
  return defuse(text.replaceAll(/[\\*_~`|[\]]/g, '\\$&').replaceAll(/[<&]/g, '$&\u200b'));
}

/** Within backticks nothing is formatted; a backtick would end them, and cannot be escaped. */
function encodeInline(text: string): string {
  return encodeCode(text).replaceAll('`', 'ˋ');
}

/** Three backticks in a row would end the block: a zero-width space after each keeps them apart. */
function encodeBlock(text: string): string {
  return encodeCode(text).replaceAll('`', '`\u200b');
}

/** What the endpoint makes of Slack's markup within code is not documented: there is none for it to find. */
function encodeCode(text: string): string {
  return text.replaceAll(/[@<&]/g, '$&\u200b');
}

/** https://discord.com/developers/docs/topics/rate-limits: how long a 429 asks to wait, by the first that says so. Other replies have reset headers that hold nobody. */
function readWait({ status, headers, body }: HttpReply, nowMs: number): ReplyReading {
  if (status !== 429) return {};
  const resetMs = secondsToMs(headers['x-ratelimit-reset']);
  const retryAfterMs =
    secondsToMs(asRecord(parseJson(body))['retry_after']) ??
    readRetryAfter(headers['retry-after'], nowMs) ??
    secondsToMs(headers['x-ratelimit-reset-after']) ??
    (resetMs === null ? null : resetMs - nowMs);
  return retryAfterMs === null ? {} : { retryAfterMs };
}
