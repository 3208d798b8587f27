import { defineChannel } from './channel.ts';
import type { Header } from './field.ts';
import type { DeliveryMessage } from './message.ts';
import { signatureHeaders, signingKeys, whsecBase64 } from './signature.ts';

const DAY_MS = 86_400_000;

/** A JSON body to any URL, signed where a secret is given. */
export const webhook = defineChannel({
  kind: 'webhook',
  typeName: 'Webhook',
  title: 'Webhook',
  docsUrl: 'https://www.standardwebhooks.com',
  fields: {
    url: { kind: 'URL', label: 'URL', required: true, hint: 'Where events are posted to. When its host or path changes, secrets must be given anew.' },
    headers: {
      kind: 'HEADERS',
      label: 'Headers',
      maxItems: 20,
      valueBytesMax: 1_024,
      hint: 'Sent with every request, such as Authorization. At most 20.',
    },
    hmacSecret: {
      kind: 'SECRET',
      label: 'Signing secret',
      hint: 'Any text, or whsec_ and base64. After a change webhook-signature carries both signatures for 24 hours.',
      keepsPreviousMs: DAY_MS,
      disguises: keyTexts,
    },
  },
  targets: ['url'],
  delivered: [[200, 299]],
  prepare: ({ url, headers, hmacSecret }, { hmacSecret: previous }) => ({
    url,
    headers: { ...wireHeaders(headers), 'content-type': 'application/json' },
    keys: hmacSecret === null ? null : signingKeys(hmacSecret, previous),
  }),
  build: (message, { url, headers, keys }, attemptMs) => {
    const body = webhookBody(message);
    return { url, body, headers: { ...headers, ...signatureHeaders(body, message.deliveryId, attemptMs, keys) } };
  },
});

/** The body that receivers read (spec 4, "Webhook body"): names and their order are public API. */
function webhookBody(message: DeliveryMessage): string {
  return JSON.stringify({
    event_id: message.eventId,
    delivery_id: message.deliveryId,
    trigger: message.trigger,
    task_id: message.taskId,
    task_name: message.taskName,
    engine: message.engine,
    priority: message.priority,
    state: message.state,
    queue: message.queue,
    agent: message.agent,
    runtime_ms: message.runtimeMs,
    exception: message.exception,
    traceback: message.traceback,
    project_id: message.projectId,
    project_slug: message.projectSlug,
    url: message.url,
    suppressed_count: message.suppressedCount,
    data: message.data,
    timestamp: new Date(message.timestampMs).toISOString(),
  });
}

/** Values go out as UTF-8: HTTP clients write a header's characters as Latin-1, so each byte is one. */
function wireHeaders(headers: readonly Header[]): Record<string, string> {
  return Object.fromEntries(headers.map(({ name, value }) => [name.toLowerCase(), Buffer.from(value, 'utf8').toString('latin1')]));
}

/** The key inside a `whsec_` secret, in both alphabets of base64. */
function keyTexts(secret: string): string[] {
  const base64 = whsecBase64(secret);
  return base64 === null ? [] : [base64, Buffer.from(base64, 'base64').toString('base64url')];
}
