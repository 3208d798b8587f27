import type { Viewer } from '../../domain/viewer.ts';
import type { Delivery } from '../../generated/prisma/client.ts';
import { AppError } from '../../lib/error.ts';
import { createAccess, requireInProject } from '../../service/access.ts';
import { builder } from '../builder.ts';
import { accessOf, type Context, viewerOf } from '../context.ts';
import { readId } from '../ids.ts';
import { stoppable } from '../stream.ts';
import { DeliveryType } from './delivery.ts';

/** The last value of a stream whose viewer lost the right to it: it is answered with FORBIDDEN, then the stream completes (spec 10). */
const REVOKED = Symbol('revoked');

builder.subscriptionField('deliveries', (t) =>
  t.field({
    type: DeliveryType,
    description: "The project's deliveries as they are queued, attempted and finished (admins).",
    args: { projectId: t.arg.id({ required: true }) },
    subscribe: async (_root, args, context) => {
      const projectId = readId('Project', args.projectId, 'projectId');
      await requireInProject(context.api.db.prisma, viewerOf(context), 'delivery.read', projectId, 'projectId');
      return stoppable((signal) => watch(context, projectId, signal));
    },
    resolve: (delivery, _args, context) => {
      accessOf(context).forget();
      if (delivery === REVOKED) throw new AppError('FORBIDDEN', 'not allowed any more');
      return delivery;
    },
  }),
);

async function* watch(context: Context, projectId: string, signal: AbortSignal): AsyncGenerator<Delivery | typeof REVOKED, void, undefined> {
  const { wakeups, deliveryFeed, db } = context.api;
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);

  async function check(): Promise<void> {
    const decision = await createAccess(db, await currentViewer(context)).decide('delivery.read', projectId);
    if (decision !== 'ALLOW') ended.abort(REVOKED);
  }
  // A check that fails counts as a no: the client subscribes again.
  const recheck = (): void => void check().catch(() => ended.abort());
  const unsubscribe = wakeups.subscribe({ access: recheck, reconnected: recheck });

  try {
    for await (const id of deliveryFeed.open(projectId, stop)) {
      const delivery = await context.load.delivery(id);
      if (delivery !== null && !stop.aborted) yield delivery;
    }
    if (ended.signal.reason === REVOKED) yield REVOKED;
  } finally {
    unsubscribe();
  }
}

/** The viewer as the database has it now: the session learns of a change at the same time as this stream does. */
async function currentViewer(context: Context): Promise<Viewer> {
  const viewer = viewerOf(context);
  if (viewer.kind !== 'user') return viewer;
  const user = await context.api.db.prisma.user.findUnique({ where: { id: viewer.userId }, select: { isAdmin: true } });
  return { ...viewer, isAdmin: user?.isAdmin === true };
}
