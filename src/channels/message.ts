import type { Trigger } from '../domain/trigger.ts';
import type { JsonObject } from '../lib/json.ts';

/**
 * What is told of one event to one channel. All of it comes from rows that do not change once the delivery is recorded, so building it again
 * for a retry gives the same bytes: whoever fills it in must take nothing from the clock, the attempt, or a row that can be edited in between.
 */
export interface DeliveryMessage {
  /** The producer's id of the event. */
  eventId: string;
  /** The API's ID of the delivery, the same on every attempt; also webhook-id, so without ".". */
  deliveryId: string;
  /** z4j.test: a test send. */
  trigger: Trigger | 'z4j.test';
  taskId: string | null;
  taskName: string | null;
  engine: string | null;
  priority: number | null;
  state: string | null;
  queue: string | null;
  agent: string | null;
  runtimeMs: number | null;
  exception: string | null;
  traceback: string | null;
  /** The API's ID of the project; null, like the slug, on the test of a personal channel. */
  projectId: string | null;
  projectSlug: string | null;
  /** Where a person reads on. */
  url: string | null;
  /** Matches that the cooldown dropped before this one. */
  suppressedCount: number;
  /** Epoch milliseconds of the one that fired before them; null where none was dropped. */
  suppressedSinceMs: number | null;
  /** The producer's own. */
  data: JsonObject | null;
  /** Epoch milliseconds: occurredAt, else the time of acceptance. */
  timestampMs: number;
}
