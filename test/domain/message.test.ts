import { describe, expect, test } from 'vitest';
import { eventBody, eventTitle, eventUrl, type LinkContext, type MessageEvent, suppressedText } from '../../src/domain/message.ts';

const TASK: MessageEvent = {
  id: 'event-1',
  trigger: 'task.failed',
  taskId: 'task-1',
  taskName: 'billing.run',
  queue: 'default',
  agent: 'worker-3',
  exception: null,
};

test.each<[string, Partial<MessageEvent>, string]>([
  ['a failed task by its name', {}, 'Task failed: billing.run'],
  ['a succeeded one', { trigger: 'task.succeeded' }, 'Task succeeded: billing.run'],
  ['a retried one', { trigger: 'task.retried' }, 'Task retried: billing.run'],
  ['a slow one', { trigger: 'task.slow' }, 'Task slow: billing.run'],
  ['an agent that went, by its name', { trigger: 'agent.offline' }, 'Agent offline: worker-3'],
  ['an agent that came back', { trigger: 'agent.online' }, 'Agent online: worker-3'],
  ['a task without a name by its id', { taskName: null }, 'Task failed: task-1'],
  ['a task with an empty name by its id', { taskName: '' }, 'Task failed: task-1'],
  ['a task with neither by the event', { taskName: null, taskId: null }, 'Task failed: event-1'],
  ['an agent without a name by the event', { trigger: 'agent.offline', agent: null }, 'Agent offline: event-1'],
])('the title names %s', (_what, given, expected) => {
  expect(eventTitle({ ...TASK, ...given })).toBe(expected);
});

test.each([
  ['nothing where there is no exception', null, null],
  ['a short one whole', 'ValueError: no', 'ValueError: no'],
  ['500 characters whole', 'x'.repeat(500), 'x'.repeat(500)],
  ['no more than 500', 'x'.repeat(501), 'x'.repeat(500)],
  ['code points, none of them halved', `x${'😀'.repeat(600)}`, `x${'😀'.repeat(499)}`],
  ['500 code points in 1,000 units whole', '😀'.repeat(500), '😀'.repeat(500)],
])('the body is %s', (_what, exception, expected) => {
  expect(eventBody({ exception })).toBe(expected);
});

describe('the link', () => {
  function link(event: Partial<MessageEvent>, project: Partial<LinkContext['project']> = {}, publicUrl = 'https://tocsin.example'): string {
    return eventUrl({ event: { ...TASK, ...event }, project: { slug: 'shop', dashboardUrl: null, taskUrlTemplate: null, ...project }, publicUrl });
  }
  const DASHBOARD = { dashboardUrl: 'https://dash.example/app' };
  const FLOWER = { ...DASHBOARD, taskUrlTemplate: 'https://flower.example/task/{taskId}' };

  test.each<[string, Partial<MessageEvent>, Partial<LinkContext['project']>, string]>([
    ['a task on our own page', {}, {}, 'https://tocsin.example/projects/shop/tasks/task-1'],
    ['an agent on our own page', { trigger: 'agent.offline' }, {}, 'https://tocsin.example/projects/shop/agents/worker-3'],
    ['a task on the dashboard', {}, DASHBOARD, 'https://dash.example/app/tasks/task-1'],
    ['an agent on the dashboard', { trigger: 'agent.online' }, DASHBOARD, 'https://dash.example/app/agents/worker-3'],
    ['a task without an id: the dashboard itself', { taskId: null }, DASHBOARD, 'https://dash.example/app'],
    ['a task without an id: our own page', { taskId: null }, {}, 'https://tocsin.example/projects/shop'],
    ['an agent without a name: the dashboard itself', { trigger: 'agent.offline', agent: null }, DASHBOARD, 'https://dash.example/app'],
    ['one slash where the dashboard ends in some', {}, { dashboardUrl: 'https://dash.example/app//' }, 'https://dash.example/app/tasks/task-1'],
    ['a dashboard that lives in the fragment', {}, { dashboardUrl: 'https://dash.example/#/' }, 'https://dash.example/#/tasks/task-1'],
    ['a task by the template before the dashboard', {}, FLOWER, 'https://flower.example/task/task-1'],
    ['an agent never by the template', { trigger: 'agent.offline' }, FLOWER, 'https://dash.example/app/agents/worker-3'],
    ['the dashboard where the template asks for what is not there', { taskId: null }, FLOWER, 'https://dash.example/app'],
    [
      'every placeholder, as often as it stands',
      {},
      { taskUrlTemplate: 'https://x.example/{queue}/{taskName}/{agent}/{taskId}?again={taskId}' },
      'https://x.example/default/billing.run/worker-3/task-1?again=task-1',
    ],
    ['what is no placeholder as it is', {}, { taskUrlTemplate: 'https://x.example/{id}/{taskid}' }, 'https://x.example/{id}/{taskid}'],
    ['values percent-encoded', { taskId: 'a/b?c#d é' }, {}, 'https://tocsin.example/projects/shop/tasks/a%2Fb%3Fc%23d%20%C3%A9'],
    ["what may end a link: !'()*", { taskId: "!'()*" }, {}, 'https://tocsin.example/projects/shop/tasks/%21%27%28%29%2A'],
    ['values in a template percent-encoded', { taskId: '../x' }, FLOWER, 'https://flower.example/task/..%2Fx'],
    [
      'a value that looks like a placeholder as a value',
      { queue: '{taskId}', taskId: '$&' },
      { taskUrlTemplate: 'https://x.example/{queue}/{taskId}' },
      'https://x.example/%7BtaskId%7D/%24%26',
    ],
  ])('shows %s', (_what, event, project, expected) => {
    expect(link(event, project)).toBe(expected);
  });

  test('takes a PUBLIC_URL that ends in a slash', () => {
    expect(link({}, {}, 'https://tocsin.example/')).toBe('https://tocsin.example/projects/shop/tasks/task-1');
  });

  test('never throws for a lone surrogate, which a project may hold from before it was checked', () => {
    expect(link({ taskId: '\ud800' })).toBe('https://tocsin.example/projects/shop/tasks/%EF%BF%BD');
  });
});

describe('what a cooldown dropped', () => {
  const SINCE = Date.UTC(2026, 10, 24, 12, 4, 59);

  test.each([
    ['the count and the time', { count: 37, since: SINCE }, SINCE + 300_000, '+37 similar since 12:04 UTC'],
    ['the time alone up to a day', { count: 1, since: SINCE }, SINCE + 86_399_999, '+1 similar since 12:04 UTC'],
    ['the date from a day on', { count: 1, since: SINCE }, SINCE + 86_400_000, '+1 similar since 2026-11-24 12:04 UTC'],
    ['nothing of none', { count: 0, since: SINCE }, SINCE, null],
    ['nothing of nothing', null, SINCE, null],
  ])('tells %s', (_what, suppressed, atMs, expected) => {
    expect(suppressedText(suppressed, atMs)).toBe(expected);
  });
});
