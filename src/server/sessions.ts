import type { WakeupBus } from '../db/wakeups.ts';
import type { Session } from '../graphql/yoga.ts';
import type { Clock } from '../lib/clock.ts';
import type { Secret } from '../lib/secret.ts';
import type { Authenticator } from '../service/authenticate.ts';

/** One live connection: the token that it came with, and whom that stands for now. */
export interface LiveSession extends Session {
  readonly token: Secret;
  /** Called once, when the token stands for nobody any more. */
  readonly onRevoked: () => void;
}

export interface Sessions {
  /** Watches a connection from now on; the returned function ends that. */
  add(session: LiveSession): () => void;
  close(): void;
}

interface SessionsDeps {
  authenticator: Pick<Authenticator, 'authenticate'>;
  wakeups: Pick<WakeupBus, 'subscribe'>;
  clock: Clock;
  onError: (error: unknown) => void;
}

/** Checks at once; tokens that share a user or a replica's cache cost little. */
const CHECKS_AT_ONCE = 100;
const RETRY_MS = 300;
/** setTimeout's own limit. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * Live connections whose tokens are checked again as soon as any right was taken away on any replica, and when they expire. While the database does not
 * answer they stay: what they read fails anyway.
 */
export function createSessions({ authenticator, wakeups, clock, onError }: SessionsDeps): Sessions {
  const live = new Map<LiveSession, () => void>();
  let isChecking = false;
  let isDue = false;

  function check(session: LiveSession): Promise<void> {
    return authenticator.authenticate(session.token.reveal()).then((viewer) => {
      if (!live.has(session)) return;
      session.viewer = viewer;
      if (viewer === null) {
        forget(session);
        session.onRevoked();
      }
    });
  }

  async function checkAll(): Promise<void> {
    isDue = true;
    if (isChecking) return;
    isChecking = true;
    while (isDue) {
      isDue = false;
      const sessions = [...live.keys()];
      for (let at = 0; at < sessions.length; at += CHECKS_AT_ONCE) {
        const results = await Promise.allSettled(sessions.slice(at, at + CHECKS_AT_ONCE).map(check));
        if (results.some((result) => result.status === 'rejected')) retry(results.find((result) => result.status === 'rejected')?.reason);
      }
    }
    isChecking = false;
  }

  function retry(reason: unknown): void {
    onError(reason);
    clock.after(RETRY_MS, () => void checkAll());
  }

  /** Checks a session when its token expires. */
  function watchExpiry(session: LiveSession): () => void {
    const expiresAt = session.viewer?.expiresAt ?? null;
    if (expiresAt === null) return () => {};
    const delayMs = Math.min(Math.max(expiresAt - clock.now(), 0), TIMER_MS_MAX);
    return clock.after(delayMs, () => {
      check(session).then(
        () => live.has(session) && live.set(session, watchExpiry(session)),
        (error: unknown) => {
          retry(error);
        },
      );
    });
  }

  function forget(session: LiveSession): void {
    live.get(session)?.();
    live.delete(session);
  }

  const recheck = (): void => void checkAll();
  const unsubscribe = wakeups.subscribe({ access: recheck, reconnected: recheck });

  return {
    add: (session) => {
      live.set(session, () => {});
      live.set(session, watchExpiry(session));
      return () => {
        forget(session);
      };
    },
    close: () => {
      unsubscribe();
      for (const session of live.keys()) forget(session);
    },
  };
}
