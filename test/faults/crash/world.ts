import { gql } from '../../support/gql.ts';
import { type HoldingReceiver, openHoldingReceiver } from '../../support/holding-receiver.ts';
import { CREATE_CHANNEL, CREATE_PROJECT, CREATE_SUBSCRIPTION, CREATE_USER, SET_MEMBER } from '../../support/operations.ts';
import { until } from '../../support/pipeline.ts';
import { clientOf, openServerPlace, type PreparedServer, prepareServer, type ServerPlace, type ServerProcess } from '../../support/server-process.ts';

/** One server process of the test, from the moment that it was told to start. */
export interface Life {
  server: ServerProcess;
  startedAt: number;
  /** Null: it was not killed. */
  kill: Kill | null;
}

export interface Kill {
  at: number;
  /** Sends that the receivers held open. */
  held: number;
  /** Posts that had left the producer and never got an answer. */
  unanswered: number;
}

/** What a server that is killed again and again works on. */
export interface World {
  place: ServerPlace;
  receiver: HoldingReceiver;
  /** All processes so far. */
  lives: readonly Life[];
  /** Starts the next one. */
  live(): Promise<Life>;
  /** Waits, on this server, until no delivery is queued. */
  settled(server: ServerProcess): Promise<void>;
  close(): Promise<void>;
}

export const WEBHOOKS = ['/one', '/two', '/three'];
/** The creator of the project is one of them: a member gets a copy of its default subscription, task.failed to the inbox. */
export const USERS = 5;

const SETTLED_MS = 120_000;

/** Makes a project of five users with three webhooks, all told of every failed task; `spares` processes are loaded ahead. */
export async function openWorld(spares: number): Promise<World> {
  const place = await openServerPlace();
  const receiver = await openHoldingReceiver();
  const ready: PreparedServer[] = [];
  const lives: Life[] = [];

  async function live(): Promise<Life> {
    const prepared = ready.shift() ?? prepareServer(place);
    const startedAt = Date.now();
    const life: Life = { server: await prepared.start(), startedAt, kill: null };
    lives.push(life);
    while (ready.length < spares) ready.push(prepareServer(place));
    return life;
  }

  const first = await live();
  await setUp(first.server.url, receiver.url);
  return {
    place,
    receiver,
    lives,
    live,
    settled: ({ url }) => until(async () => (await queued(url)) === 0, 'no delivery is queued', SETTLED_MS),
    close: async () => {
      await Promise.all([...ready.map((prepared) => prepared.discard()), ...lives.map((life) => life.server.kill())]);
      await receiver.close();
      await place.remove();
    },
  };
}

async function setUp(url: string, receiverUrl: string): Promise<void> {
  const { data } = clientOf(url);
  const projectId = (await data(CREATE_PROJECT, { input: { slug: 'shop', name: 'Shop' } })).createProject.project.id;
  for (let user = 1; user < USERS; user += 1) {
    const email = `user-${user}@example.com`;
    await data(CREATE_USER, { input: { email, name: 'User' } });
    await data(SET_MEMBER, { input: { projectId, email, role: 'MEMBER' } });
  }
  const channelIds: string[] = [];
  for (const path of WEBHOOKS) {
    const config = { webhook: { url: `${receiverUrl}${path}`, hmacSecret: 'a secret of the receiver' } };
    const made = await data(CREATE_CHANNEL, { input: { projectId, name: path.slice(1), config } });
    channelIds.push(made.createChannel.channel.id);
  }
  await data(CREATE_SUBSCRIPTION, { input: { projectId, team: true, trigger: 'TASK_FAILED', channelIds } });
}

const QUEUED = gql(`{ project(slug: "shop") { deliveries(first: 1, filter: { status: [QUEUED] }) { edges { cursor } } } }`);

async function queued(url: string): Promise<number> {
  const { project } = await clientOf(url).data(QUEUED);
  return project?.deliveries?.edges.length ?? Number.NaN;
}
