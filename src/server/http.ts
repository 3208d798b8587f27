import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Viewer } from '../domain/viewer.ts';
import type { Arrival } from '../graphql/yoga.ts';
import { AppError } from '../lib/error.ts';
import type { Authenticator } from '../service/authenticate.ts';
import { viewerOfHeader } from './auth.ts';
import { asksForPage, createGraphiqlPage } from './graphiql.ts';
import type { Log } from './log.ts';
import { HttpError, sendError } from './reply.ts';

type Route = (req: IncomingMessage, res: ServerResponse) => Promise<void> | void;

interface HttpDeps {
  /** Null where this process serves health routes only. */
  api: {
    graphql: (req: IncomingMessage, res: ServerResponse, arrival: Arrival) => Promise<void> | void;
    authenticator: Pick<Authenticator, 'authenticate'>;
    ingest: (req: IncomingMessage, res: ServerResponse, viewer: Viewer) => Promise<void>;
    graphiql: boolean;
    /** The client that a request counts for. */
    addressOf: (req: IncomingMessage) => string;
  } | null;
  health: { livez: Route; readyz: Route };
  log: Log;
}

/** Idle connections of producers are kept for longer than the 5 s that Node gives them, and longer than proxies in front keep theirs. */
const KEEP_ALIVE_MS = 65_000;

/** The HTTP server, not yet listening: one table of routes, and one place where errors are answered. */
export function createHttpServer({ api, health, log }: HttpDeps): Server {
  const routes: Record<string, Route> = { '/livez': health.livez, '/readyz': health.readyz, ...(api === null ? {} : apiRoutes(api)) };

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const route = routes[pathOf(req)];
      if (route === undefined) throw new HttpError(404, 'there is nothing at this path');
      await route(req, res);
    } catch (error) {
      sendError(res, error, log);
    }
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (req, res) => void handle(req, res));
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
  });
  return server;
}

/** A request's path, without its query. */
export function pathOf({ url = '' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

function apiRoutes({ graphql, authenticator, ingest, graphiql, addressOf }: NonNullable<HttpDeps['api']>): Record<string, Route> {
  const page = graphiql ? createGraphiqlPage() : null;
  return {
    '/graphql': async (req, res) => {
      if (page !== null && asksForPage(req)) {
        page(req, res);
        return;
      }
      const address = addressOf(req);
      const session = { viewer: await viewerOfHeader(authenticator, req.headers.authorization) };
      await graphql(req, res, { session, transport: 'http', address });
    },
    '/v1/events': async (req, res) => {
      if (req.method !== 'POST') {
        res.setHeader('allow', 'POST');
        throw new HttpError(405, 'only POST is allowed here');
      }
      const viewer = await viewerOfHeader(authenticator, req.headers.authorization);
      if (viewer === null) throw new AppError('UNAUTHENTICATED', 'a token is needed: Authorization: Bearer …');
      await ingest(req, res, viewer);
    },
  };
}
