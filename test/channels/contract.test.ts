import { describe, expect, test } from 'vitest';
import type { CompiledChannel } from '../../src/channels/channel.ts';
import type { GivenValues } from '../../src/channels/config.ts';
import { fieldInfos } from '../../src/channels/field-info.ts';
import { CHANNELS, type ChannelKindName, channelOf } from '../../src/channels/registry.ts';
import { createSend } from '../../src/channels/send.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { SEND_FAILURES, type SendResult } from '../../src/domain/ports.ts';
import { SECRET_MASK, Secret } from '../../src/lib/secret.ts';
import { createManualClock } from '../support/clock.ts';
import { compiled, issuesOf, MESSAGE, NO_MAIL, NOW_MS, reply, scriptedHttp, storedOf } from './support.ts';

/** What the contract needs to know of a kind. A kind without a row does not compile, and is not in the list of the test below. */
interface Sample {
  input: GivenValues;
  /** Texts of `input` that may be seen by nobody. */
  secrets: string[];
}

interface HttpSample extends Sample {
  delivered: number[];
  /** A body that this kind takes for delivered, where it looks at the body. */
  deliveredBody: string;
}

const HTTP_SAMPLES: Record<Exclude<ChannelKindName, 'email'>, HttpSample> = {
  webhook: {
    input: {
      url: 'https://hooks.example.com/tocsin?x=1',
      headers: [
        { name: 'Authorization', value: 'Bearer t0ken/with+"quotes"&ümlaut' },
        { name: 'X-Team', value: 'payments-€' },
      ],
      hmacSecret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    },
    secrets: [
      'Bearer t0ken/with+"quotes"&ümlaut',
      't0ken/with+"quotes"&ümlaut',
      'payments-€',
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    ],
    delivered: range(200, 299),
    deliveredBody: '',
  },
  slack: {
    input: { webhookUrl: 'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX' },
    secrets: [
      'https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX',
      'T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX',
      'XXXXXXXXXXXXXXXXXXXXXXXX',
    ],
    delivered: [200],
    deliveredBody: 'ok',
  },
  telegram: {
    input: { botToken: '123456789:AAE-abcdefghijklmnopqrstuvwxyz_01234', chatId: '-1001234567890' },
    secrets: ['123456789:AAE-abcdefghijklmnopqrstuvwxyz_01234', 'AAE-abcdefghijklmnopqrstuvwxyz_01234'],
    delivered: [200],
    deliveredBody: '{"ok":true,"result":{"message_id":7}}',
  },
  discord: {
    input: { webhookUrl: 'https://discord.com/api/webhooks/123456789012345678/abcDEF_-0123456789?thread_id=42' },
    secrets: [
      'https://discord.com/api/webhooks/123456789012345678/abcDEF_-0123456789?thread_id=42',
      '123456789012345678/abcDEF_-0123456789',
      'abcDEF_-0123456789',
      'https://discord.com/api/webhooks/123456789012345678/abcDEF_-0123456789/slack?thread_id=42',
    ],
    delivered: [200, 204],
    deliveredBody: 'ok',
  },
};

const SAMPLES: Record<ChannelKindName, Sample> = {
  ...HTTP_SAMPLES,
  email: {
    input: {
      smtpHost: 'smtp.example.com',
      smtpPort: 587,
      smtpUser: 'tocsin@example.com',
      smtpPass: 'correct horse "battery" stäple',
      toAddrs: ['a@example.com'],
    },
    secrets: ['correct horse "battery" stäple'],
  },
};

/** Spec 4 and 5, written down apart from the code: what is no row here and not delivered has FAILED. */
const RETRIED = new Set([408, 425, 429, ...range(500, 599)]);

const ECHOES: [string, (secret: string) => string][] = [
  ['plain', (secret) => secret],
  ['JSON', (secret) => JSON.stringify({ secret })],
  ['percent', encodeURIComponent],
  ['percent, lower case', (secret) => encodeURIComponent(secret).replaceAll(/%../g, (byte) => byte.toLowerCase())],
  ['base64', (secret) => Buffer.from(secret).toString('base64')],
  ['base64url', (secret) => Buffer.from(secret).toString('base64url')],
];

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function sendOnce(channel: CompiledChannel, answer: SendResult): Promise<Outcome> {
  return createSend({ mail: NO_MAIL, http: scriptedHttp(() => answer), clock: createManualClock(NOW_MS), version: '1.2.3' })(channel, MESSAGE);
}

