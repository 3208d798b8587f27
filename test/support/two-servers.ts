import { bearer, type GraphqlClient, graphqlClient } from './graphql-client.ts';
import { ADMIN_TOKEN, type ServerPlace, type ServerProcess, startServer } from './server-process.ts';

/** A server in a process of its own, and what a client does with it, as its admin unless a token is given. */
export interface Server extends ServerProcess, GraphqlClient {
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
  return {
    ...server,
    ...graphqlClient(server.url, ADMIN_TOKEN),
    events: async (slug, events) => {
      const headers = { 'content-type': 'application/json', ...bearer(ADMIN_TOKEN) };
      const response = await fetch(`${server.url}/v1/events?project=${slug}`, { method: 'POST', headers, body: JSON.stringify(events) });
      return { status: response.status, json: (await response.json()) as EventsAnswer };
    },
  };
}
