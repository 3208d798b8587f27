import type { Trigger } from '../domain/trigger.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { DefaultSubscription } from '../generated/prisma/client.ts';
import { notFound } from '../lib/error.ts';
import { changeProject, type ServiceDeps } from './deps.ts';
import { checkChannelCount, checkDestination, findChannels } from './destinations.ts';
import { type FiltersInput, filtersOf, mergeFilters, NO_FILTERS } from './filters.ts';
import { accept, createProblems } from './refusals.ts';
import { visibleDefaults } from './visible.ts';

interface DefaultFields {
  filters?: FiltersInput | null;
  inApp?: boolean | null;
  /** The project's own only. */
  channelIds?: readonly string[] | null;
}

export interface Defaults {
  createDefaultSubscription(
    viewer: Viewer,
    input: DefaultFields & { projectId: string; trigger: Trigger },
  ): Promise<{ defaultSubscription: DefaultSubscription }>;
  /** What members already have stays as it is: they own their copies. */
  updateDefaultSubscription(
    viewer: Viewer,
    input: DefaultFields & { id: string; trigger?: Trigger | null },
  ): Promise<{ defaultSubscription: DefaultSubscription }>;
  deleteDefaultSubscription(viewer: Viewer, input: { id: string }): Promise<{ id: string }>;
}

/** What a project's new members are subscribed to. */
export function createDefaults(deps: ServiceDeps): Defaults {
  const { db, clock, newId } = deps;

  async function projectOf(viewer: Viewer, id: string): Promise<string> {
    const known = await db.prisma.defaultSubscription.findFirst({ where: { AND: [{ id }, visibleDefaults(viewer)] }, select: { projectId: true } });
    if (known === null) throw notFound('id', 'default subscription');
    return known.projectId;
  }

  return {
    createDefaultSubscription: async (viewer, { projectId, trigger, ...input }) => {
      const problems = createProblems();
      const filters = mergeFilters(NO_FILTERS, input.filters, problems);
      const inApp = input.inApp ?? true;
      const channelIds = input.channelIds ?? [];
      checkChannelCount(channelIds, problems);
      checkDestination(inApp, channelIds, problems);
      problems.throwIfAny();
      return await changeProject(deps, { viewer, action: 'default.manage', projectId, path: 'projectId' }, async (tx) => {
        const allowed = await findChannels(tx, channelIds, { projectId, userId: null });
        const row = { ...filters, id: newId(), projectId, trigger, inApp, createdAt: new Date(clock.now()) };
        const channels = { create: allowed.map((channelId) => ({ channelId })) };
        return { defaultSubscription: await tx.defaultSubscription.create({ data: { ...row, channels } }) };
      });
    },

    updateDefaultSubscription: async (viewer, { id, ...input }) => {
      const projectId = await projectOf(viewer, id);
      return await changeProject(deps, { viewer, action: 'default.manage', projectId, path: 'id' }, async (tx) => {
        const before = await tx.defaultSubscription.findUnique({ where: { id } });
        if (before === null) throw notFound('id', 'default subscription');
        const problems = createProblems();
        const trigger = problems.given('trigger', input.trigger, accept<Trigger>) ?? before.trigger;
        const inApp = problems.given('inApp', input.inApp, accept<boolean>) ?? before.inApp;
        const channelIds = problems.given('channelIds', input.channelIds, accept<readonly string[]>);
        const filters = mergeFilters(filtersOf(before), input.filters, problems);
        checkChannelCount(channelIds ?? [], problems);
        problems.throwIfAny();
        if (channelIds !== undefined) {
          const allowed = await findChannels(tx, channelIds, { projectId, userId: null });
          await tx.defaultChannel.deleteMany({ where: { defaultId: id } });
          await tx.defaultChannel.createMany({ data: allowed.map((channelId) => ({ defaultId: id, channelId })) });
        }
        return { defaultSubscription: await tx.defaultSubscription.update({ where: { id }, data: { ...filters, trigger, inApp } }) };
      });
    },

    deleteDefaultSubscription: async (viewer, { id }) => {
      const projectId = await projectOf(viewer, id);
      return await changeProject(deps, { viewer, action: 'default.manage', projectId, path: 'id' }, async (tx) => {
        const { count } = await tx.defaultSubscription.deleteMany({ where: { id } });
        if (count === 0) throw notFound('id', 'default subscription');
        return { id };
      });
    },
  };
}
