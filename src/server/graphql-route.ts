import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Arrival, GraphqlServer } from '../graphql/yoga.ts';
import { checkBody, readBody } from './reply.ts';

type GraphqlRoute = (req: IncomingMessage, res: ServerResponse, arrival: Arrival) => Promise<void>;

/** GraphQL over HTTP, with bodies of at most `bodyBytesMax`: Node reads no more of a body than its Content-Length, and what comes without one is counted here. */
export function createGraphqlRoute(graphql: GraphqlServer, bodyBytesMax: number): GraphqlRoute {
  async function handleCounted(req: IncomingMessage, res: ServerResponse, arrival: Arrival): Promise<void> {
    const body = new Uint8Array(await readBody(req, bodyBytesMax));
    const headers = { 'content-type': req.headers['content-type'] ?? '', accept: req.headers.accept ?? '*/*' };
    const response = await graphql.fetch(`http://tocsin${req.url ?? ''}`, { method: req.method ?? 'POST', headers, body }, arrival);
    res.writeHead(response.status, Object.fromEntries(response.headers));
    res.end(await response.text());
  }

  return async (req, res, arrival) => {
    checkBody(req, bodyBytesMax);
    if (req.headers['transfer-encoding'] === undefined) await graphql.handle(req, res, arrival);
    else await handleCounted(req, res, arrival);
  };
}
