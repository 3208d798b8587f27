import { describe, expect, test } from 'vitest';
import { ACTIONS, type Action, type Decision, decide, relationOf } from '../../src/domain/access.ts';
import type { Role, Viewer } from '../../src/domain/viewer.ts';

const PROJECT = 'project';
const user = (isAdmin: boolean): Viewer => ({ kind: 'user', userId: 'user', isAdmin, tokenId: 'token', expiresAt: null });
const agent = (projectId: string): Viewer => ({ kind: 'agent', projectId, tokenId: 'token', expiresAt: null });

/** The columns of the table below, in their order. */
const VIEWERS: readonly [string, Viewer, Role | null][] = [
  ['agent token of the project', agent(PROJECT), null],
  ['agent token of another project', agent('other'), null],
  ['user who is no member', user(false), null],
  ['member', user(false), 'MEMBER'],
  ['project admin', user(false), 'ADMIN'],
  ['instance admin, no member', user(true), null],
  ['instance admin, member', user(true), 'MEMBER'],
];

const Y: Decision = 'ALLOW';
const N: Decision = 'NOT_FOUND';
const F: Decision = 'FORBIDDEN';

/** Spec 10, written out. */
const TABLE: Record<Action, readonly Decision[]> = {
  'events.publish': [Y, N, N, F, Y, Y, Y],
  'project.read': [F, N, N, Y, Y, Y, Y],
  'match.preview': [F, N, N, Y, Y, Y, Y],
  'subscription.own': [F, N, N, Y, Y, Y, Y],
  'project.leave': [F, N, N, Y, Y, Y, Y],
  'channel.readConfig': [F, N, N, F, Y, Y, Y],
  'channel.manage': [F, N, N, F, Y, Y, Y],
  'subscription.team': [F, N, N, F, Y, Y, Y],
  'default.manage': [F, N, N, F, Y, Y, Y],
  'member.manage': [F, N, N, F, Y, Y, Y],
  'delivery.read': [F, N, N, F, Y, Y, Y],
  'delivery.manage': [F, N, N, F, Y, Y, Y],
  'audit.read': [F, N, N, F, Y, Y, Y],
  'agentToken.manage': [F, N, N, F, Y, Y, Y],
  'project.update': [F, N, N, F, Y, Y, Y],
  'project.delete': [F, N, N, F, F, Y, Y],
  'self.use': [F, F, Y, Y, Y, Y, Y],
  'user.manage': [F, F, F, F, F, Y, Y],
  'project.create': [F, F, F, F, F, Y, Y],
  'project.list': [F, F, F, F, F, Y, Y],
  'userToken.manage': [F, F, F, F, F, Y, Y],
  'instance.audit': [F, F, F, F, F, Y, Y],
};

const CASES = Object.entries(TABLE).flatMap(([action, row]) =>
  VIEWERS.map(([name, viewer, role], column) => ({ action: action as Action, name, viewer, role, expected: row[column] })),
);

describe('decide', () => {
  test('the table here names every action', () => {
    expect(Object.keys(TABLE).sort()).toEqual(Object.keys(ACTIONS).sort());
  });

  test.each(CASES)('$action by $name: $expected', ({ action, viewer, role, expected }) => {
    expect(decide(action, viewer, relationOf(viewer, PROJECT, role))).toBe(expected);
  });

  test('an agent token is no member, whatever role is given with it', () => {
    expect(relationOf(agent('other'), PROJECT, 'ADMIN')).toBeNull();
  });
});
