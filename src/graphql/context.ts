import type { Viewer } from '../domain/viewer.ts';
import { AppError } from '../lib/error.ts';
import type { Access } from '../service/access.ts';
import type { Api } from './api.ts';
import type { InboxSnapshot } from './inbox-snapshot.ts';
import type { Loaders } from './loaders.ts';

/** What resolvers get: one for each operation. */
export interface Context {
  readonly api: Api;
  /** Null for a stranger. */
  readonly viewer: Viewer | null;
  readonly access: Access | null;
  readonly load: Loaders;
  readonly inbox: InboxSnapshot;
  /** The client that requests count for (domain/client-address.ts). */
  readonly address: string;
  /** Subscriptions are served over the websocket only. */
  readonly transport: 'http' | 'websocket';
}

/** Whom the operation stands for. UNAUTHENTICATED for a stranger. */
export function viewerOf(context: Context): Viewer {
  if (context.viewer === null) throw unauthenticated();
  return context.viewer;
}

/** The user that the operation stands for. FORBIDDEN for an agent token. */
export function userOf(context: Context): Extract<Viewer, { kind: 'user' }> {
  const viewer = viewerOf(context);
  if (viewer.kind !== 'user') throw new AppError('FORBIDDEN', 'not allowed');
  return viewer;
}

/** The roles of the operation's viewer. UNAUTHENTICATED for a stranger. */
export function accessOf(context: Context): Access {
  if (context.access === null) throw unauthenticated();
  return context.access;
}

/** UNAUTHENTICATED. */
export function unauthenticated(): AppError {
  return new AppError('UNAUTHENTICATED', 'a valid token is needed: Authorization: Bearer …');
}