test('every kind of the registry has a sample', () => {
  expect(Object.keys(SAMPLES).sort()).toEqual(Object.keys(CHANNELS).sort());
});

test.each(['', 'Webhook', '__proto__', 'toString', 'fax'])('%j is no kind', (name) => {
  expect(channelOf(name)).toBeNull();
});

describe.each(Object.entries(HTTP_SAMPLES))('%s', (name, sample) => {
  const kind = channelOf(name);
  if (kind === null) throw new Error('no such kind');
  const stored = storedOf(kind, sample.input);
  const channel = compiled(kind, stored);

  test.each(range(100, 599))('status %i', async (status) => {
    const outcome = await sendOnce(channel, reply(status, sample.delivered.includes(status) ? sample.deliveredBody : 'no'));
    const expected = sample.delivered.includes(status) ? 'DELIVERED' : RETRIED.has(status) ? 'RETRY' : 'FAILED';
    expect(outcome.outcome).toBe(expected);
    expect(outcome.statusCode).toBe(status);
    expect(outcome.outcome === 'FAILED' && outcome.gone).toBe(status === 410 && expected === 'FAILED');
  });

  test.each(SEND_FAILURES)('no reply: %s', async (failure) => {
    const outcome = await sendOnce(channel, { ok: false, failure, message: 'it did not work' });
    expect(outcome).toMatchObject({ outcome: failure === 'EGRESS_REFUSED' ? 'FAILED' : 'RETRY', reason: failure, statusCode: null, error: 'it did not work' });
  });

  test.each(ECHOES)('a receiver that shows our secrets again: %s', async (_, encode) => {
    const echo = sample.secrets.map(encode).join(' ; ');
    const outcomes = [
      await sendOnce(channel, reply(500, `${'x'.repeat(1_900)} ${echo}`)),
      await sendOnce(channel, reply(400, echo)),
      await sendOnce(channel, { ok: false, failure: 'TLS', message: echo }),
    ];
    for (const text of outcomes.flatMap((outcome) => [JSON.stringify(outcome), ...Object.values(outcome).map(String)])) {
      for (const secret of sample.secrets) for (const [, encodeOther] of ECHOES) expect(text).not.toContain(encodeOther(secret).replace(/=+$/, ''));
    }
  });

  test('a receiver that sends the whole request back, as it saw it', async () => {
    const http = scriptedHttp((request) => reply(422, JSON.stringify({ url: request.url, path: new URL(request.url).pathname, headers: request.headers })));
    const outcome = await createSend({ mail: NO_MAIL, http, clock: createManualClock(NOW_MS), version: '1.2.3' })(channel, MESSAGE);
    for (const secret of sample.secrets) {
      expect(JSON.stringify(outcome)).not.toContain(secret);
      expect(JSON.stringify(outcome)).not.toContain(Buffer.from(secret).toString('latin1'));
    }
    expect(JSON.stringify(outcome)).toContain(SECRET_MASK);
  });

  test('a secret across the edge of what is kept, or of what the port kept, is not half shown', async () => {
    for (const secret of sample.secrets.filter((one) => one.length > 12)) {
      for (const edge of [2_048, 8_192]) {
        const body = Buffer.from('x'.repeat(edge - 10) + secret)
          .subarray(0, edge)
          .toString();
        expect(JSON.stringify(await sendOnce(channel, reply(500, body)))).not.toContain(secret.slice(0, 8));
      }
    }
    const many = `${sample.secrets[0]}${'y'.repeat(10)}`.repeat(400);
    expect(JSON.stringify(await sendOnce(channel, reply(500, Buffer.from(many).subarray(0, 8_192).toString())))).not.toContain(sample.secrets[0]?.slice(0, 6));
  });

  test.each([
    ['8 KiB of one letter', 'a'.repeat(8_192)],
    ['NUL and lone surrogates', 'a\0\ud800b'],
    ['escapes that are none', '\\u \\x %zz % \\'],
    ['HTML', '<html><body>Bad gateway</body></html>'],
    ['broken JSON', '{"ok": tr'],
    ['deep JSON', '['.repeat(8_192)],
    ['proto', '{"__proto__":{"ok":true},"ok":1}'],
  ])('a garbage reply: %s', async (_, body) => {
    for (const status of [500, 400, 429]) {
      const outcome = await sendOnce(channel, reply(status, body, { 'retry-after': body.slice(0, 100) }));
      const kept = 'responseBody' in outcome ? (outcome.responseBody ?? '') : '';
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(2_048);
      expect(kept.isWellFormed() && !kept.includes('\0')).toBe(true);
    }
  });

  test('Retry-After is obeyed up to an hour', async () => {
    expect(await sendOnce(channel, reply(429, '', { 'retry-after': '7' }))).toMatchObject({ retryAfterMs: 7_000 });
    expect(await sendOnce(channel, reply(503, '', { 'retry-after': 'Tue, 24 Nov 2026 12:00:30 GMT' }))).toMatchObject({ retryAfterMs: 30_000 });
    expect(await sendOnce(channel, reply(503, '', { 'retry-after': '999999999' }))).toMatchObject({ retryAfterMs: 3_600_000 });
    expect(await sendOnce(channel, reply(503, '', { 'retry-after': 'soon' }))).toMatchObject({ retryAfterMs: null });
  });

  test('building is deterministic: a retry has the same body', () => {
    const again = compiled(kind, stored);
    expect(again.build(MESSAGE, NOW_MS + 86_400_000).body).toBe(channel.build(MESSAGE, NOW_MS).body);
  });
});

