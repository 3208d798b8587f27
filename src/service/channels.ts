import type { StoredConfig } from '../channels/config.ts';
import { sqlOf } from '../db/open.ts';
import { checkName } from '../domain/names.ts';
import type { HttpPort, MailPort } from '../domain/ports.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { Channel, ChannelHealth } from '../generated/prisma/client.ts';
import { AppError, notFound } from '../lib/error.ts';
import type { Keyring } from '../lib/seal.ts';
import { cancelForChannel } from '../pipeline/cancel.ts';
import { forgetSlots } from '../pipeline/pacer.ts';
import { requireInProject, requireUser } from './access.ts';
import { type After, orTaken, type Tx } from './change.ts';
import { type ConfigInput, kindOf, openConfig, type PreparedConfig, prepareConfig, sealConfig } from './channel-config.ts';
import { changeProject, type ServiceDeps } from './deps.ts';
import { findManagedChannel } from './managed-channel.ts';
import { accept, conflict, createProblems } from './refusals.ts';

export interface CreateChannelInput {
  /** Without it the channel is the viewer's own. */
  projectId?: string | null;
  name: string;
  config: ConfigInput;
  isActive?: boolean | null;
}

export interface UpdateChannelInput {
  id: string;
  name?: string | null;
  /** Laid over the stored one: an omitted field keeps its value, and so does a masked secret. */
  config?: ConfigInput | null;
  isActive?: boolean | null;
}

export interface Channels {
  createChannel(viewer: Viewer, input: CreateChannelInput): Promise<{ channel: Channel }>;
  /**
   * A copy with its secrets and a health of its own, for whoever may change both the channel and what is to own the copy. It is on or off as the channel is.
   * Without projectId the copy is the viewer's own.
   */
  copyChannel(viewer: Viewer, input: { id: string; projectId?: string | null; name: string }): Promise<{ channel: Channel }>;
  /** Switching a channel off cancels what waits for it; switching it on again forgets why it was off, and its failures. */
  updateChannel(viewer: Viewer, input: UpdateChannelInput): Promise<{ channel: Channel }>;
  /** Takes it off its subscriptions and cancels what waits for it. */
  deleteChannel(viewer: Viewer, input: { id: string }): Promise<{ id: string }>;
}

/** What is to be made, checked but for its config. */
interface NewChannel {
  projectId: string | null;
  name: string;
}
interface NewConfig {
  type: string;
  stored: StoredConfig;
  isActive: boolean;
}

const UNCHANGED = { columns: {}, health: {} };

/** Times that an update is begun anew where the config was changed by somebody else meanwhile. */
const TRIES_MAX = 5;

/** A new config deserves a try at once, whatever the old one did. */
const REACHABLE = { unreachable: 0, probeAt: null };
/** What a channel's health is without a failure; when it last worked and last failed stays known. */
const HEALTHY = { ...REACHABLE, consecutiveFailures: 0, failingSince: null, noticed: false };

