import { type Checked, checkName } from '../domain/names.ts';
import { formatToken, hashToken, TOKEN_BYTES } from '../domain/token.ts';
import type { Viewer } from '../domain/viewer.ts';
import type { ApiToken } from '../generated/prisma/client.ts';
import { badInput, notFound } from '../lib/error.ts';
import { Secret } from '../lib/secret.ts';
import { requireGeneral, requireInProject, requireUser } from './access.ts';
import type { Tx } from './change.ts';
import type { ServiceDeps } from './deps.ts';
import { createProblems } from './refusals.ts';
import { visibleTokens } from './visible.ts';

export interface CreateTokenInput {
  name: string;
  /** Makes an agent token of this project. */
  projectId?: string | null;
  /** Makes a token of this user: instance admins. */
  userId?: string | null;
  expiresAt?: Date | null;
}

export interface Tokens {
  /** A new token of the viewer, of another user, or of a project's agents. Its text is in this answer and nowhere else. */
  createToken(viewer: Viewer, input: CreateTokenInput): Promise<{ apiToken: ApiToken; token: Secret }>;
  /** Revokes a token by its id, or by its text, which whoever found it may do. Answers with its id. */
  revokeToken(viewer: Viewer, input: { id?: string | null; token?: string | null }): Promise<{ id: string }>;
}

/** Tokens of users and of agents. `randomBytes` gives that many bytes fit for secrets. */
export function createTokens({ changes, clock, newId, randomBytes }: ServiceDeps & { randomBytes: (count: number) => Uint8Array }): Tokens {
  function checkExpiry(at: Date): Checked<Date> {
    return at.getTime() > clock.now() ? { ok: true, value: at } : { ok: false, message: 'must lie in the future' };
  }

  return {
    createToken: async (viewer, input) => {
      const projectId = input.projectId ?? null;
      const problems = createProblems();
      const name = problems.take('name', checkName(input.name));
      const expiresAt = problems.clearable('expiresAt', input.expiresAt, checkExpiry) ?? null;
      if (projectId !== null && input.userId != null) problems.add('userId', 'must not be given together with projectId');
      problems.throwIfAny();
      const text = formatToken(randomBytes(TOKEN_BYTES));

      const apiToken = await changes.shared(projectId === null ? [] : [projectId], async (tx) => {
        const userId = await ownerOf(tx, viewer, projectId, input.userId ?? null);
        const row = { id: newId(), name: name ?? '', hash: new Uint8Array(hashToken(text)), projectId, userId, expiresAt, createdAt: new Date(clock.now()) };
        return await tx.apiToken.create({ data: row });
      });
      return { apiToken, token: new Secret(text) };
    },

    revokeToken: async (viewer, input) => {
      requireGeneral(viewer, 'self.use');
      const { id, token } = input;
      if ((id == null) === (token == null)) throw badInput([{ path: id == null ? 'id' : 'token', message: 'exactly one of id and token must be given' }]);
      return await changes.alone([], async (tx, after) => {
        const found =
          token == null
            ? await tx.apiToken.findFirst({ where: { AND: [{ id: id ?? '' }, visibleTokens(viewer)] }, select: { id: true } })
            : await tx.apiToken.findUnique({ where: { hash: new Uint8Array(hashToken(token)) }, select: { id: true } });
        if (found === null) throw notFound(token == null ? 'id' : 'token', 'token');
        await tx.apiToken.deleteMany({ where: { id: found.id } });
        after.access();
        return found;
      });
    },
  };
}

/** Whose the new token is; null: the project's. */
async function ownerOf(tx: Tx, viewer: Viewer, projectId: string | null, userId: string | null): Promise<string | null> {
  if (projectId !== null) {
    await requireInProject(tx, viewer, 'agentToken.manage', projectId, 'projectId');
    return null;
  }
  const ownId = requireUser(viewer);
  if (userId === null || userId === ownId) return ownId;
  requireGeneral(viewer, 'userToken.manage');
  if ((await tx.user.findUnique({ where: { id: userId }, select: { id: true } })) === null) throw notFound('userId', 'user');
  return userId;
}
