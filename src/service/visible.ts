import type { Viewer } from '../domain/viewer.ts';
import type { Prisma } from '../generated/prisma/client.ts';

// What a viewer may know of, as conditions of queries: for lists, for node(id), and for the objects that mutations name. A row outside of them is
// NOT_FOUND; whether the viewer may also change it is for domain/access.ts.

/** Projects: one's own; an instance admin's: all. An agent token reads none. */
export function visibleProjects(viewer: Viewer): Prisma.ProjectWhereInput {
  if (viewer.kind === 'agent') return NONE;
  return viewer.isAdmin ? {} : { memberships: { some: { userId: viewer.userId } } };
}

/** Users: oneself, and whoever one shares a project with; an instance admin's: all. */
export function visibleUsers(viewer: Viewer): Prisma.UserWhereInput {
  if (viewer.kind === 'agent') return NONE;
  if (viewer.isAdmin) return {};
  return { OR: [{ id: viewer.userId }, { memberships: { some: { project: visibleProjects(viewer) } } }] };
}

/** Tokens: one's own, and the agent tokens of the projects that one administers; an instance admin's: all. */
export function visibleTokens(viewer: Viewer): Prisma.ApiTokenWhereInput {
  if (viewer.kind === 'agent') return NONE;
  if (viewer.isAdmin) return {};
  return { OR: [{ userId: viewer.userId }, { project: { memberships: { some: { userId: viewer.userId, role: 'ADMIN' } } } }] };
}

/** Channels: one's own, and those of the projects that one knows. Personal channels are their owner's alone. */
export function visibleChannels(viewer: Viewer): Prisma.ChannelWhereInput {
  if (viewer.kind === 'agent') return NONE;
  return { OR: [{ userId: viewer.userId }, { userId: null, project: visibleProjects(viewer) }] };
}

/** Subscriptions: one's own, and the team ones of the projects that one knows. */
export function visibleSubscriptions(viewer: Viewer): Prisma.NotificationSubscriptionWhereInput {
  if (viewer.kind === 'agent') return NONE;
  return { OR: [{ userId: viewer.userId }, { userId: null, project: visibleProjects(viewer) }] };
}

/** Default subscriptions of the projects that one knows. */
export function visibleDefaults(viewer: Viewer): Prisma.DefaultSubscriptionWhereInput {
  return viewer.kind === 'agent' ? NONE : { project: visibleProjects(viewer) };
}

/** Users of whose name or address `query` is a part, in any case; all of them where it is empty. */
export function searchUsers(query: string | null): Prisma.UserWhereInput {
  if (query === null || query.trim() === '') return {};
  // Prisma hands "%" and "_" on to LIKE as they are.
  const contains = query.trim().replaceAll(/[\\%_]/g, '\\$&');
  return { OR: [{ email: { contains, mode: 'insensitive' } }, { name: { contains, mode: 'insensitive' } }] };
}

/** No row at all. */
const NONE = { id: { in: [] as string[] } };
