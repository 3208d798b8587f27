import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';

/** The page loads nothing from elsewhere, and nobody may frame it. */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

/** Whether a browser asks for a page rather than for data. */
export function asksForPage(req: IncomingMessage): boolean {
  return req.method === 'GET' && (req.headers.accept ?? '').includes('text/html');
}

/** Serves GraphiQL: one static page, made at the first request for it, that holds no token and needs no network but this server. */
export function createGraphiqlPage(): (req: IncomingMessage, res: ServerResponse) => void {
  let page: { plain: Buffer; gzip: Buffer } | null = null;

  return (req, res) => {
    page ??= render();
    const isGzip = (req.headers['accept-encoding'] ?? '').includes('gzip');
    const body = isGzip ? page.gzip : page.plain;
    res.writeHead(200, { ...HEADERS, vary: 'accept-encoding', 'content-length': body.length, ...(isGzip ? { 'content-encoding': 'gzip' } : {}) });
    res.end(body);
  };
}

function render(): { plain: Buffer; gzip: Buffer } {
  const html = renderGraphiQL({
    title: 'Tocsin',
    subscriptionsProtocol: 'WS',
    headers: JSON.stringify({ Authorization: 'Bearer ' }),
    shouldPersistHeaders: false,
  });
  const plain = Buffer.from(withSocketCredentials(html), 'utf8');
  return { plain, gzip: gzipSync(plain) };
}

/** Its fetcher hands the headers of the editor to HTTP requests only (render-graphiql 5.24): this hands them to connection_init too. */
function withSocketCredentials(html: string): string {
  return html.replace(/extensions:\{headers:(\w+)\?\.headers\}/, 'extensions:{headers:$1?.headers,connectionParams:$1?.headers}');
}
