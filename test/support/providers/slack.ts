import { asRecord, isRecord } from '../../../src/lib/json.ts';
import { jsonOf, openProvider, type Provider, type ProviderAnswer, type ProviderRequest } from './provider.ts';

// Slack's incoming webhooks: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

/** A Slack that has one webhook, at `path`. */
export function openSlack(path: string): Promise<Provider> {
  return openProvider(['hooks.slack.com'], (request) => judge(request, path));
}

/** As Slack refuses for a while: https://docs.slack.dev/apis/web-api/rate-limits */
export function slackTooMany(seconds: number): ProviderAnswer {
  return { status: 429, headers: { 'retry-after': String(seconds) }, body: 'rate_limited' };
}

/** What Slack's documentation forbids of a message; empty where it takes it. */
export function slackProblems(message: unknown): string[] {
  const { text, blocks } = asRecord(message);
  if (typeof text !== 'string' || text === '' || text.length > TEXT_CHARS_MAX) return ['no_text'];
  if (!Array.isArray(blocks) || blocks.length === 0 || blocks.length > BLOCKS_MAX) return ['invalid_blocks'];
  return blocks.flatMap((block: unknown, index) => blockProblems(asRecord(block)).map((problem) => `blocks.${index}: ${problem}`));
}

/** https://docs.slack.dev/reference/methods/chat.postMessage#truncating and https://docs.slack.dev/reference/block-kit/blocks */
const TEXT_CHARS_MAX = 40_000;
const BLOCKS_MAX = 50;
const TEXT_OBJECT_CHARS_MAX = 3_000;
const HEADER_CHARS_MAX = 150;
const CONTEXT_ELEMENTS_MAX = 10;
const BLOCK_KEYS: Record<string, string[]> = { section: ['type', 'text'], header: ['type', 'text'], context: ['type', 'elements'], divider: ['type'] };

function judge(request: ProviderRequest, path: string): ProviderAnswer {
  if (request.method !== 'POST') return { status: 405, body: 'method_not_allowed' };
  if (request.target !== path) return request.target.startsWith('/services/') ? { status: 403, body: 'invalid_token' } : { status: 404, body: 'no_service' };
  const message = jsonOf(request);
  if (!isRecord(message)) return { status: 400, body: 'invalid_payload' };
  const [problem] = slackProblems(message);
  return problem === undefined ? { status: 200, body: 'ok' } : { status: 400, body: problem };
}

function blockProblems(block: Readonly<Record<string, unknown>>): string[] {
  const type = String(block['type']);
  const keys = BLOCK_KEYS[type];
  if (keys === undefined) return [`unknown type ${type}`];
  const unknown = Object.keys(block).filter((key) => !keys.includes(key));
  if (unknown.length > 0) return [`unknown ${unknown.join()}`];
  if (type === 'section') return textProblems(block['text'], TEXT_OBJECT_CHARS_MAX);
  if (type === 'header') return textProblems(block['text'], HEADER_CHARS_MAX);
  const elements = block['elements'];
  if (type === 'divider') return [];
  if (!Array.isArray(elements) || elements.length === 0 || elements.length > CONTEXT_ELEMENTS_MAX) return ['elements'];
  return elements.flatMap((element) => textProblems(element, TEXT_OBJECT_CHARS_MAX));
}

function textProblems(object: unknown, charsMax: number): string[] {
  const { type, text, emoji, verbatim } = asRecord(object);
  if (type !== 'mrkdwn' && type !== 'plain_text') return ['text type'];
  if (emoji !== undefined && type !== 'plain_text') return ['emoji is for plain_text'];
  if (verbatim !== undefined && type !== 'mrkdwn') return ['verbatim is for mrkdwn'];
  return typeof text === 'string' && text.length >= 1 && text.length <= charsMax ? [] : [`text of 1 to ${charsMax} characters`];
}
