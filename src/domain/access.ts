import type { Role, Viewer } from './viewer.ts';

/** Who may be named in the table: the agent token of the project, its members, its admins, and the instance's admins, members or not. */
type Audience = 'AGENT' | 'MEMBER' | 'ADMIN' | 'INSTANCE_ADMIN';

interface Rule {
  /** PROJECT: depends on what the viewer is to one project. OWN: the viewer's own things, outside of any project. INSTANCE: the whole instance. */
  scope: 'PROJECT' | 'OWN' | 'INSTANCE';
  who: readonly Audience[];
}

const AGENT_AND_ADMINS: readonly Audience[] = ['AGENT', 'ADMIN', 'INSTANCE_ADMIN'];
const MEMBERS: readonly Audience[] = ['MEMBER', 'ADMIN', 'INSTANCE_ADMIN'];
const ADMINS: readonly Audience[] = ['ADMIN', 'INSTANCE_ADMIN'];
const INSTANCE_ADMINS: readonly Audience[] = ['INSTANCE_ADMIN'];

/** Spec 10's table: each thing that can be done, and who may. */
export const ACTIONS = {
  'events.publish': { scope: 'PROJECT', who: AGENT_AND_ADMINS },

  /** The project, its members, its channels' names and types, agents, team and default subscriptions. */
  'project.read': { scope: 'PROJECT', who: MEMBERS },
  'match.preview': { scope: 'PROJECT', who: MEMBERS },
  'subscription.own': { scope: 'PROJECT', who: MEMBERS },
  'project.leave': { scope: 'PROJECT', who: MEMBERS },

  'channel.readConfig': { scope: 'PROJECT', who: ADMINS },
  'channel.manage': { scope: 'PROJECT', who: ADMINS },
  'subscription.team': { scope: 'PROJECT', who: ADMINS },
  'default.manage': { scope: 'PROJECT', who: ADMINS },
  'member.manage': { scope: 'PROJECT', who: ADMINS },
  'delivery.read': { scope: 'PROJECT', who: ADMINS },
  'delivery.manage': { scope: 'PROJECT', who: ADMINS },
  'audit.read': { scope: 'PROJECT', who: ADMINS },
  'agentToken.manage': { scope: 'PROJECT', who: ADMINS },
  'project.update': { scope: 'PROJECT', who: ADMINS },
  'project.delete': { scope: 'PROJECT', who: INSTANCE_ADMINS },

  /** The viewer's own name and account, channels, inbox, deliveries and tokens. */
  'self.use': { scope: 'OWN', who: MEMBERS },

  'user.manage': { scope: 'INSTANCE', who: INSTANCE_ADMINS },
  'project.create': { scope: 'INSTANCE', who: INSTANCE_ADMINS },
  'project.list': { scope: 'INSTANCE', who: INSTANCE_ADMINS },
  'userToken.manage': { scope: 'INSTANCE', who: INSTANCE_ADMINS },
  'instance.audit': { scope: 'INSTANCE', who: INSTANCE_ADMINS },
} as const satisfies Record<string, Rule>;

export type Action = keyof typeof ACTIONS;

/** The actions that ask what the viewer is to a project, and the others. */
export type ProjectAction = { [A in Action]: (typeof ACTIONS)[A]['scope'] extends 'PROJECT' ? A : never }[Action];
export type GeneralAction = Exclude<Action, ProjectAction>;

/** What a viewer is to a project: a member by role, its agent token, or nothing. */
export type Relation = Role | 'AGENT' | null;

export type Decision = 'ALLOW' | 'NOT_FOUND' | 'FORBIDDEN';

/**
 * Whether `viewer` may do `action`, being `relation` to the project that it is about (null where it is about none). What a viewer may not know
 * of is NOT_FOUND, what it knows but may not do is FORBIDDEN. That the project exists is for the caller to know.
 */
export function decide(action: Action, viewer: Viewer, relation: Relation): Decision {
  const { scope, who }: Rule = ACTIONS[action];
  if (scope === 'OWN') return viewer.kind === 'user' ? 'ALLOW' : 'FORBIDDEN';
  const audiences = audiencesOf(viewer, relation);
  if (audiences.some((audience) => who.includes(audience))) return 'ALLOW';
  return scope === 'PROJECT' && audiences.length === 0 ? 'NOT_FOUND' : 'FORBIDDEN';
}

/** What `viewer` is to the project `projectId`, where its membership there, if any, has `role`. */
export function relationOf(viewer: Viewer, projectId: string, role: Role | null): Relation {
  if (viewer.kind === 'agent') return viewer.projectId === projectId ? 'AGENT' : null;
  return role;
}

function audiencesOf(viewer: Viewer, relation: Relation): Audience[] {
  const audiences: Audience[] = relation === null ? [] : [relation];
  if (viewer.kind === 'user' && viewer.isAdmin) audiences.push('INSTANCE_ADMIN');
  return audiences;
}
