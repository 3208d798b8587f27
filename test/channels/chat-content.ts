import { asRecord } from '../../src/lib/json.ts';
import { autoEntities, parseTelegramHtml } from '../support/providers/telegram-html.ts';
import type { ChatKind } from './chat-fixtures.ts';

// What a chat message could be made to do by its content, read as the providers read it. Each function gives what is wrong; [] is right.

type Body = Readonly<Record<string, unknown>>;

/** `url` is the only link that may be there, and it may be missing. */
export const CONTENT_PROBLEMS: Record<ChatKind, (body: Body, url: string) => string[]> = {
  slack: slackContent,
  telegram: telegramContent,
  discord: discordContent,
};

const LINK = 'Open in the dashboard';
const LABELS = '(?:Project|Task ID|Queue|Agent|Runtime)';
const TITLES = '(?:Task failed|Task succeeded|Task retried|Task slow|Agent offline|Agent online|Test notification)';
const SUPPRESSED = /^\+\d+ similar since (?:\d{4}-\d\d-\d\d )?\d\d:\d\d UTC$/;
const BAD_TEXT = /[\ud800-\udfff]|(?![\n\t])\p{Cc}|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** https://docs.slack.dev/messaging/formatting-message-text: everything between < and > is a link or a mention; backticks hold code. */
function slackContent({ text, blocks }: Body, url: string): string[] {
  const [head, ...rest] = (blocks as Body[]).map((block) => asRecord(block['text']));
  const sections = [head, ...rest].map((object) => textOf(object?.['text'])).filter((one) => one !== '');
  const problems = unclean([String(text), ...sections]);
  if ([head, ...rest].some((object) => object?.['type'] === 'mrkdwn' && object['verbatim'] !== true)) problems.push('auto-parsing is on');
  if (/[<>]|&(?!amp;|lt;|gt;)|@\w|:\/\//.test(String(text))) problems.push('the fallback has markup, a mention or a link');
  const link = `<${escaped(url)}|${LINK}>`;
  const lines = sections.flatMap((one, index) => (index > 0 && one.startsWith('```') ? [] : one.split('\n')));
  const own = [new RegExp(`^\\S+ \\*${TITLES}:\\* ${CODE}$`, 'u'), new RegExp(`^\\*${LABELS}:\\* ${CODE}$`, 'u'), SUPPRESSED];
  for (const line of lines) if (line !== link && !own.some((form) => form.test(line))) problems.push(`a line is not ours: ${line}`);
  for (const block of sections.slice(1).filter((one) => one.startsWith('```'))) {
    if (!/^```\n(?:(?!```)[\s\S])+\n```$/.test(block)) problems.push('broken out of the code block');
    if (/[<>]|&(?!amp;|lt;|gt;)/.test(block)) problems.push('markup in the code block');
  }
  return problems;
}

/** One code span, which ends where the line does, and in it no control sequence of Slack's. */
const CODE = '`[^`<>\\n]+`';

function telegramContent({ text }: Body, url: string): string[] {
  const parsed = parseTelegramHtml(String(text));
  const problems = unclean([parsed.text]);
  problems.push(...autoEntities(parsed).map((found) => `Telegram would make an entity of ${found}`));
  const links = parsed.entities.filter(({ type }) => type === 'text_link');
  if (links.length > 1 || links.some((link) => link.url !== url)) problems.push('a link that is not ours');
  const bold = parsed.entities.filter(({ type }) => type === 'bold');
  if (bold.length !== 1) problems.push('bold that is not ours');
  return problems;
}

/**
 * Discord's Markdown, and Slack's markup that the endpoint may turn into it: https://discord.com/developers/docs/reference#message-formatting. In an embed
 * nobody is called; in the text somebody is, even within code.
 */
function discordContent({ text, attachments }: Body, url: string): string[] {
  const [attachment = {}] = (attachments as unknown[]).map(asRecord);
  const description = textOf(attachment['text']);
  const problems = unclean([String(text), description]);
  for (const [where, found] of [
    ...MENTIONS.map((form) => ['text', form.exec(String(text))] as const),
    ...MENTIONS.map((form) => ['attachment', form.exec(description)] as const),
  ]) {
    if (found !== null) problems.push(`${where}: ${found[0]}`);
  }
  if (/(?<!\\)(?:\\\\)*[*_~`|[\]]/.test(String(text))) problems.push('Markdown in the text');
  if (/\w+:\/\/|discord\.gg\/\w/.test(String(text))) problems.push('a link in the text');
  if (attachment['title_link'] !== undefined && attachment['title_link'] !== url) problems.push('a link that is not ours');
  if (attachment['title'] !== undefined && attachment['title'] !== LINK) problems.push('a title that is not ours');
  const [, head = '', block] = /^([\s\S]*?)(?:(?:^|\n)```\n([\s\S]*)\n```)?$/.exec(description) ?? [];
  const own = [new RegExp(`^\\*\\*${LABELS}:\\*\\* \`[^\`\\n]+\`$`, 'u'), SUPPRESSED];
  for (const line of head.split('\n')) if (line !== '' && !own.some((form) => form.test(line))) problems.push(`a line is not ours: ${line}`);
  if (block?.includes('```')) problems.push('broken out of the code block');
  return problems;
}

const MENTIONS = [/@(?:everyone|here)/, /<[@#!:/a-z]/i, /&(?:lt|gt|amp);/];

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function unclean(texts: string[]): string[] {
  return texts.filter((text) => BAD_TEXT.test(text)).map((text) => `not clean: ${JSON.stringify(text.slice(0, 80))}`);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;');
}
