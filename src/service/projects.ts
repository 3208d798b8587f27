import { sqlOf } from '../db/open.ts';
import { checkDashboardUrl, checkName, checkSlug, checkTaskUrlTemplate } from '../domain/names.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { Project } from '../generated/prisma/client.ts';
import { badInput } from '../lib/error.ts';
import { removeInboxItems } from '../pipeline/inbox-log.ts';
import { requireGeneral, requireUser } from './access.ts';
import { orTaken } from './change.ts';
import { changeProject, type ServiceDeps } from './deps.ts';
import { join } from './membership.ts';
import { lockChannelsOf, purgeProject } from './purge.ts';
import { conflict, createProblems } from './refusals.ts';

export interface UpdateProjectInput {
  id: string;
  name?: string | null;
  /** Null clears it, like the next. */
  dashboardUrl?: string | null;
  taskUrlTemplate?: string | null;
}

export interface Projects {
  /** Its creator is the first admin, and gets a copy of the one default subscription that a new project has. */
  createProject(viewer: Viewer, input: { slug: string; name: string; dashboardUrl?: string | null }): Promise<{ project: Project }>;
  updateProject(viewer: Viewer, input: UpdateProjectInput): Promise<{ project: Project }>;
  /** Deletes a project and all that belongs to it. Its slug is asked for again, so that nobody does it by accident. */
  deleteProject(viewer: Viewer, input: { id: string; slug: string }): Promise<{ id: string }>;
}

/** What a new project tells those who join it (spec 3). */
const FIRST_DEFAULT = { trigger: 'task.failed', inApp: true } as const;

/** The instance's projects. */
export function createProjects(deps: ServiceDeps): Projects {
  const { changes, jobs, clock, newId } = deps;

  return {
    createProject: async (viewer, input) => {
      requireGeneral(viewer, 'project.create');
      const userId = requireUser(viewer);
      const problems = createProblems();
      const slug = problems.take('slug', checkSlug(input.slug));
      const name = problems.take('name', checkName(input.name));
      const dashboardUrl = problems.clearable('dashboardUrl', input.dashboardUrl, checkDashboardUrl) ?? null;
      problems.throwIfAny();
      const now = new Date(clock.now());
      const change = changes.alone([], async (tx) => {
        const project = await tx.project.create({ data: { id: newId(), slug: slug ?? '', name: name ?? '', dashboardUrl, createdAt: now } });
        await tx.defaultSubscription.create({ data: { ...FIRST_DEFAULT, id: newId(), projectId: project.id, createdAt: now } });
        await join(deps, tx, { projectId: project.id, userId, role: 'ADMIN' });
        return { project };
      });
      return await orTaken(change, () => conflict('slug', 'a project of this slug exists'));
    },

    updateProject: async (viewer, input) => {
      const problems = createProblems();
      const name = problems.given('name', input.name, checkName);
      const dashboardUrl = problems.clearable('dashboardUrl', input.dashboardUrl, checkDashboardUrl);
      const taskUrlTemplate = problems.clearable('taskUrlTemplate', input.taskUrlTemplate, checkTaskUrlTemplate);
      const data = {
        ...(name === undefined ? {} : { name }),
        ...(dashboardUrl === undefined ? {} : { dashboardUrl }),
        ...(taskUrlTemplate === undefined ? {} : { taskUrlTemplate }),
      };
      problems.throwIfAny();
      const by = { viewer, action: 'project.update', projectId: input.id, path: 'id' } as const;
      return await changeProject(deps, by, async (tx) => ({ project: await tx.project.update({ where: { id: input.id }, data }) }));
    },

    deleteProject: async (viewer, { id, slug }) =>
      await changeProject(deps, { viewer, action: 'project.delete', projectId: id, path: 'id' }, async (tx, after) => {
        const project = await tx.project.findUniqueOrThrow({ where: { id }, select: { slug: true } });
        if (project.slug !== slug) throw badInput([{ path: 'slug', message: 'is not the slug of this project' }]);
        await lockChannelsOf(sqlOf(tx), id);
        after.inbox(await removeInboxItems(sqlOf(tx), { projectId: id, userIds: null }, clock.now()));
        await purgeProject(sqlOf(tx), jobs, id);
        await tx.project.delete({ where: { id } });
        after.access();
        return { id };
      }),
  };
}
