import { SlackWebhookSchema, WebhookSlackEmbedSchema } from 'discord-api-spec/zod';
import { asRecord } from '../../../src/lib/json.ts';
import { json, jsonOf, openProvider, type Provider, type ProviderAnswer, type ProviderRequest } from './provider.ts';

// Discord's Slack-compatible webhooks: https://discord.com/developers/docs/resources/webhook#execute-slackcompatible-webhook

/** A Discord that has one webhook, at `path` (`/api/webhooks/<id>/<token>`). */
export function openDiscord(path: string): Promise<Provider> {
  return openProvider(['discord.com', 'discordapp.com', 'canary.discord.com', 'ptb.discord.com'], (request) => judge(request, path));
}

/** As Discord refuses for a while: https://discord.com/developers/docs/topics/rate-limits. Its header is rounded up to whole seconds. */
export function discordTooMany(seconds: number): ProviderAnswer {
  const body = { message: 'You are being rate limited.', retry_after: seconds, global: false };
  const headers = {
    'retry-after': String(Math.ceil(seconds)),
    'x-ratelimit-limit': '5',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset-after': String(seconds),
  };
  return json(429, body, { ...headers, 'x-ratelimit-scope': 'user' });
}

/** What Discord's published schema (npm discord-api-spec) and its limits on embeds forbid of a message; empty where it takes it. */
export function discordProblems(message: unknown): string[] {
  const parsed = SlackWebhookSchema.safeParse(message);
  if (!parsed.success) return parsed.error.issues.map(({ path, message: text }) => `${path.join('.')}: ${text}`);
  const { text, attachments } = asRecord(message);
  const embeds = (Array.isArray(attachments) ? attachments : []).map(asRecord);
  const problems = [
    ...unknownKeys(asRecord(message), SlackWebhookSchema.shape),
    ...embeds.flatMap((embed) => unknownKeys(embed, WebhookSlackEmbedSchema.shape)),
  ];
  if ((typeof text !== 'string' || text === '') && embeds.length === 0) problems.push('Cannot send an empty message');
  if (embeds.length > EMBEDS_MAX) problems.push('attachments: too many');
  for (const [key, max] of Object.entries(EMBED_CHARS_MAX)) {
    for (const embed of embeds) if (lengthOf(embed[key]) > max) problems.push(`${key}: more than ${max}`);
  }
  const total = embeds.reduce((sum, embed) => sum + Object.keys(EMBED_CHARS_MAX).reduce((all, key) => all + lengthOf(embed[key]), 0), 0);
  if (total > EMBEDS_CHARS_MAX) problems.push('attachments: too long together');
  if (embeds.some(({ ts }) => ts !== undefined && !Number.isSafeInteger(ts))) problems.push('ts: not a whole number');
  return problems;
}

/** https://discord.com/developers/docs/resources/message#embed-object-embed-limits: an attachment's text becomes a description. */
const EMBED_CHARS_MAX = { title: 256, text: 4_096, footer: 2_048 };
const EMBEDS_CHARS_MAX = 6_000;
const EMBEDS_MAX = 10;

function judge(request: ProviderRequest, path: string): ProviderAnswer {
  if (request.method !== 'POST') return json(405, { message: '405: Method Not Allowed', code: 0 });
  if (request.target.split('?')[0] !== `${path}/slack`) return json(404, { message: 'Unknown Webhook', code: 10_015 });
  const message = jsonOf(request);
  if (message === undefined) return json(400, { message: 'The request body contains invalid JSON.', code: 50_109 });
  const problems = discordProblems(message);
  return problems.length === 0 ? { status: 200, body: 'ok' } : json(400, { message: problems.join('; '), code: 50_006 });
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' ? value.length : 0;
}

/** Discord documents which of Slack's properties it takes; what it ignores has no place in a message. */
function unknownKeys(object: Readonly<Record<string, unknown>>, shape: object): string[] {
  return Object.keys(object)
    .filter((key) => !Object.hasOwn(shape, key))
    .map((key) => `${key}: unknown`);
}
