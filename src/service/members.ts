import { checkEmail } from '../domain/names.ts';
import type { Role, Viewer } from '../domain/viewer.ts';
import type { Membership, Project } from '../generated/prisma/client.ts';
import { badInput, notFound } from '../lib/error.ts';
import { requireUser } from './access.ts';
import type { Tx } from './change.ts';
import { changeProject, type ServiceDeps } from './deps.ts';
import { join, leave, requireOtherAdmin } from './membership.ts';

export interface SetMemberInput {
  projectId: string;
  /** Exactly one of userId and email, of an existing user. */
  userId?: string | null;
  email?: string | null;
  role: Role;
}

export interface Members {
  /** Makes a user a member, or changes its role. CONFLICT where the last admin would be none any more. */
  setMember(viewer: Viewer, input: SetMemberInput): Promise<{ project: Project; membership: Membership }>;
  removeMember(viewer: Viewer, input: { projectId: string; userId: string }): Promise<{ project: Project }>;
  leaveProject(viewer: Viewer, input: { projectId: string }): Promise<{ id: string }>;
}

/** Who belongs to a project. */
export function createMembers(deps: ServiceDeps): Members {
  async function remove(viewer: Viewer, action: 'member.manage' | 'project.leave', projectId: string, userId: string, path: string): Promise<Project> {
    return await changeProject(deps, { viewer, action, projectId, path: 'projectId' }, async (tx, after) => {
      const membership = await findMembership(tx, projectId, userId);
      if (membership === null) throw notFound(path, 'membership');
      if (membership.role === 'ADMIN') await requireOtherAdmin(tx, { projectId, userId }, path);
      await leave(deps, tx, after, { projectId, userId, inbox: 'CLEARED' });
      return await tx.project.findUniqueOrThrow({ where: { id: projectId } });
    });
  }

  return {
    setMember: async (viewer, { projectId, role, ...who }) => {
      if ((who.userId == null) === (who.email == null)) throw badInput([{ path: 'userId', message: 'exactly one of userId and email must be given' }]);
      return await changeProject(deps, { viewer, action: 'member.manage', projectId, path: 'projectId' }, async (tx, after) => {
        const userId = await findUser(tx, who);
        const project = await tx.project.findUniqueOrThrow({ where: { id: projectId } });
        const known = await findMembership(tx, projectId, userId);
        if (known === null) return { project, membership: await join(deps, tx, { projectId, userId, role }) };
        if (known.role === role) return { project, membership: known };
        if (role === 'MEMBER') await requireOtherAdmin(tx, known, 'role');
        after.access();
        return { project, membership: await tx.membership.update({ where: { projectId_userId: { projectId, userId } }, data: { role } }) };
      });
    },

    removeMember: async (viewer, { projectId, userId }) => ({ project: await remove(viewer, 'member.manage', projectId, userId, 'userId') }),

    leaveProject: async (viewer, { projectId }) => {
      const { id } = await remove(viewer, 'project.leave', projectId, requireUser(viewer), 'projectId');
      return { id };
    },
  };
}

async function findMembership(tx: Tx, projectId: string, userId: string): Promise<Membership | null> {
  return await tx.membership.findUnique({ where: { projectId_userId: { projectId, userId } } });
}

async function findUser(tx: Tx, { userId, email }: Pick<SetMemberInput, 'userId' | 'email'>): Promise<string> {
  const address = email == null ? null : checkEmail(email);
  if (address?.ok === false) throw badInput([{ path: 'email', message: address.message }]);
  const where = address === null ? { id: userId ?? '' } : { email: address.value };
  const user = await tx.user.findUnique({ where, select: { id: true } });
  if (user === null) throw notFound(address === null ? 'userId' : 'email', 'user');
  return user.id;
}
