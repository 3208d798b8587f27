import type { Viewer } from '../domain/viewer.ts';
import type { Channel, PrismaClient } from '../generated/prisma/client.ts';
import { notFound } from '../lib/error.ts';
import { requireInProject } from './access.ts';
import { visibleChannels } from './visible.ts';

type Reader = Pick<PrismaClient, 'channel' | 'membership' | 'project'>;

/** A channel that the viewer may change: an own one, or one of a project that it administers. Throws NOT_FOUND at `path`, and FORBIDDEN. */
export async function findManagedChannel(db: Reader, viewer: Viewer, id: string, path: string): Promise<Channel> {
  const channel = await db.channel.findFirst({ where: { AND: [{ id }, visibleChannels(viewer)] } });
  if (channel === null) throw notFound(path, 'channel');
  if (channel.projectId !== null) await requireInProject(db, viewer, 'channel.manage', channel.projectId, path);
  return channel;
}
