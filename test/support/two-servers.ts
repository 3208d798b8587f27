import type { GraphqlAnswer } from './app.ts';
import { ADMIN_TOKEN, type ServerPlace, type ServerProcess, startServer } from './server-process.ts';

/** A server in a process of its own, and what a client does with it, as its admin unless a token is given. */
export interface Server extends ServerProcess {
  /** POSTs an operation. */
  graphql(query: string, variables?: Record<string, unknown>, token?: string): Promise<GraphqlAnswer>;
  /** The data of an operation that must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of an answer.
  data(query: string, variables?: Record<string, unknown>, token?: string): Promise<any>;
  /** POSTs events of the project `slug`. */
  events(slug: string, events: readonly object[]): Promise<{ status: number; json: EventsAnswer }>;
}

export interface EventsAnswer {
  accepted: number;
  duplicates: number;
  inboxItems: number;
  deliveries: number;
  errors?: unknown;
}

/** Starts two servers at the same moment, on one database where their places are one. */
export async function startTwoServers(places: readonly [ServerPlace, ServerPlace]): Promise<[Server, Server]> {
  const [a, b] = await Promise.all([startServer(places[0]), startServer(places[1])]);
  return [withClient(a), withClient(b)];
}

function withClient(server: ServerProcess): Server {
  async function post(path: string, body: unknown, token: string): Promise<{ status: number; json: unknown }> {
    const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json', authorization: `Bearer ${token}` };
    const response = await fetch(`${server.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, json: await response.json() };
  }

  async function graphql(query: string, variables: Record<string, unknown> = {}, token = ADMIN_TOKEN): Promise<GraphqlAnswer> {
    const { status, json } = await post('/graphql', { query, variables }, token);
    return { status, errors: [], data: null, ...(json as object) };
  }

  return {
    ...server,
    graphql,
    data: async (query, variables, token) => {
      const answer = await graphql(query, variables, token);
      if (answer.errors.length > 0) throw new Error(JSON.stringify(answer.errors));
      return answer.data as unknown;
    },
    events: async (slug, events) => {
      const { status, json } = await post(`/v1/events?project=${slug}`, events, ADMIN_TOKEN);
      return { status, json: json as EventsAnswer };
    },
  };
}
