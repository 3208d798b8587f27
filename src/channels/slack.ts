import { defineChannel } from './channel.ts';
import type { DeliveryMessage } from './message.ts';
import { pathSecrets, providerUrlProblem } from './provider-url.ts';
import { cleanLine, cutTo, defuse, LINK_LABEL, type Summary, summarize } from './summary.ts';

const URLS = {
  hosts: ['hooks.slack.com'],
  path: /^\/services(?:\/[A-Za-z0-9_-]+)+$/,
  hasQuery: false,
  form: 'https://hooks.slack.com/services/…',
};

/** A message to a Slack conversation by an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks). */
export const slack = defineChannel({
  kind: 'slack',
  typeName: 'Slack',
  title: 'Slack',
  docsUrl: 'https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks',
  fields: {
    webhookUrl: {
      kind: 'URL',
      secret: true,
      label: 'Webhook URL',
      required: true,
      hint: 'Of an incoming webhook of your Slack app: https://hooks.slack.com/services/…',
      check: (text) => providerUrlProblem(text, URLS),
      disguises: (url) => pathSecrets(url, '/services/'),
    },
  },
  targets: [],
  destination: ({ webhookUrl }) => ({ at: webhookUrl, pace: 'SLACK' }),
  delivered: [[200, 200]],
  prepare: ({ webhookUrl }) => ({ url: webhookUrl }),
  build: (message, { url }) => ({ url, body: slackBody(message), headers: { 'content-type': 'application/json' } }),
});

/** https://docs.slack.dev/reference/block-kit/blocks/section-block: of a section's text, as it is sent. */
const SECTION_CHARS_MAX = 3_000;
/** Ours: a headline and its facts are read at a glance. */
const SUBJECT_CHARS_MAX = 300;
const VALUE_CHARS_MAX = 200;
const FENCE = '```';

function slackBody(message: DeliveryMessage): string {
  const summary = summarize(message);
  const { facts, suppressed, exception, trigger, time } = summary;
  const lines = facts.map(({ label, value }) => `*${label}:* \`${cutTo(value, VALUE_CHARS_MAX, encodeInline)}\``);
  const room = SECTION_CHARS_MAX - 2 * FENCE.length - 2;
  const blocks = [
    section(headlineOf(summary)),
    ...sections([...lines, ...given(suppressed)].join('\n')),
    ...(exception === null ? [] : [section(`${FENCE}\n${cutTo(exception, room, encodeBlock)}\n${FENCE}`)]),
    { type: 'context', elements: [{ type: 'plain_text', text: `${trigger} · ${time}`, emoji: false }] },
  ];
  return JSON.stringify({ text: fallbackOf(summary, message.projectSlug), blocks, unfurl_links: false, unfurl_media: false });
}

/** What happened, and right under it the link: below a long exception no thumb finds it. A URL that fills the section once it is escaped is left out. */
function headlineOf({ mark, title, subject, url }: Summary): string {
  const link = url === null ? '' : escapeText(url);
  const label = cutTo(subject, SUBJECT_CHARS_MAX, encodeInline);
  const named = `${mark} *${title}:* \`${label}\``;
  const linked = `${named}\n<${link}|${LINK_LABEL}>`;
  return link !== '' && linked.length <= SECTION_CHARS_MAX ? linked : named;
}

/** What notifications show, where no markup is wanted. Slack looks for links and names in it, so there must be none to be found. */
function fallbackOf({ mark, title, subject, suppressed, exception }: Summary, projectSlug: string | null): string {
  const project = projectSlug === null ? '' : ` (${cutTo(cleanLine(projectSlug), VALUE_CHARS_MAX, encodeFallback)})`;
  const line = exception === null ? null : cutTo(cleanLine(exception.slice(0, 2 * VALUE_CHARS_MAX)), VALUE_CHARS_MAX, encodeFallback);
  return [`${mark} ${title}: ${cutTo(subject, SUBJECT_CHARS_MAX, encodeFallback)}${project}`, ...given(line), ...given(suppressed)].join(' · ');
}

/** `verbatim`: Slack makes no link or mention of plain text (https://docs.slack.dev/reference/block-kit/composition-objects/text-object). */
function section(text: string): object {
  return { type: 'section', text: { type: 'mrkdwn', text, verbatim: true } };
}

function sections(text: string): object[] {
  return text === '' ? [] : [section(text)];
}

function given(text: string | null): string[] {
  return text === null ? [] : [text];
}

/** The three characters that Slack's own markup is made of (https://docs.slack.dev/messaging/formatting-message-text#escaping). */
function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Within backticks nothing is formatted; a backtick would end them, and cannot be escaped. */
function encodeInline(text: string): string {
  return escapeText(text).replaceAll('`', 'ˋ');
}

/** Three backticks in a row would end the block: a zero-width space after each keeps them apart. */
function encodeBlock(text: string): string {
  return escapeText(text).replaceAll('`', '`\u200b');
}

function encodeFallback(text: string): string {
  return defuse(escapeText(text));
}