describe.each(Object.entries(SAMPLES))('%s: its config', (name, sample) => {
  const kind = channelOf(name);
  if (kind === null) throw new Error('no such kind');
  const stored = storedOf(kind, sample.input);
  const compiledAny = kind.compile(stored);

  test('says what it is', () => {
    expect(kind.kind).toBe(name);
    expect(kind.typeName.toLowerCase()).toBe(name);
    expect(kind.title).not.toBe('');
    for (const info of fieldInfos(kind)) expect(info).toMatchObject({ label: expect.stringMatching(/./), secret: expect.any(Boolean) });
    for (const target of kind.targets) expect(Object.keys(kind.fields)).toContain(target);
  });

  test('what is stored in the clear, or printed, holds no secret', () => {
    for (const text of [JSON.stringify(stored), JSON.stringify(stored.config), String(stored.secrets), JSON.stringify(compiledAny)]) {
      for (const secret of sample.secrets) expect(text).not.toContain(secret);
    }
  });

  test('what is stored is compiled only while it is valid', () => {
    const result = kind.compile({ config: {}, secrets: new Secret('{}') });
    expect(result).toMatchObject({ ok: false });
    expect(result.ok ? '' : result.problem).toMatch(/is required/);
  });

  test('a config of 16 KiB as JSON is taken, a byte more is not', () => {
    const secretText = fieldInfos(kind).find((info) => info.kind === 'SECRET');
    if (secretText === undefined) return;
    const sized = (bytes: number): GivenValues => ({ ...sample.input, [secretText.name]: `${String(sample.input[secretText.name])}${'x'.repeat(bytes)}` });
    const room = 16_384 - Buffer.byteLength(JSON.stringify(sized(0)));
    expect(issuesOf(kind, sized(room))).toEqual([]);
    expect(issuesOf(kind, sized(room + 1))).toMatchObject([{ path: `config.${name}`, message: expect.stringContaining('16384') }]);
  });

  test('a required field is missed, by its path', () => {
    for (const { name: field, kind: fieldKind } of fieldInfos(kind).filter((info) => info.required)) {
      const message = fieldKind === 'TEXT_LIST' ? 'must not be empty' : 'is required';
      const { [field]: _, ...rest } = sample.input;
      expect(issuesOf(kind, rest)).toEqual([{ path: `config.${name}.${field}`, message }]);
      expect(issuesOf(kind, { [field]: null }, stored)).toContainEqual({ path: `config.${name}.${field}`, message });
    }
  });

  test('an unknown field is refused', () => {
    expect(issuesOf(kind, { ...sample.input, fax: '1' })).toEqual([{ path: `config.${name}`, message: 'has an unknown field' }]);
  });

  test('an update without fields changes nothing', () => {
    expect(storedOf(kind, {}, stored)).toEqual(stored);
    expect(storedOf(kind, {}, stored).secrets.reveal()).toBe(stored.secrets.reveal());
  });
});
