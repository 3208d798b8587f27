import type { ChannelKind, HttpChannel, MailChannel } from '../../src/channels/channel.ts';
import type { GivenValues, StoredConfig } from '../../src/channels/config.ts';
import { mergeConfig } from '../../src/channels/merge.ts';
import type { DeliveryMessage } from '../../src/channels/message.ts';
import type { HttpPort, HttpReply, HttpRequest, Mail, MailPort, MailResult, SendResult } from '../../src/domain/ports.ts';
import type { InputIssue } from '../../src/lib/error.ts';

/** 2026-11-24T12:00:00Z. */
export const NOW_MS = Date.UTC(2026, 10, 24, 12, 0, 0);

/** A message of a failed task with every field set. */
export const MESSAGE: DeliveryMessage = {
  eventId: 'evt-1',
  deliveryId: Buffer.from('Delivery:0193a1b2-0000-7000-8000-000000000001').toString('base64url'),
  trigger: 'task.failed',
  taskId: 'task-1',
  taskName: 'billing.run',
  engine: 'celery',
  priority: 5,
  state: 'FAILURE',
  queue: 'billing',
  agent: 'worker-3',
  runtimeMs: 1_250,
  exception: 'ValueError: bad "amount" – 10 €',
  traceback: 'Traceback (most recent call last):\n  File "billing.py", line 1',
  projectId: 'UHJvamVjdDox',
  projectSlug: 'my-project',
  url: 'https://tocsin.example.com/projects/my-project/tasks/task-1',
  suppressedCount: 37,
  suppressedSinceMs: NOW_MS - 60_000,
  data: { customer: 42 },
  timestampMs: NOW_MS + 7,
};

/** The stored form of a config, as an API call would have made it. */
export function storedOf(kind: ChannelKind, input: GivenValues, before: StoredConfig | null = null, nowMs = NOW_MS): StoredConfig {
  const merged = mergeConfig(kind, before, input, nowMs);
  if (!merged.ok) throw new Error(JSON.stringify(merged.issues));
  return merged.stored;
}

/** What an API call with this input would be told; empty where it is taken. */
export function issuesOf(kind: ChannelKind, input: GivenValues, before: StoredConfig | null = null): InputIssue[] {
  const merged = mergeConfig(kind, before, input, NOW_MS);
  return merged.ok ? [] : merged.issues;
}

/** The stored config ready to send, of a kind that sends by HTTP. */
export function compiled(kind: ChannelKind, stored: StoredConfig): HttpChannel {
  const result = kind.compile(stored);
  if (!result.ok) throw new Error(result.problem);
  if (result.channel.via !== 'HTTP') throw new Error('it sends by mail');
  return result.channel;
}

/** The same of a kind that sends by mail. */
export function compiledMail(kind: ChannelKind, stored: StoredConfig): MailChannel {
  const result = kind.compile(stored);
  if (!result.ok) throw new Error(result.problem);
  if (result.channel.via !== 'SMTP') throw new Error('it sends by HTTP');
  return result.channel;
}

/** A port that answers what `answer` says and keeps what was sent. */
export function scriptedMail(answer: (mail: Mail) => MailResult): MailPort & { mails: Mail[] } {
  const mails: Mail[] = [];
  return {
    mails,
    send: (mail) => {
      mails.push(mail);
      return Promise.resolve(answer(mail));
    },
    check: () => Promise.resolve({ ok: true }),
  };
}

/** For what sends by HTTP: a mail is a mistake. */
export const NO_MAIL: MailPort = {
  send: () => Promise.reject(new Error('a mail was sent')),
  check: () => Promise.reject(new Error('a mail server was checked')),
};

/** For what sends by mail. */
export const NO_HTTP: HttpPort = {
  post: () => Promise.reject(new Error('a request was sent')),
  check: () => Promise.reject(new Error('a URL was checked')),
};

/** A port that answers what `answer` says and keeps what was posted. */
export function scriptedHttp(answer: (request: HttpRequest) => SendResult): HttpPort & { requests: HttpRequest[] } {
  const requests: HttpRequest[] = [];
  return {
    requests,
    post: (request) => {
      requests.push(request);
      return Promise.resolve(answer(request));
    },
    check: () => Promise.resolve({ ok: true }),
  };
}

/** A reply as the port hands it over. */
export function reply(status: number, body = '', headers: HttpReply['headers'] = {}): SendResult {
  return { ok: true, reply: { status, headers, body } };
}
