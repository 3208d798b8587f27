import type { Database } from '../db/database.ts';
import { DELIVERY_STATUSES, type DeliveryStatus } from '../domain/delivery.ts';
import type { Viewer } from '../domain/viewer.ts';
import { badInput, notFound } from '../lib/error.ts';
import { DELIVERIES_PER_CALL_MAX, type DeliveryFilter, listDeliveryIds } from '../pipeline/deliveries.ts';
import { type Access, enforce, requireInProject, requireUser } from './access.ts';

export interface DeliverySelection {
  /** Exactly one of ids and filter. */
  ids?: readonly string[] | null;
  projectId?: string | null;
  filter?: DeliveryFilter | null;
}

const IDS_MAX = 100;

/**
 * The deliveries that a viewer means and may queue again or cancel, at most 10,000 and only those of `statuses`: a project's admin those of the project's
 * channels, and everybody those of their own personal ones. Throws BAD_USER_INPUT, NOT_FOUND at `ids.N`, and FORBIDDEN.
 */
export async function selectDeliveries(db: Database, access: Access, input: DeliverySelection, statuses: readonly DeliveryStatus[]): Promise<string[]> {
  const { ids, filter } = input;
  if ((ids == null) === (filter == null)) throw badInput([{ path: 'ids', message: 'exactly one of ids and filter must be given' }]);
  if (ids == null) return await selectByFilter(db, access.viewer, input.projectId ?? null, filter ?? {}, statuses);
  if (ids.length > IDS_MAX) throw badInput([{ path: 'ids', message: `must have at most ${String(IDS_MAX)} ids` }]);
  return await selectByIds(db, access, ids);
}

async function selectByIds(db: Database, access: Access, ids: readonly string[]): Promise<string[]> {
  const select = { id: true, projectId: true, channelUserId: true };
  const rows = await db.prisma.delivery.findMany({ where: { id: { in: [...ids] } }, select });
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const [index, id] of ids.entries()) {
    const path = `ids.${String(index)}`;
    const row = byId.get(id);
    if (row === undefined) throw notFound(path, 'delivery');
    if (row.channelUserId !== null && row.channelUserId === requireUser(access.viewer)) continue;
    const decision = row.projectId === null ? 'NOT_FOUND' : await access.decide('delivery.manage', row.projectId);
    // An admin knows of sends to personal channels by the log, but they are their owner's.
    enforce(decision === 'ALLOW' && row.channelUserId !== null ? 'FORBIDDEN' : decision, path, 'delivery');
  }
  return [...byId.keys()];
}

async function selectByFilter(
  db: Database,
  viewer: Viewer,
  givenProjectId: string | null,
  filter: DeliveryFilter,
  statuses: readonly DeliveryStatus[],
): Promise<string[]> {
  const projectId = givenProjectId ?? filter.projectId ?? null;
  if (projectId === null) throw badInput([{ path: 'projectId', message: 'must be given with a filter' }]);
  await requireInProject(db.prisma, viewer, 'delivery.manage', projectId, 'projectId');
  const status = (filter.status ?? DELIVERY_STATUSES).filter((one) => statuses.includes(one));
  if (status.length === 0) return [];
  const page = { below: null, above: null, limit: DELIVERIES_PER_CALL_MAX, backward: false };
  const ids = await listDeliveryIds(db.sql, { projectId }, { ...filter, status }, page);
  const where = { id: { in: ids }, OR: [{ channelUserId: null }, { channelUserId: requireUser(viewer) }] };
  const allowed = await db.prisma.delivery.findMany({ where, select: { id: true }, orderBy: { id: 'desc' } });
  return allowed.map(({ id }) => id);
}
