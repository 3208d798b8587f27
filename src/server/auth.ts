import type { Viewer } from '../domain/viewer.ts';
import { AppError } from '../lib/error.ts';
import type { Authenticator } from '../service/authenticate.ts';

/** Whom an Authorization header stands for; null where there is none. UNAUTHENTICATED where it holds no valid token. */
export async function viewerOfHeader(authenticator: Pick<Authenticator, 'authenticate'>, header: string | undefined): Promise<Viewer | null> {
  if (header === undefined) return null;
  const token = bearerToken(header);
  const viewer = token === null ? null : await authenticator.authenticate(token);
  if (viewer === null) throw new AppError('UNAUTHENTICATED', 'the token is not valid, or has expired');
  return viewer;
}

/** The token of `Bearer <token>`; null for anything else. */
export function bearerToken(header: string): string | null {
  return /^bearer +(.+?) *$/i.exec(header)?.[1] ?? null;
}
