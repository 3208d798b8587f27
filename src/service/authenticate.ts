import { timingSafeEqual } from 'node:crypto';
import type { Database } from '../db/database.ts';
import type { WakeupBus } from '../db/wakeups.ts';
import { hashToken, mayBeToken } from '../domain/token.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { Clock } from '../lib/clock.ts';

export interface Authenticator {
  /** Whom a token's text stands for; null where it is unknown, revoked or expired. */
  authenticate(text: string): Promise<Viewer | null>;
  /** Waits until every "last used" that is being written is. */
  close(): Promise<void>;
}

interface AuthenticatorDeps {
  db: Database;
  wakeups: Pick<WakeupBus, 'subscribe'>;
  clock: Clock;
  /** Told when "last used" could not be written. */
  onError: (error: unknown) => void;
}

/** A known token is looked up again after this long: below the second within which a revocation is in force everywhere, even if its wake-up is lost. */
const CACHE_MS = 500;
const CACHE_TOKENS_MAX = 10_000;
/** "Last used" is written at most this often a token. */
const LAST_USED_MS = 60_000;

interface TokenRow {
  id: string;
  hash: Uint8Array;
  projectId: string | null;
  userId: string | null;
  isAdmin: boolean | null;
  expiresAt: Date | null;
}

interface Known {
  viewer: Promise<Viewer | null>;
  untilMs: number;
}

/** Tells tokens apart, by their hashes; the same for HTTP and websocket. Forgets what it knows as soon as any right is taken away. */
export function createAuthenticator({ db, wakeups, clock, onError }: AuthenticatorDeps): Authenticator {
  const known = new Map<string, Known>();
  const usedAtMs = new Map<string, number>();
  const writes = new Set<Promise<void>>();

  function forget(): void {
    known.clear();
  }
  const unsubscribe = wakeups.subscribe({ access: forget, reconnected: forget });

  function lookUp(hash: Buffer): Promise<Viewer | null> {
    const key = hash.toString('base64');
    const hit = known.get(key);
    if (hit !== undefined && clock.now() < hit.untilMs) return hit.viewer;
    if (known.size >= CACHE_TOKENS_MAX) forget();
    // Kept from its beginning, so that a revocation that overtakes it forgets it too. What is unknown, or failed, is not kept.
    const viewer = readViewer(db, hash);
    known.set(key, { viewer, untilMs: clock.now() + CACHE_MS });
    viewer.then(
      (found) => found ?? known.delete(key),
      () => known.delete(key),
    );
    return viewer;
  }

  function noteUse(tokenId: string): void {
    const nowMs = clock.now();
    if (nowMs - (usedAtMs.get(tokenId) ?? Number.NEGATIVE_INFINITY) < LAST_USED_MS) return;
    if (usedAtMs.size >= CACHE_TOKENS_MAX) usedAtMs.clear();
    usedAtMs.set(tokenId, nowMs);
    const write = writeLastUsed(db, tokenId, nowMs)
      .catch(onError)
      .finally(() => writes.delete(write));
    writes.add(write);
  }

  return {
    authenticate: async (text) => {
      if (!mayBeToken(text)) return null;
      const viewer = await lookUp(hashToken(text));
      if (viewer?.tokenId == null || (viewer.expiresAt !== null && viewer.expiresAt <= clock.now())) return null;
      noteUse(viewer.tokenId);
      return viewer;
    },
    close: async () => {
      unsubscribe();
      await Promise.all(writes);
    },
  };
}

async function readViewer(db: Database, hash: Buffer): Promise<Viewer | null> {
  const [row] = await db.sql.query<TokenRow>(
    `SELECT t.id, t.hash, t.project_id AS "projectId", t.user_id AS "userId", u.is_admin AS "isAdmin", t.expires_at AS "expiresAt"
     FROM api_tokens AS t LEFT JOIN users AS u ON u.id = t.user_id WHERE t.hash = $1::bytea`,
    [hash],
  );
  if (row === undefined || !timingSafeEqual(row.hash, hash)) return null;
  const common = { tokenId: row.id, expiresAt: row.expiresAt?.getTime() ?? null };
  if (row.projectId !== null) return { kind: 'agent', projectId: row.projectId, ...common };
  return row.userId === null ? null : { kind: 'user', userId: row.userId, isAdmin: row.isAdmin === true, ...common };
}

/** Replicas that note the same use write it once. */
async function writeLastUsed(db: Database, tokenId: string, nowMs: number): Promise<void> {
  await db.sql.query('UPDATE api_tokens SET last_used_at = $2::timestamptz WHERE id = $1::uuid AND (last_used_at IS NULL OR last_used_at <= $3::timestamptz)', [
    tokenId,
    new Date(nowMs),
    new Date(nowMs - LAST_USED_MS),
  ]);
}
