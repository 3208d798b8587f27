import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { clientAddress, type TrustProxy } from '../domain/client-address.ts';
import type { Api } from '../graphql/api.ts';
import { createGraphql, type GraphqlServer } from '../graphql/yoga.ts';
import { projectToPublish } from '../service/access.ts';
import type { Authenticator } from '../service/authenticate.ts';
import { createGraphqlRoute } from './graphql-route.ts';
import { createHealth, createProbe, type NotReady } from './health.ts';
import { createHttpServer } from './http.ts';
import { createFindProject, createIngest } from './ingest.ts';
import type { Log } from './log.ts';
import { closeServer, listen } from './serve.ts';
import { createSessions } from './sessions.ts';
import { createWebsockets } from './websocket.ts';
import { createProtocol } from './websocket-protocol.ts';

export interface FrontOptions {
  host: string;
  port: number;
  graphiql: boolean;
  trustProxy: TrustProxy;
  log: Log;
  onError: (error: unknown) => void;
  /** Resolves when the database answers. */
  ping: () => Promise<unknown>;
  /** Null: this process has health routes only. */
  api: (Api & { authenticator: Authenticator }) | null;
}

/** What listens: HTTP and websockets on one port. */
export interface Front {
  /** `http://127.0.0.1:4000`. */
  url: string;
  /** `/readyz` says yes from now on, while the database answers. */
  setReady(): void;
  /** `/readyz` says no, new connections are refused, sockets closed with 1001, and requests under way finished. */
  stop(): Promise<void>;
}

/** Largest body of a request, and largest message of a socket (spec 10). */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Of the 15 s that stopping may take (spec 13), for requests that are under way. */
const REQUEST_GRACE_MS = 8_000;
const PING_TIMEOUT_MS = 2_000;

/** Starts to listen. Rejects where it cannot. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const { api, log, ping } = options;
  let state: NotReady = 'STARTING';
  const answers = createProbe(ping, PING_TIMEOUT_MS);
  const health = createHealth(async () => state ?? ((await answers()) ? null : 'DATABASE'));
  const parts = api === null ? null : createParts(options, api);
  const server = createHttpServer({ health, log, api: parts?.http ?? null });
  if (parts !== null) server.on('upgrade', parts.upgrade);
  const port = await listen(server, options.port, options.host);
  await parts?.warmUp();

  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${String(port)}`,
    setReady: () => {
      state = null;
    },
    stop: async () => {
      state = 'STOPPING';
      await Promise.all([parts?.close(), closeServer(server, REQUEST_GRACE_MS)]);
    },
  };
}

interface Parts {
  http: Parameters<typeof createHttpServer>[0]['api'];
  upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  warmUp(): Promise<void>;
  close(): Promise<void>;
}

function createParts({ graphiql, trustProxy, log, onError }: FrontOptions, api: NonNullable<FrontOptions['api']>): Parts {
  const { authenticator, clock, publisher, wakeups } = api;
  const logInternal = (errorId: string, error: unknown): void => {
    log.error({ errorId, err: error }, 'internal error');
  };
  const addressOf = ({ socket, headers }: IncomingMessage): string => clientAddress(trustProxy, socket.remoteAddress, String(headers['x-forwarded-for'] ?? ''));
  const graphql = createGraphql({ api, logInternal });
  const sessions = createSessions({ authenticator, wakeups, clock, onError });
  const protocol = createProtocol({ graphql, authenticator, sessions, logInternal });
  const websockets = createWebsockets({ protocol, log, addressOf, messageBytesMax: BODY_BYTES_MAX });
  const ingest = createIngest({
    publisher,
    clock,
    log,
    findProject: createFindProject((viewer, slug) => projectToPublish(api.db.sql, viewer, slug)),
    bodyBytesMax: BODY_BYTES_MAX,
  });
  return {
    http: { graphql: createGraphqlRoute(graphql, BODY_BYTES_MAX), authenticator, ingest, graphiql, addressOf },
    upgrade: (req, socket, head) => {
      websockets.upgrade(req, socket, head);
    },
    warmUp: () => warmUp(graphql),
    close: async () => {
      await websockets.close();
      sessions.close();
    },
  };
}

/** The first operation compiles much that later ones use: nobody should wait for it. */
async function warmUp(graphql: GraphqlServer): Promise<void> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query: '{ __typename }' }) };
  const response = await graphql.fetch('http://tocsin/graphql', init, { session: { viewer: null }, transport: 'http', address: 'unknown' });
  await response.text();
}
