import type { Database, Sql } from '../db/database.ts';
import { type Decision, decide, type GeneralAction, type ProjectAction, relationOf } from '../domain/access.ts';
import type { Role, Viewer } from '../domain/viewer.ts';
import type { PrismaClient } from '../generated/prisma/client.ts';
import { notFound } from '../lib/error.ts';
import { forbidden } from './refusals.ts';

/** What one request may do, for what is asked about many objects: roles are read once. */
export interface Access {
  readonly viewer: Viewer;
  /** The viewer's role in a project; null where it is no member. */
  role(projectId: string): Promise<Role | null>;
  decide(action: ProjectAction, projectId: string): Promise<Decision>;
  /** Lets a change of roles within the same request be seen. */
  forget(): void;
}

/** The access of one request. All of the viewer's roles are read at the first question, in one query. */
export function createAccess(db: Database, viewer: Viewer): Access {
  let roles: Promise<Map<string, Role>> | null = null;

  async function load(): Promise<Map<string, Role>> {
    if (viewer.kind === 'agent') return new Map();
    const rows = await db.prisma.membership.findMany({ where: { userId: viewer.userId }, select: { projectId: true, role: true } });
    return new Map(rows.map((row) => [row.projectId, row.role as Role]));
  }

  async function role(projectId: string): Promise<Role | null> {
    roles ??= load();
    return (await roles).get(projectId) ?? null;
  }

  return {
    viewer,
    role,
    decide: async (action, projectId) => decide(action, viewer, relationOf(viewer, projectId, await role(projectId))),
    forget: () => {
      roles = null;
    },
  };
}

type Reader = Pick<PrismaClient, 'membership' | 'project'>;

/**
 * Throws unless `viewer` may do `action` in the project: NOT_FOUND at `path` where the project does not exist or it may not know of it, FORBIDDEN where
 * it knows of it. Roles are read anew: in a transaction that holds the project's lock the answer stands until its end.
 */
export async function requireInProject(db: Reader, viewer: Viewer, action: ProjectAction, projectId: string, path: string): Promise<void> {
  const relation = relationOf(viewer, projectId, await readRole(db, viewer, projectId));
  enforce(decide(action, viewer, relation), path, 'project');
  // Whoever belongs to a project proves that it exists; an instance admin may name one that does not.
  if (relation === null && (await db.project.findUnique({ where: { id: projectId }, select: { id: true } })) === null) throw notFound(path, 'project');
}

/**
 * The id of the project of this slug, for events. One statement, since every call of a producer asks it. Throws NOT_FOUND at `project` where there is none
 * or the viewer may not know of it, FORBIDDEN where it may not publish.
 */
export async function projectToPublish(sql: Sql, viewer: Viewer, slug: string): Promise<string> {
  const [project] = await sql.query<{ id: string; role: Role | null }>(
    'SELECT p.id, m.role FROM projects AS p LEFT JOIN memberships AS m ON m.project_id = p.id AND m.user_id = $2::uuid WHERE p.slug = $1',
    [slug, viewer.kind === 'user' ? viewer.userId : null],
  );
  if (project === undefined) throw notFound('project', 'project');
  enforce(decide('events.publish', viewer, relationOf(viewer, project.id, project.role)), 'project', 'project');
  return project.id;
}

/** Throws FORBIDDEN unless `viewer` may do `action`, which is about no project. */
export function requireGeneral(viewer: Viewer, action: GeneralAction): void {
  if (decide(action, viewer, null) !== 'ALLOW') throw forbidden();
}

/** The viewer's user id. Throws FORBIDDEN for an agent token, which has no account of its own. */
export function requireUser(viewer: Viewer): string {
  if (viewer.kind !== 'user') throw forbidden();
  return viewer.userId;
}

/** Throws where a decision is no ALLOW: NOT_FOUND of `what` at `path`, or FORBIDDEN. */
export function enforce(decision: Decision, path: string, what: string): void {
  if (decision === 'NOT_FOUND') throw notFound(path, what);
  if (decision === 'FORBIDDEN') throw forbidden();
}

async function readRole(db: Reader, viewer: Viewer, projectId: string): Promise<Role | null> {
  if (viewer.kind !== 'user') return null;
  const row = await db.membership.findUnique({ where: { projectId_userId: { projectId, userId: viewer.userId } }, select: { role: true } });
  return (row?.role ?? null) as Role | null;
}
