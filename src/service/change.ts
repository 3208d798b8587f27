import type { Database } from '../db/database.ts';
import { lockProjectsAlone, lockProjectsShared } from '../db/locks.ts';
import { sqlOf } from '../db/open.ts';
import type { Wakeups } from '../db/wakeups.ts';
import { Prisma } from '../generated/prisma/client.ts';
import { AppError } from '../lib/error.ts';

export type Tx = Prisma.TransactionClient;

/** Deliveries of one project that a change touched. */
export interface TouchedDeliveries {
  projectId: string;
  deliveryIds: readonly string[];
}

/** What to wake once a change is committed. */
export interface After {
  inbox(userIds: readonly string[]): void;
  deliveries(touched: readonly TouchedDeliveries[]): void;
  /** Rights were taken away. */
  access(): void;
}

/** A change as one transaction. `tx` is the only way to the database inside it: on PGlite anything else would wait for its end. */
export type Run<T> = (tx: Tx, after: After) => Promise<T>;

export interface Changes {
  /** Holds these projects alone, and moves their rules' versions: what recording reads stands still meanwhile. */
  alone<T>(projectIds: readonly string[], run: Run<T>): Promise<T>;
  /** Holds them against such changes only (of roles, above all): for what recording does not read. */
  shared<T>(projectIds: readonly string[], run: Run<T>): Promise<T>;
  /**
   * Like `alone` where which projects are concerned is itself subject to change: `pin` locks the rows that keep `find`'s answer from growing. Where it
   * grew before that, all is begun anew. Throws CONFLICT where it never stands still. `run` is told which projects are held.
   */
  aloneWhere<T>(
    found: { find(tx: Tx): Promise<string[]>; pin(tx: Tx): Promise<unknown> },
    run: (tx: Tx, after: After, held: readonly string[]) => Promise<T>,
  ): Promise<T>;
}

/** Times that a change of unsteady projects is begun; each needs a rival change within the same milliseconds. */
const TRIES_MAX = 8;

/** Changes of what people set up: one transaction each, wake-ups after its commit. */
export function createChanges({ db, wakeups }: { db: Database; wakeups: Wakeups }): Changes {
  async function commit<T>(run: Run<T>): Promise<T> {
    try {
      const { result, pending } = await db.prismaTransaction(async (tx) => {
        // The transaction may be repeated: only what its last run noted counts.
        const pending = createPending();
        return { result: await run(tx, pending), pending };
      });
      pending.send(wakeups);
      return result;
    } catch (error) {
      if (isPrismaError(error, FOREIGN_KEY)) throw new AppError('NOT_FOUND', 'something that this needs was deleted meanwhile', { cause: error });
      throw error;
    }
  }

  return {
    alone: (projectIds, run) =>
      commit(async (tx, after) => {
        if (projectIds.length > 0) await lockProjectsAlone(sqlOf(tx), projectIds);
        return await run(tx, after);
      }),
    shared: (projectIds, run) =>
      commit(async (tx, after) => {
        if (projectIds.length > 0) await lockProjectsShared(sqlOf(tx), projectIds);
        return await run(tx, after);
      }),
    aloneWhere: async (found, run) => {
      for (let tries = 0; tries < TRIES_MAX; tries += 1) {
        try {
          return await commit(async (tx, after) => {
            const held = await found.find(tx);
            if (held.length > 0) await lockProjectsAlone(sqlOf(tx), held);
            await found.pin(tx);
            if ((await found.find(tx)).some((id) => !held.includes(id))) throw new Moved();
            return await run(tx, after, held);
          });
        } catch (error) {
          if (!(error instanceof Moved)) throw error;
        }
      }
      throw new AppError('CONFLICT', 'others are changing the same thing: try again');
    },
  };
}

/** Answers a uniqueness that the database refused with `refusal`; every other error stays as it is. */
export async function orTaken<T>(change: Promise<T>, refusal: () => AppError): Promise<T> {
  try {
    return await change;
  } catch (error) {
    throw isPrismaError(error, UNIQUE) ? refusal() : error;
  }
}

/** https://www.prisma.io/docs/orm/reference/error-reference */
const UNIQUE = 'P2002';
const FOREIGN_KEY = 'P2003';

function isPrismaError(error: unknown, code: string): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === code;
}

/** Rolls a transaction back whose projects were not all held. */
class Moved extends Error {}

function createPending(): After & { send(wakeups: Wakeups): void } {
  const userIds = new Set<string>();
  const deliveryIds = new Map<string, Set<string>>();
  let hasAccess = false;
  return {
    inbox: (ids) => {
      for (const id of ids) userIds.add(id);
    },
    deliveries: (touched) => {
      for (const { projectId, deliveryIds: ids } of touched) deliveryIds.set(projectId, (deliveryIds.get(projectId) ?? new Set()).union(new Set(ids)));
    },
    access: () => {
      hasAccess = true;
    },
    send: (wakeups) => {
      if (hasAccess) wakeups.access();
      if (userIds.size > 0) wakeups.inbox([...userIds]);
      for (const [projectId, ids] of deliveryIds) wakeups.deliveries(projectId, [...ids]);
    },
  };
}
