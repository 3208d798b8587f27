import { type DataOf, gql } from '../../support/gql.ts';
import type { Sent, SentWith } from '../../support/graphql-client.ts';
import { CREATE_PROJECT, CREATE_TOKEN, CREATE_USER, REMOVE_MEMBER, SET_MEMBER } from '../../support/operations.ts';
import {
  ADMIN_TOKEN,
  clientOf,
  openServerPlace,
  type PreparedServer,
  prepareServer,
  type ServerPlace,
  type ServerProcess,
} from '../../support/server-process.ts';

/** A server with two projects, shop and gone, and one user of both, alice, who gets every failed task into her inbox. */
export interface World {
  place: ServerPlace;
  aliceId: string;
  /** Tokens of alice's, one for each device. */
  devices: readonly [string, string];
  /** The server that runs, or ran last. */
  server(): ServerProcess;
  /** kill -9, and the next one. */
  restart(): Promise<void>;
  /** Runs an operation; where a restart leaves it without answer, null. */
  tryCall<Operation extends Sent>(operation: Operation, ...args: SentWith<Operation>): Promise<DataOf<Operation> | null>;
  /** Posts events of these ids to the project `slug` until they are answered, over any number of restarts. */
  publish(slug: string, ids: readonly string[], data?: unknown): Promise<void>;
  /** alice's position now. */
  inboxCursor(): Promise<string>;
  removeAliceFromGone(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the world; `spares` processes are loaded ahead for restarts. `env`: settings of the server's process. */
export async function openWorld(spares: number, env: Record<string, string> = {}): Promise<World> {
  const opened = await openServerPlace();
  const place = { ...opened, env: { ...opened.env, ...env } };
  const lives: ServerProcess[] = [];
  let ready: PreparedServer[] = [];
  let starting = start();

  async function start(): Promise<ServerProcess> {
    const prepared = ready.shift() ?? prepareServer(place);
    const server = await prepared.start();
    lives.push(server);
    return server;
  }

  async function tryCall<Operation extends Sent>(operation: Operation, ...args: SentWith<Operation>): Promise<DataOf<Operation> | null> {
    return await unlessRestarted(({ url }) => clientOf(url).data(operation, ...args));
  }

  /** Null where the server that was asked is not the one that runs now. */
  async function unlessRestarted<T>(ask: (server: ServerProcess) => Promise<T>): Promise<T | null> {
    const asked = starting;
    try {
      return await ask(await asked);
    } catch (error) {
      if (asked === starting) throw error;
      return null;
    }
  }

  async function publish(slug: string, ids: readonly string[], data: unknown = null): Promise<void> {
    const events = ids.map((id) => ({ id, trigger: 'task.failed', taskName: 'billing.run', ...(data === null ? {} : { data }) }));
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` };
    const status = await unlessRestarted(async ({ url }) => {
      const response = await fetch(`${url}/v1/events?project=${slug}`, { method: 'POST', headers, body: JSON.stringify(events) });
      await response.arrayBuffer();
      return response.status;
    });
    if (status === null) await publish(slug, ids, data);
    else if (status !== 200) throw new Error(`${status} where 200 was expected`);
  }

  const first = await starting;
  const { aliceId, goneId, devices } = await setUp(first.url);
  ready = Array.from({ length: spares }, () => prepareServer(place));
  return {
    place,
    aliceId,
    devices,
    server: () => lives.at(-1) ?? first,
    restart: async () => {
      const { kill } = await starting;
      const killed = kill();
      starting = killed.then(start);
      await starting;
    },
    tryCall,
    publish,
    inboxCursor: async () => (await clientOf((await starting).url).data(gql(`{ viewer { inboxCursor } }`), {}, devices[0])).viewer.inboxCursor,
    removeAliceFromGone: async () => {
      const left = gql(`{ viewer { projects(first: 10) { edges { node { slug } } } } }`);
      do await tryCall(REMOVE_MEMBER, { input: { projectId: goneId, userId: aliceId } });
      while (JSON.stringify(await tryCall(left, {}, devices[0])).includes('gone'));
    },
    close: async () => {
      await Promise.all([...ready.map((prepared) => prepared.discard()), ...lives.map((server) => server.kill())]);
      await place.remove();
    },
  };
}

async function setUp(url: string): Promise<{ aliceId: string; goneId: string; devices: [string, string] }> {
  const { data } = clientOf(url);
  const userId = (await data(CREATE_USER, { input: { email: 'alice@example.com', name: 'Alice' } })).createUser.user.id;
  const projectIds: string[] = [];
  for (const slug of ['shop', 'gone']) {
    const projectId = (await data(CREATE_PROJECT, { input: { slug, name: slug } })).createProject.project.id;
    projectIds.push(projectId);
    await data(SET_MEMBER, { input: { projectId, userId, role: 'MEMBER' } });
  }
  const tokens: string[] = [];
  for (const name of ['laptop', 'phone']) tokens.push((await data(CREATE_TOKEN, { input: { name, userId } })).createToken.token);
  return { aliceId: userId, goneId: projectIds[1] ?? '', devices: [tokens[0] ?? '', tokens[1] ?? ''] };
}
