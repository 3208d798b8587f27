import type { DeliveryMessage } from '../channels/message.ts';
import { projectUrl } from '../domain/message.ts';
import { globalId } from '../lib/global-id.ts';

export interface TestProject {
  id: string;
  slug: string;
  dashboardUrl: string | null;
}

export interface TestMessageContext {
  /** The id of its delivery, whether that is written or not. */
  deliveryId: string;
  /** Null: the test of a personal channel. */
  project: TestProject | null;
  publicUrl: string;
  nowMs: number;
}

/** What every test send says (spec 7). Its ids are its own, so that no receiver takes one test for another, or for an event. */
export function testMessage({ deliveryId, project, publicUrl, nowMs }: TestMessageContext): DeliveryMessage {
  return {
    eventId: `tocsin:test:${deliveryId}`,
    deliveryId: globalId('Delivery', deliveryId),
    trigger: 'z4j.test',
    taskId: `test-${deliveryId}`,
    taskName: 'tocsin.test',
    engine: null,
    priority: null,
    state: null,
    queue: null,
    agent: null,
    runtimeMs: null,
    exception: 'This is a test message. Nothing has failed: the channel works.',
    traceback: null,
    projectId: project === null ? null : globalId('Project', project.id),
    projectSlug: project?.slug ?? null,
    url: project === null ? publicUrl : projectUrl(project, publicUrl),
    suppressedCount: 0,
    suppressedSinceMs: null,
    data: { test: true },
    timestampMs: nowMs,
  };
}
