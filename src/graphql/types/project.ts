import type { Project } from '../../generated/prisma/client.ts';
import { enforce, requireGeneral } from '../../service/access.ts';
import { visibleProjects } from '../../service/visible.ts';
import { builder } from '../builder.ts';
import { byId, ID_CURSOR, readPage, toConnection } from '../connection.ts';
import { accessOf, type Context, userOf, viewerOf } from '../context.ts';
import { RoleEnum } from '../enums.ts';
import { given } from '../given.ts';
import { readId } from '../ids.ts';
import { nodeQuery } from '../page-query.ts';
import { deletedPayload } from '../payload.ts';
import { defineNode, idOf, NodeInterface } from './node.ts';
import { ViewerType } from './viewer.ts';

export const ProjectType = builder.prismaObject('Project', {
  interfaces: [NodeInterface],
  fields: (t) => ({
    id: t.id({ resolve: (project) => idOf('Project', project.id) }),
    slug: t.exposeString('slug'),
    name: t.exposeString('name'),
    dashboardUrl: t.exposeString('dashboardUrl', {
      nullable: true,
      description: "Base of the links in outgoing messages; a task's link is this plus /tasks/<taskId>.",
    }),
    taskUrlTemplate: t.exposeString('taskUrlTemplate', {
      nullable: true,
      description:
        'Where tasks live elsewhere (Flower, Bull Board): https://flower.example.com/task/{taskId}; also {taskName} {queue} {agent}, each percent-encoded.',
    }),
    offlineAfterSeconds: t.exposeInt('offlineAfterSeconds'),
    viewerRole: t.field({
      type: RoleEnum,
      nullable: true,
      description: 'Null for an instance admin who is no member.',
      resolve: (project, _args, context) => accessOf(context).role(project.id),
    }),
  }),
});

defineNode('Project', (context, id) => context.load.project(id));

/** Throws unless the viewer may do `action` in a project that it has in hand (an answer to its own removal may still name it). */
export async function requireIn(context: Context, action: Parameters<ReturnType<typeof accessOf>['decide']>[0], projectId: string): Promise<void> {
  enforce(await accessOf(context).decide(action, projectId), '', 'project');
}

const ProjectConnection = builder.connectionObject({ type: ProjectType, name: 'ProjectConnection' }, { name: 'ProjectEdge' });

builder.objectField(ViewerType, 'projects', (t) =>
  t.connection(
    {
      type: ProjectType,
      resolve: async ({ userId }, args, context, info) => {
        const page = readPage(args, ID_CURSOR);
        const { where, ...rest } = byId(page);
        const own = { ...where, memberships: { some: { userId } } };
        const projects = await context.api.db.prisma.project.findMany({ ...nodeQuery(context, info), ...rest, where: own });
        return toConnection(page, projects, ID_CURSOR, (project) => project.id);
      },
    },
    ProjectConnection,
  ),
);

builder.queryFields((t) => ({
  project: t.prismaField({
    type: ProjectType,
    nullable: true,
    description: 'Null where it does not exist or the viewer may not know of it.',
    args: { slug: t.arg.string({ required: true }) },
    resolve: (query, _root, { slug }, context) =>
      context.api.db.prisma.project.findFirst({ ...query, where: { AND: [{ slug }, visibleProjects(userOf(context))] } }),
  }),
  projects: t.connection(
    {
      type: ProjectType,
      description: 'Instance admins: all projects.',
      resolve: async (_root, args, context, info) => {
        requireGeneral(viewerOf(context), 'project.list');
        const page = readPage(args, ID_CURSOR);
        const projects = await context.api.db.prisma.project.findMany({ ...nodeQuery(context, info), ...byId(page) });
        return toConnection(page, projects, ID_CURSOR, (project) => project.id);
      },
    },
    ProjectConnection,
  ),
}));

const CreateProjectInput = builder.inputType('CreateProjectInput', {
  fields: (t) => ({ slug: t.string({ required: true }), name: t.string({ required: true }), dashboardUrl: t.string() }),
});
const UpdateProjectInput = builder.inputType('UpdateProjectInput', {
  fields: (t) => ({ id: t.id({ required: true }), name: t.string(), dashboardUrl: t.string(), taskUrlTemplate: t.string() }),
});
const DeleteProjectInput = builder.inputType('DeleteProjectInput', {
  fields: (t) => ({ id: t.id({ required: true }), slug: t.string({ required: true }) }),
});

const CreateProjectPayload = builder.objectRef<{ project: Project }>('CreateProjectPayload').implement({
  fields: (t) => ({ project: t.expose('project', { type: ProjectType }) }),
});
const UpdateProjectPayload = builder.objectRef<{ project: Project }>('UpdateProjectPayload').implement({
  fields: (t) => ({ project: t.expose('project', { type: ProjectType }) }),
});
const DeleteProjectPayload = deletedPayload('DeleteProjectPayload', 'Project');

builder.mutationFields((t) => ({
  createProject: t.field({
    type: CreateProjectPayload,
    args: { input: t.arg({ type: CreateProjectInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      const result = await context.api.projects.createProject(viewerOf(context), given(input));
      accessOf(context).forget();
      return result;
    },
  }),
  updateProject: t.field({
    type: UpdateProjectPayload,
    args: { input: t.arg({ type: UpdateProjectInput, required: true }) },
    resolve: (_root, { input }, context) => context.api.projects.updateProject(viewerOf(context), { ...given(input), id: readId('Project', input.id, 'id') }),
  }),
  deleteProject: t.field({
    type: DeleteProjectPayload,
    description: 'Needs the slug again, so that nobody does it by accident.',
    args: { input: t.arg({ type: DeleteProjectInput, required: true }) },
    resolve: (_root, { input }, context) => context.api.projects.deleteProject(viewerOf(context), { slug: input.slug, id: readId('Project', input.id, 'id') }),
  }),
}));
