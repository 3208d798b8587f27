import type { CompiledChannel } from '../channels/channel.ts';
import type { DeliveryMessage } from '../channels/message.ts';
import { channelOf } from '../channels/registry.ts';
import type { Send } from '../channels/send.ts';
import { type Outcome, outcomeOfBadConfig } from '../domain/outcome.ts';
import { globalId } from '../lib/global-id.ts';
import type { JsonObject } from '../lib/json.ts';
import type { Keyring } from '../lib/seal.ts';
import { Secret } from '../lib/secret.ts';
import type { LoadedChannel, LoadedDelivery } from './load.ts';

type Compiled = { ok: true; channel: CompiledChannel } | { ok: false; problem: string };

/** Channels whose compiled form is kept; the one made first goes first. */
const COMPILED_MAX = 5_000;

/** Makes one attempt of a delivery: opens and compiles its channel, once a version, builds the message and sends it. No transaction is open meanwhile. */
export function createAttempt(deps: { send: Send; keyring: Keyring }): (delivery: LoadedDelivery, channel: LoadedChannel) => Promise<Outcome> {
  const compiled = new Map<string, Compiled>();

  function compiledOf(channel: LoadedChannel): Compiled {
    const key = `${channel.id} ${String(channel.version)}`;
    const known = compiled.get(key);
    if (known !== undefined) return known;
    const made = compile(channel);
    compiled.set(key, made);
    if (compiled.size > COMPILED_MAX) compiled.delete(compiled.keys().next().value ?? '');
    return made;
  }

  function compile(channel: LoadedChannel): Compiled {
    const kind = channelOf(channel.type);
    if (kind === null) return { ok: false, problem: 'this version of the server does not know this kind of channel' };
    const secrets = new Secret(deps.keyring.open(channel.secrets, channel.id));
    return kind.compile({ config: channel.config as JsonObject, secrets });
  }

  return async (delivery, channel) => {
    const ready = compiledOf(channel);
    if (!ready.ok) return outcomeOfBadConfig(ready.problem);
    return await deps.send(ready.channel, messageOf(delivery), delivery.recipients ?? {});
  };
}

/** Only what the delivery's and the event's rows hold, neither of which changes between attempts. */
function messageOf(delivery: LoadedDelivery): DeliveryMessage {
  const { event, project } = delivery;
  if (event === null || project === null) throw new Error('a delivery without its event or project cannot be sent');
  return {
    eventId: event.eventId,
    deliveryId: globalId('Delivery', delivery.id),
    trigger: event.trigger,
    taskId: event.taskId,
    taskName: event.taskName,
    engine: event.engine,
    priority: event.priority,
    state: event.state,
    queue: event.queue,
    agent: event.agent,
    runtimeMs: event.runtimeMs,
    exception: event.exception,
    traceback: event.traceback,
    projectId: globalId('Project', project.id),
    projectSlug: project.slug,
    url: delivery.url,
    suppressedCount: delivery.suppressedCount,
    suppressedSinceMs: delivery.suppressedSince?.getTime() ?? null,
    data: event.data,
    timestampMs: (event.occurredAt ?? event.acceptedAt).getTime(),
  };
}
