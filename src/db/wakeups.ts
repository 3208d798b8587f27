import type { Database } from './database.ts';

/** What may be looked at again. Wake-ups carry no data: readers read rows after their own position. */
export interface Wakeups {
  /** These users' inboxes have new changes. */
  inbox(userIds: readonly string[]): void;
  /** Deliveries of this project were queued, attempted or finished; ids name them for those who watch. */
  deliveries(projectId: string, deliveryIds: readonly string[]): void;
  /** Jobs are due. */
  jobs(): void;
  /** Tokens, users or memberships changed: whoever holds a live connection checks it again. */
  access(): void;
}

export interface WakeupListener {
  /** "*" stands for every user. */
  inbox(userIds: readonly string[] | '*'): void;
  deliveries(projectId: string, deliveryIds: readonly string[]): void;
  jobs(): void;
  access(): void;
  /** The connection to the other replicas was lost and is back: anything may have been missed. */
  reconnected(): void;
}

export interface WakeupBus extends Wakeups {
  /** The returned function takes the listener off. */
  subscribe(listener: Partial<WakeupListener>): () => void;
  /** Sends what is pending, then stops. */
  close(): Promise<void>;
}

interface Hints {
  inbox: Set<string>;
  deliveries: Map<string, Set<string>>;
  jobs: boolean;
  access: boolean;
}

/**
 * Wake-ups within this process at once, and to other replicas by NOTIFY: coalesced while one is under way, in payloads below PostgreSQL's
 * limit of 8,000 bytes (https://www.postgresql.org/docs/current/sql-notify.html), never inside a transaction. Call it after commit.
 */
export async function createWakeups(db: Database, origin: string, onError: (error: unknown) => void): Promise<WakeupBus> {
  const listeners = new Set<Partial<WakeupListener>>();
  let pending = emptyHints();
  let sending: Promise<void> | null = null;

  function local(hints: Hints, all = false): void {
    for (const listener of listeners) {
      if (all) listener.inbox?.('*');
      else if (hints.inbox.size > 0) listener.inbox?.([...hints.inbox]);
      for (const [projectId, ids] of hints.deliveries) listener.deliveries?.(projectId, [...ids]);
      if (hints.jobs) listener.jobs?.();
      if (hints.access) listener.access?.();
    }
  }

  async function send(): Promise<void> {
    await Promise.resolve();
    while (!isEmpty(pending)) {
      const hints = pending;
      pending = emptyHints();
      try {
        const payloads = encode(hints, origin);
        await db.sql.query('SELECT pg_notify($1, p) FROM unnest($2::text[]) AS p', [CHANNEL, payloads]);
      } catch (error) {
        onError(error);
      }
    }
    sending = null;
  }

  function emit(add: (hints: Hints) => void): void {
    const hints = emptyHints();
    add(hints);
    local(hints);
    if (db.kind === 'pglite') return;
    add(pending);
    sending ??= send();
  }

  const stop =
    db.kind === 'pglite'
      ? async () => {}
      : await db.listen(
          CHANNEL,
          (payload) => {
            const message = decode(payload);
            if (message.origin !== origin) local(message.hints, message.everyone);
          },
          () => {
            for (const listener of listeners) listener.reconnected?.();
          },
        );

  return {
    inbox: (userIds) => {
      if (userIds.length > 0) emit((hints) => addAll(hints.inbox, userIds));
    },
    deliveries: (projectId, deliveryIds) => {
      if (deliveryIds.length > 0) emit((hints) => addAll(setAt(hints.deliveries, projectId), deliveryIds));
    },
    jobs: () => {
      emit((hints) => {
        hints.jobs = true;
      });
    },
    access: () => {
      emit((hints) => {
        hints.access = true;
      });
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => {
      await sending;
      await stop();
    },
  };
}

const CHANNEL = 'tocsin';
/** Ids a payload: 36 bytes and a comma each, well below 8,000. */
const IDS_PER_PAYLOAD = 190;
/** Above this many users a wake-up says "everyone": cheaper than naming them. */
const USERS_NAMED_MAX = 1_900;

function emptyHints(): Hints {
  return { inbox: new Set(), deliveries: new Map(), jobs: false, access: false };
}

function isEmpty(hints: Hints): boolean {
  return hints.inbox.size === 0 && hints.deliveries.size === 0 && !hints.jobs && !hints.access;
}

function addAll(set: Set<string>, values: readonly string[]): void {
  for (const value of values) set.add(value);
}

function setAt(map: Map<string, Set<string>>, key: string): Set<string> {
  const set = map.get(key) ?? new Set();
  map.set(key, set);
  return set;
}

function chunks(ids: Iterable<string>): string[] {
  const all = [...ids];
  return Array.from({ length: Math.ceil(all.length / IDS_PER_PAYLOAD) }, (_, i) => all.slice(i * IDS_PER_PAYLOAD, (i + 1) * IDS_PER_PAYLOAD).join(','));
}

/** Payloads are `<origin> <kind> [<project>] [<ids>]`. */
function encode(hints: Hints, origin: string): string[] {
  const parts: string[] = [];
  if (hints.jobs) parts.push('j');
  if (hints.access) parts.push('a');
  if (hints.inbox.size > USERS_NAMED_MAX) parts.push('i *');
  else parts.push(...chunks(hints.inbox).map((ids) => `i ${ids}`));
  for (const [projectId, ids] of hints.deliveries) parts.push(...chunks(ids).map((chunk) => `d ${projectId} ${chunk}`));
  return parts.map((part) => `${origin} ${part}`);
}

function decode(payload: string): { origin: string; hints: Hints; everyone: boolean } {
  const [origin = '', kind, first = '', second = ''] = payload.split(' ');
  const hints = emptyHints();
  if (kind === 'j') hints.jobs = true;
  if (kind === 'a') hints.access = true;
  if (kind === 'i' && first !== '*') addAll(hints.inbox, first.split(','));
  if (kind === 'd') addAll(setAt(hints.deliveries, first), second.split(','));
  return { origin, hints, everyone: kind === 'i' && first === '*' };
}
