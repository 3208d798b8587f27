import type { CreateTokenInput, Role } from '../generated/operations.ts';
import type { TestApp } from './app.ts';
import { CREATE_PROJECT, CREATE_TOKEN, CREATE_USER, LEAVE_PROJECT, SET_MEMBER, VIEWER } from './operations.ts';

export interface Person {
  id: string;
  email: string;
  token: string;
}

export const ACTORS = ['stranger', 'agent', 'outsider', 'member', 'admin', 'otherAdmin', 'instanceAdmin'] as const;
export type Actor = (typeof ACTORS)[number];

/** A project `demo` with an admin, a member and an agent; another project `other` with its admin; a user of neither; and the instance's admin. */
export interface Scenario {
  projectId: string;
  otherProjectId: string;
  tokens: Record<Actor, string | null>;
  people: Record<'outsider' | 'member' | 'admin' | 'otherAdmin', Person>;
  instanceAdminId: string;
}

/** A new user with a token. */
export async function addPerson(app: TestApp, name: string): Promise<Person> {
  const email = `${name}@example.com`.toLowerCase();
  const { createUser } = await app.data(CREATE_USER, { input: { email, name } });
  const { id } = createUser.user;
  return { id, email, token: await addToken(app, { name: 'test', userId: id }) };
}

/** A new token's text. */
export async function addToken(app: TestApp, input: CreateTokenInput): Promise<string> {
  return (await app.data(CREATE_TOKEN, { input })).createToken.token;
}

/** A new project's id; the instance's admin leaves it to `admin`. */
export async function addProject(app: TestApp, slug: string, admin: Person): Promise<string> {
  const { createProject } = await app.data(CREATE_PROJECT, { input: { slug, name: slug } });
  const projectId = createProject.project.id;
  await setMember(app, projectId, admin, 'ADMIN');
  await app.data(LEAVE_PROJECT, { input: { projectId } });
  return projectId;
}

export async function setMember(app: TestApp, projectId: string, person: Person, role: Role): Promise<void> {
  await app.data(SET_MEMBER, { input: { projectId, userId: person.id, role } });
}

export async function openScenario(app: TestApp): Promise<Scenario> {
  const [outsider, member, admin, otherAdmin] = await Promise.all(['outsider', 'member', 'admin2', 'otherAdmin'].map((name) => addPerson(app, name)));
  if (outsider === undefined || member === undefined || admin === undefined || otherAdmin === undefined) throw new Error('no people');
  const projectId = await addProject(app, 'demo', admin);
  const otherProjectId = await addProject(app, 'other', otherAdmin);
  await setMember(app, projectId, member, 'MEMBER');
  const agent = await addToken(app, { name: 'agent', projectId });
  const { viewer } = await app.data(VIEWER);
  return {
    projectId,
    otherProjectId,
    instanceAdminId: viewer.user.id,
    people: { outsider, member, admin, otherAdmin },
    tokens: {
      stranger: null,
      agent,
      outsider: outsider.token,
      member: member.token,
      admin: admin.token,
      otherAdmin: otherAdmin.token,
      instanceAdmin: app.adminToken,
    },
  };
}
