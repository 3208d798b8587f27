import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeliveryMessage } from '../../src/channels/message.ts';
import { discordProblems } from '../support/providers/discord.ts';
import { slackProblems } from '../support/providers/slack.ts';
import { telegramProblem } from '../support/providers/telegram.ts';
import { CONTENT_PROBLEMS } from './chat-content.ts';
import { bodyOf, CHAT_INPUTS, type ChatKind, CONTENTS, HOSTILE, messageOf, TRIGGERS } from './chat-fixtures.ts';
import { slackSchemaCheck } from './slack-schema.ts';
import { NOW_MS } from './support.ts';

const KINDS = Object.keys(CHAT_INPUTS) as ChatKind[];
const slackTypes = slackSchemaCheck();

/** What the provider would refuse of a body. */
const REFUSALS: Record<ChatKind, (body: unknown) => string[]> = {
  slack: (body) => [...slackProblems(body), ...[slackTypes(body)].filter((problem) => problem !== null)],
  telegram: (body) => [telegramProblem(body)].filter((problem) => problem !== null),
  discord: discordProblems,
};

function problemsOf(kind: ChatKind, message: DeliveryMessage): string[] {
  const body = bodyOf(kind, message);
  return [...REFUSALS[kind](body), ...CONTENT_PROBLEMS[kind](body, linkOf(message.url))];
}

/** As the URL parser writes it, which is how it is sent. */
function linkOf(url: string | null): string {
  return URL.parse(url ?? '')?.href.replaceAll('|', '%7C') ?? '';
}

// To write them anew after a change of the messages: vitest run test/channels/chat-messages.test.ts --update, and read the difference.
describe.each(KINDS)('golden messages: %s', (kind) => {
  test.each(TRIGGERS)('%s', async (trigger) => {
    const cases = Object.entries(CONTENTS).map(([name, content]) => `== ${name}\n${JSON.stringify(bodyOf(kind, messageOf(trigger, content)), null, 2)}\n`);
    await expect(cases.join('\n')).toMatchFileSnapshot(`./golden/${kind}/${trigger}.txt`);
  });

  test.each(TRIGGERS)('%s is taken by the provider, and says nothing that it was not told to', (trigger) => {
    for (const content of Object.values(CONTENTS)) expect(problemsOf(kind, messageOf(trigger, content))).toEqual([]);
  });
});

describe.each(KINDS)('%s', (kind) => {
  const bodyText = (message: DeliveryMessage): string => JSON.stringify(bodyOf(kind, message));

  test('names trigger, project, task, exception and link', () => {
    const text = bodyText(messageOf('task.failed', {}));
    for (const part of [
      'Task failed',
      'task.failed',
      'my-project',
      'billing.run',
      'task-1',
      'ValueError: bad',
      'https://tocsin.example.com/projects/my-project/tasks/task-1',
    ]) {
      expect(text).toContain(part);
    }
  });

  test('names the agent', () => {
    const text = bodyText(messageOf('agent.offline', {}));
    for (const part of ['Agent offline', 'worker-3', 'my-project']) expect(text).toContain(part);
    expect(text.split('worker-3').length - 1).toBeLessThanOrEqual(kind === 'slack' ? 2 : 1);
  });

  test('says how many were dropped before it, in UTC', () => {
    expect(bodyText(messageOf('task.failed', { suppressedSinceMs: NOW_MS - 60_000 }))).toContain('+37 similar since 11:59 UTC');
    expect(bodyText(messageOf('task.failed', { suppressedCount: 0, suppressedSinceMs: null }))).not.toContain('similar');
  });

  test('says that it is a test, with nothing else known', () => {
    const bare = { taskId: null, taskName: null, queue: null, agent: null, runtimeMs: null, exception: null, projectSlug: null, url: null };
    const message = messageOf('z4j.test', bare);
    expect(bodyText(message)).toContain('Test notification');
    expect(bodyText(message)).toContain('z4j.test');
    expect(problemsOf(kind, message)).toEqual([]);
  });

  test.each([
    ['javascript:alert(1)', null],
    ['tg://user?id=1', null],
    ['not a URL', null],
    [`https://example.com/${'x'.repeat(2_000)}`, null],
    ['https://example.com/x', 'https://example.com/x'],
  ])('a link of %s', (url, expected) => {
    const message = messageOf('task.failed', { url });
    if (expected === null) expect(bodyText(message)).not.toMatch(/javascript:|tg:|not a URL|example\.com\/x|Open in/);
    else expect(bodyText(message)).toContain(expected);
    expect(problemsOf(kind, message)).toEqual([]);
  });

  test('a long exception fills what the provider takes, to the last unit, and ends in "…"', () => {
    const limits = { slack: [2_990, 3_000], telegram: [4_080, 4_096], discord: [4_090, 4_096] } as const;
    for (const exception of ['x'.repeat(1_000_000), '&'.repeat(1_000_000), '🧾'.repeat(100_000)]) {
      const message = messageOf('task.failed', { exception });
      const length = longest(kind, message);
      expect(length).toBeGreaterThanOrEqual(limits[kind][0] - 10);
      expect(length).toBeLessThanOrEqual(limits[kind][1]);
      expect(bodyText(message)).toContain('…');
      expect(problemsOf(kind, message)).toEqual([]);
    }
    expect(bodyText(messageOf('task.failed', {}))).not.toContain('…');
  });
});

/** Of the text that holds the exception, as its limit counts. */
function longest(kind: ChatKind, message: DeliveryMessage): number {
  const body = bodyOf(kind, message);
  const texts = {
    slack: () => (body['blocks'] as { text?: { text: string } }[]).map(({ text }) => text?.text ?? ''),
    telegram: () => [
      String(body['text'])
        .replaceAll(/<[^>]*>/g, '')
        .replaceAll(/&\w+;/g, '&'),
    ],
    discord: () => (body['attachments'] as { text: string }[]).map(({ text }) => text),
  };
  return Math.max(...texts[kind]().map((text) => text.length));
}

describe('3,000 generated events', () => {
  const hostile = fc.array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary' }), fc.string()), { maxLength: 8 }).map((parts) => parts.join(''));
  const text = fc.option(hostile);
  const exception = fc.oneof(
    { weight: 60, arbitrary: text },
    { weight: 10, arbitrary: hostile.map((one) => one.repeat(500)) },
    { weight: 1, arbitrary: hostile.map((one) => `${one}x`.repeat(Math.ceil(1_048_576 / (one.length + 1)))) },
  );
  const url = fc.option(
    fc.oneof(
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
      hostile.map((one) => `https://tocsin.example.com/${one}`),
    ),
  );
  const message = fc
    .record({ trigger: fc.constantFrom(...TRIGGERS), taskId: text, taskName: text, queue: text, agent: text, exception, url, runtimeMs: fc.option(fc.nat()) })
    .chain(({ trigger, ...content }) =>
      fc
        .record({ suppressedCount: fc.nat(), suppressedSinceMs: fc.option(fc.constant(NOW_MS)) })
        .map((suppressed) => ({ ...messageOf(trigger, content), ...content, ...suppressed })),
    );

  test.each(KINDS)('%s takes every one, and no content makes a mention or a link', (kind) => {
    fc.assert(
      fc.property(message, (one) => {
        expect(problemsOf(kind, one)).toEqual([]);
      }),
      { numRuns: 3_000 },
    );
  });
});
