import type { GivenValues } from '../../src/channels/config.ts';
import type { DeliveryMessage } from '../../src/channels/message.ts';
import { type ChannelKindName, channelOf } from '../../src/channels/registry.ts';
import { asRecord, parseJson } from '../../src/lib/json.ts';
import { compiled, MESSAGE, NOW_MS, storedOf } from './support.ts';

/** The kinds that write to people in a chat, with a config of each. */
export const CHAT_INPUTS = {
  slack: { webhookUrl: 'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX' },
  telegram: { botToken: '123456789:AAE-abcdefghijklmnopqrstuvwxyz_01234', chatId: '-1001234567890' },
  discord: { webhookUrl: 'https://discord.com/api/webhooks/123456789012345678/abcDEF_-0123456789' },
} satisfies Partial<Record<ChannelKindName, GivenValues>>;

export type ChatKind = keyof typeof CHAT_INPUTS;

/** The body of the request that tells `message`, as its receiver reads it. */
export function bodyOf(name: ChatKind, message: DeliveryMessage): Readonly<Record<string, unknown>> {
  const kind = channelOf(name);
  if (kind === null) throw new Error('no such kind');
  return asRecord(parseJson(compiled(kind, storedOf(kind, CHAT_INPUTS[name])).build(message, NOW_MS).body));
}

export const TRIGGERS = ['task.failed', 'task.succeeded', 'task.retried', 'task.slow', 'agent.offline', 'agent.online', 'z4j.test'] as const;

const LONG = 'A very long line of an exception that nobody reads to its end, with an emoji 🧾 in it. ';

/** What receivers must not be led astray by. */
export const HOSTILE = [
  '<!channel>',
  '<!everyone|x>',
  '<@U123456>',
  '<@&123456789>',
  '<#C123|general>',
  '<https://evil.example|click>',
  '[click](https://evil.example)',
  '@everyone',
  '@here',
  '@somebody',
  'https://evil.example/x',
  'discord.gg/abc',
  'evil.online',
  '</b>',
  '</code></pre><a href="tg://user?id=1">x</a>',
  '<b>',
  '&lt;!channel&gt;',
  '&lt;@123&gt;',
  '&amp;lt;',
  '`',
  '```',
  '``',
  '*',
  '_',
  '~',
  '||',
  '\\',
  '#hashtag',
  '/start',
  '>',
  '"',
  '\u202eevil',
  '\u2066',
  '\ud800',
  '\udc00',
  '\0',
  '\x1b[31m',
  '\r\n',
  '\n',
  '\u2028',
  '🧾',
  'e\u0301',
  '👨‍👩‍👧',
];

/** By the name of the case: what a message is made of. */
export const CONTENTS: Record<string, Partial<DeliveryMessage>> = {
  short: {},
  huge: {
    taskId: 't'.repeat(200),
    taskName: 'app.tasks.'.repeat(50),
    queue: '🧾'.repeat(50),
    agent: 'w'.repeat(200),
    exception: LONG.repeat(200),
    url: `https://tocsin.example.com/projects/my-project/tasks/${'t'.repeat(200)}`,
    runtimeMs: 7_384_000,
    suppressedCount: 1_000_000,
    suppressedSinceMs: NOW_MS - 100_000_000,
  },
  hostile: {
    taskId: '<!channel>`@everyone',
    taskName: '</b><https://evil.example|click>`*x*`@everyone https://evil.example/\u202e',
    queue: '[click](https://evil.example)',
    agent: '<@U123> &lt;!here&gt; `worker`',
    exception: HOSTILE.join(' '),
    url: 'https://tocsin.example.com/tasks/a?b=1&c=%3C%3E|"<x>',
  },
};

/** A message as it would be recorded for `trigger`, with the content of a case. */
export function messageOf(trigger: DeliveryMessage['trigger'], content: Partial<DeliveryMessage>): DeliveryMessage {
  const message = { ...MESSAGE, ...content, trigger };
  const isAgent = trigger.startsWith('agent.');
  const isFailure = trigger === 'task.failed' || trigger === 'task.retried' || trigger === 'z4j.test';
  return {
    ...message,
    ...(isAgent ? { taskId: null, taskName: null, queue: null, runtimeMs: null } : {}),
    ...(isFailure ? {} : { exception: null, traceback: null }),
    ...(trigger === 'task.failed' || 'suppressedCount' in content ? {} : { suppressedCount: 0, suppressedSinceMs: null }),
  };
}
