/** The six triggers (spec 1), in the dotted form that /v1, webhooks and the database use. */
export const TRIGGERS = ['task.failed', 'task.succeeded', 'task.retried', 'task.slow', 'agent.offline', 'agent.online'] as const;

export type Trigger = (typeof TRIGGERS)[number];

export function isTrigger(value: unknown): value is Trigger {
  return (TRIGGERS as readonly unknown[]).includes(value);
}
