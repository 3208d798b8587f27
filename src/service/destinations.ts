import { notFound } from '../lib/error.ts';
import type { Tx } from './change.ts';
import type { Problems } from './refusals.ts';

/** Channels that one subscription may point to (spec 3). */
const SUBSCRIPTION_CHANNELS_MAX = 64;

/** Notes a list of channels that is too long. */
export function checkChannelCount(channelIds: readonly string[], problems: Problems): void {
  if (channelIds.length > SUBSCRIPTION_CHANNELS_MAX) problems.add('channelIds', `must have at most ${String(SUBSCRIPTION_CHANNELS_MAX)} channels`);
}

/** Notes a subscription that would tell nobody: at creation only, since deleting a channel may leave one later. */
export function checkDestination(inApp: boolean, channelIds: readonly string[], problems: Problems): void {
  if (!inApp && channelIds.length === 0) problems.add('channelIds', 'must have a channel where the inbox is not told');
}

/**
 * The channels to point to, each once. Throws NOT_FOUND at `channelIds.N` for the first that is neither the project's nor, where `userId` is set, that
 * user's own.
 */
export async function findChannels(
  tx: Tx,
  channelIds: readonly string[],
  { projectId, userId }: { projectId: string; userId: string | null },
): Promise<string[]> {
  const owners = userId === null ? [{ projectId }] : [{ projectId }, { userId }];
  const rows = await tx.channel.findMany({ where: { id: { in: [...channelIds] }, OR: owners }, select: { id: true } });
  const allowed = new Set(rows.map((row) => row.id));
  const missing = channelIds.findIndex((id) => !allowed.has(id));
  if (missing >= 0) throw notFound(`channelIds.${String(missing)}`, 'channel');
  return [...new Set(channelIds)];
}