/** Project channels and personal ones. */
export function createChannels(deps: ServiceDeps & { http: HttpPort; mail: MailPort; keyring: Keyring }): Channels {
  const { db, changes, jobs, clock, newId, keyring } = deps;

  /** A new channel of the project, or the viewer's own; its owner's rights and its name are checked, `find` gives the rest inside the transaction. */
  async function insert(viewer: Viewer, { projectId, name }: NewChannel, find: (tx: Tx) => Promise<NewConfig>): Promise<Channel> {
    const userId = projectId === null ? requireUser(viewer) : null;
    const id = newId();
    const run = async (tx: Tx): Promise<Channel> => {
      const { type, stored, isActive } = await find(tx);
      const now = new Date(clock.now());
      const owner = { projectId, userId, ownerId: projectId ?? userId ?? '' };
      const row = { ...owner, ...sealConfig(keyring, { id, type }, stored), id, name, type, isActive };
      return await tx.channel.create({ data: { ...row, health: { create: {} }, createdAt: now, updatedAt: now } });
    };
    const inserted = projectId === null ? changes.alone([], run) : changeProject(deps, { viewer, action: 'channel.manage', projectId, path: 'projectId' }, run);
    return await orTaken(inserted, nameTaken);
  }

  /** Throws unless the viewer may make a channel there: before anything is looked up on the network. Gives its checked name. */
  async function checkNew(viewer: Viewer, input: { projectId?: string | null; name: string }): Promise<NewChannel> {
    const projectId = input.projectId ?? null;
    if (projectId === null) requireUser(viewer);
    else await requireInProject(db.prisma, viewer, 'channel.manage', projectId, 'projectId');
    const problems = createProblems();
    const name = problems.take('name', checkName(input.name));
    problems.throwIfAny();
    return { projectId, name: name ?? '' };
  }

  /** A change of a channel, with all projects held whose subscriptions point to it, and its row. */
  async function change<T>(viewer: Viewer, { id, projectId }: Channel, run: (tx: Tx, after: After, channel: Channel) => Promise<T>): Promise<T> {
    const findProjects = async (tx: Tx): Promise<string[]> => (projectId === null ? await projectsPointingTo(tx, id) : [projectId]);
    return await changes.aloneWhere({ find: findProjects, pin: (tx) => lockChannel(tx, id) }, async (tx, after) => {
      if (projectId !== null) await requireInProject(tx, viewer, 'channel.manage', projectId, 'id');
      const channel = await tx.channel.findUnique({ where: { id } });
      if (channel === null) throw notFound('id', 'channel');
      return await run(tx, after, channel);
    });
  }

  /** The channel's config with `given` laid over it. */
  async function prepareOver(channel: Channel, given: ConfigInput): Promise<PreparedConfig> {
    return await prepareConfig(deps, given, { type: channel.type, config: openConfig(keyring, channel) }, clock.now());
  }

  /** What a new config changes. One that leads to another place deserves a try at once, whatever held the old one, and has no slots there. */
  async function reconfigure(tx: Tx, before: Channel, { stored, hasMoved }: PreparedConfig): Promise<{ columns: object; health: Partial<ChannelHealth> }> {
    const sealed = sealConfig(keyring, before, stored);
    const isElsewhere = hasMoved || sealed.destination !== before.destination;
    if (isElsewhere) await forgetSlots(sqlOf(tx), before.id);
    return { columns: { ...sealed, version: before.version + 1 }, health: { ...REACHABLE, ...(isElsewhere ? { heldUntil: null } : {}) } };
  }

  /** One try; null where the config that it was to be laid over is not the stored one any more. */
  async function tryUpdate(viewer: Viewer, input: UpdateChannelInput): Promise<Channel | null> {
    const seen = await findManagedChannel(db.prisma, viewer, input.id, 'id');
    const { config: given, ...status } = readUpdate(input);
    const prepared = given === undefined ? null : await prepareOver(seen, given);
    return await change(viewer, seen, async (tx, after, before) => {
      if (prepared !== null && before.version !== seen.version) return null;
      const { name, isActive, disabledReason } = { ...before, ...status };
      if (before.isActive && !isActive) after.deliveries(await cancelForChannel(sqlOf(tx), jobs, before.id, 'CHANNEL_OFF', clock.now()));
      const isSwitchedOn = isActive && !before.isActive;
      const { health, columns } = prepared === null ? UNCHANGED : await reconfigure(tx, before, prepared);
      const data = { ...(isSwitchedOn ? HEALTHY : {}), ...health };
      await tx.channelHealth.updateMany({ where: { channelId: before.id }, data });
      const row = { name, isActive, disabledReason: isSwitchedOn ? null : disabledReason, ...columns, updatedAt: new Date(clock.now()) };
      return await tx.channel.update({ where: { id: before.id }, data: row });
    });
  }

  return {
    createChannel: async (viewer, input) => {
      const owned = await checkNew(viewer, input);
      const { stored } = await prepareConfig(deps, input.config, null, clock.now());
      const config = { type: kindOf(input.config).kind.kind, stored, isActive: input.isActive ?? true };
      return { channel: await insert(viewer, owned, () => Promise.resolve(config)) };
    },

    copyChannel: async (viewer, input) => {
      const source = await findManagedChannel(db.prisma, viewer, input.id, 'id');
      const owned = await checkNew(viewer, input);
      // Egress policy may have been narrowed since it was saved.
      await prepareOver(source, { [source.type]: {} });
      const channel = await insert(viewer, owned, async (tx) => {
        const { type, isActive, ...sealed } = await findManagedChannel(tx, viewer, input.id, 'id');
        return { type, isActive, stored: openConfig(keyring, sealed) };
      });
      return { channel };
    },

    updateChannel: async (viewer, input) => {
      for (let tries = 0; tries < TRIES_MAX; tries += 1) {
        const channel = await orTaken(tryUpdate(viewer, input), nameTaken);
        if (channel !== null) return { channel };
      }
      throw new AppError('CONFLICT', 'others are changing the same channel: try again');
    },

    deleteChannel: async (viewer, { id }) => {
      const seen = await findManagedChannel(db.prisma, viewer, id, 'id');
      return await change(viewer, seen, async (tx, after) => {
        after.deliveries(await cancelForChannel(sqlOf(tx), jobs, id, 'CHANNEL_DELETED', clock.now()));
        await tx.channel.delete({ where: { id } });
        return { id };
      });
    },
  };
}

function readUpdate(input: UpdateChannelInput): { name?: string; isActive?: boolean; config?: ConfigInput } {
  const problems = createProblems();
  const name = problems.given('name', input.name, checkName);
  const isActive = problems.given('isActive', input.isActive, accept<boolean>);
  const config = problems.given('config', input.config, accept<ConfigInput>);
  problems.throwIfAny();
  return { ...(name === undefined ? {} : { name }), ...(isActive === undefined ? {} : { isActive }), ...(config === undefined ? {} : { config }) };
}

async function projectsPointingTo(tx: Tx, channelId: string): Promise<string[]> {
  const where = { channels: { some: { channelId } } };
  const rows = await tx.notificationSubscription.findMany({ where, select: { projectId: true }, distinct: ['projectId'] });
  return rows.map((row) => row.projectId);
}

/** While its row is locked like this, the foreign key of a further subscription that is to point to it waits. */
async function lockChannel(tx: Tx, channelId: string): Promise<void> {
  await sqlOf(tx).query('SELECT id FROM channels WHERE id = $1::uuid FOR UPDATE', [channelId]);
}

function nameTaken(): AppError {
  return conflict('name', 'a channel of this name exists');
}
