import type { AcceptedEvent } from './event.ts';
import type { Suppressed } from './plan.ts';
import type { Trigger } from './trigger.ts';

/** Of an event, what titles, texts and links are made of: an accepted one, or its stored row. */
export type MessageEvent = Pick<AcceptedEvent, 'id' | 'trigger' | 'taskId' | 'taskName' | 'queue' | 'agent' | 'exception'>;

/** `Task failed: billing.run`, `Agent offline: worker-3`. Not escaped for any format, and as long as the name is. */
export function eventTitle(event: MessageEvent): string {
  const { title, subject } = eventHeading(event);
  return `${title}: ${subject}`;
}

/** What a heading is made of. `trigger` may be that of a test send. */
export type HeadingEvent = Pick<MessageEvent, 'id' | 'taskId' | 'taskName' | 'agent'> & { trigger: Trigger | 'z4j.test' };

/** The two halves of a title: `Task failed` and `billing.run`. The subject is the event's id where it names nothing else. */
export function eventHeading(event: HeadingEvent): { title: string; subject: string } {
  return { title: TRIGGER_TITLES[event.trigger], subject: subjectOf(event) };
}

/** The first 500 characters (code points) of the exception; null where there is none. */
export function eventBody(event: Pick<MessageEvent, 'exception'>): string | null {
  const { exception } = event;
  if (exception === null || exception.length <= BODY_CHARS_MAX) return exception;
  return Array.from(exception.slice(0, 2 * BODY_CHARS_MAX))
    .slice(0, BODY_CHARS_MAX)
    .join('');
}

type LinkEvent = Omit<MessageEvent, 'id' | 'exception'>;

export interface LinkContext {
  event: LinkEvent;
  project: { slug: string; dashboardUrl: string | null; taskUrlTemplate: string | null };
  /** PUBLIC_URL. */
  publicUrl: string;
}

/**
 * Where the event is to be seen (spec 4, "Texts"): the template for a task, where the event has all that it asks for; else the dashboard, or
 * this server's own page of the project, with `/tasks/<id>` or `/agents/<name>` where the event has them.
 */
export function eventUrl({ event, project, publicUrl }: LinkContext): string {
  const isTask = event.trigger.startsWith('task.');
  const templated = isTask && project.taskUrlTemplate !== null ? fillTemplate(project.taskUrlTemplate, event) : null;
  if (templated !== null) return templated;
  const base = projectUrl(project, publicUrl);
  const subject = isTask ? event.taskId : event.agent;
  return isGiven(subject) ? `${withoutSlash(base)}/${isTask ? 'tasks' : 'agents'}/${percentEncode(subject)}` : base;
}

/** Where a project is to be seen: its dashboard, or this server's own page of it. */
export function projectUrl({ slug, dashboardUrl }: Pick<LinkContext['project'], 'slug' | 'dashboardUrl'>, publicUrl: string): string {
  return dashboardUrl ?? `${withoutSlash(publicUrl)}/projects/${percentEncode(slug)}`;
}

/**
 * `+37 similar since 12:04 UTC`; null where nothing was dropped. Where `since` lies a day or more before `atMs`, its date is named too, for the
 * time alone would be taken for a later one.
 */
export function suppressedText(suppressed: Suppressed | null, atMs: number): string | null {
  if (suppressed === null || suppressed.count < 1) return null;
  const { count, since } = suppressed;
  const [date, time] = new Date(since).toISOString().split('T') as [string, string];
  return `+${count} similar since ${atMs - since >= DAY_MS ? `${date} ` : ''}${time.slice(0, 5)} UTC`;
}

const TRIGGER_TITLES: Record<HeadingEvent['trigger'], string> = {
  'task.failed': 'Task failed',
  'task.succeeded': 'Task succeeded',
  'task.retried': 'Task retried',
  'task.slow': 'Task slow',
  'agent.offline': 'Agent offline',
  'agent.online': 'Agent online',
  'z4j.test': 'Test notification',
};

const BODY_CHARS_MAX = 500;
const DAY_MS = 86_400_000;

/** An empty name names nothing. */
function isGiven(text: string | null): text is string {
  return text !== null && text !== '';
}

function subjectOf({ id, trigger, taskId, taskName, agent }: HeadingEvent): string {
  const names = trigger.startsWith('agent.') ? [agent] : [taskName, taskId];
  return names.find(isGiven) ?? id;
}

const PLACEHOLDER = /\{(taskId|taskName|queue|agent)\}/g;

/** In one pass, so that nothing in a value is taken for a placeholder; null where a value is missing, which would make a link to elsewhere. */
function fillTemplate(template: string, event: LinkEvent): string | null {
  const given = (field: string | undefined) => event[field as 'taskId' | 'taskName' | 'queue' | 'agent'];
  if (Array.from(template.matchAll(PLACEHOLDER)).some(([, field]) => !isGiven(given(field)))) return null;
  return template.replaceAll(PLACEHOLDER, (_placeholder, field: string) => percentEncode(given(field) ?? ''));
}

/** RFC 3986 unreserved characters stay, all else is encoded: `!'()*` too, which end links in some formats. */
function percentEncode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
