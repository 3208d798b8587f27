import { asRecord, isRecord } from '../../../src/lib/json.ts';
import { json, jsonOf, openProvider, type Provider, type ProviderAnswer, type ProviderRequest } from './provider.ts';
import { parseTelegramHtml } from './telegram-html.ts';

// Telegram's Bot API: https://core.telegram.org/bots/api#sendmessage

/** A Telegram that knows one bot, by its token, which is in the chats with these ids. */
export function openTelegram(token: string, chatIds: readonly string[]): Promise<Provider> {
  return openProvider(['api.telegram.org'], (request) => judge(request, token, chatIds));
}

/** As Telegram refuses for a while: https://core.telegram.org/bots/api#responseparameters. There is no Retry-After. */
export function telegramTooMany(seconds: number): ProviderAnswer {
  return json(429, { ok: false, error_code: 429, description: `Too Many Requests: retry after ${seconds}`, parameters: { retry_after: seconds } });
}

/** Why Telegram does not take a message; null where it does. */
export function telegramProblem(message: unknown): string | null {
  const { chat_id: chatId, text, parse_mode: parseMode, link_preview_options: preview, ...rest } = asRecord(message);
  if (Object.keys(rest).length > 0) return `unknown ${Object.keys(rest).join()}`;
  if (!/^(?:-?\d+|@\w+)$/.test(String(chatId))) return 'chat not found';
  if (parseMode !== 'HTML') return 'unsupported parse_mode';
  if (asRecord(preview)['is_disabled'] !== true) return 'link previews are on';
  try {
    const parsed = parseTelegramHtml(String(text)).text.trim();
    if (parsed === '') return 'message text is empty';
    return parsed.length > TEXT_UNITS_MAX ? 'message is too long' : null;
  } catch (error) {
    return error instanceof Error ? error.message : 'thrown';
  }
}

const TEXT_UNITS_MAX = 4_096;

function judge(request: ProviderRequest, token: string, chatIds: readonly string[]): ProviderAnswer {
  if (request.target !== `/bot${token}/sendMessage` || request.method !== 'POST') return refuse(404, 'Not Found');
  const message = jsonOf(request);
  if (!isRecord(message)) return refuse(400, 'Bad Request: message text is empty');
  const problem = chatIds.includes(String(message['chat_id'])) ? telegramProblem(message) : 'chat not found';
  if (problem !== null) return refuse(400, `Bad Request: ${problem}`);
  return json(200, { ok: true, result: { message_id: 1, date: 1, chat: { id: message['chat_id'] }, ...parseTelegramHtml(String(message['text'])) } });
}

function refuse(status: number, description: string): ProviderAnswer {
  return json(status, { ok: false, error_code: status, description });
}
