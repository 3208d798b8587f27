import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** The CA of the providers' certificate: what NODE_EXTRA_CA_CERTS would name. */
export const PROVIDERS_CA = readFileSync(new URL('./tls/ca.pem', import.meta.url), 'utf8');

/** A request as a provider sees it. */
export interface ProviderRequest {
  method: string;
  /** Path and query. */
  target: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface ProviderAnswer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** What came in, what was answered, and when the answer left (epoch milliseconds). */
export interface Exchange {
  request: ProviderRequest;
  answer: ProviderAnswer;
  atMs: number;
}

/** A real TLS server on loopback in a provider's place. */
export interface Provider {
  port: number;
  exchanges: Exchange[];
  /** The next requests are answered with these, in turn, whatever they are; then the provider's rules judge again. */
  script(...answers: ProviderAnswer[]): void;
  close(): Promise<void>;
}

/** Starts a provider whose rules are `judge`. It answers only under one of `hosts`, as the provider does. */
export async function openProvider(hosts: readonly string[], judge: (request: ProviderRequest) => ProviderAnswer): Promise<Provider> {
  const exchanges: Exchange[] = [];
  const scripted: ProviderAnswer[] = [];
  const server = createServer({
    key: readFileSync(new URL('./tls/provider.key', import.meta.url)),
    cert: readFileSync(new URL('./tls/provider.pem', import.meta.url)),
  });
  server.on('request', (req, res) => {
    void text(req).then((body) => {
      const request = { method: req.method ?? '', target: req.url ?? '', headers: req.headers, body };
      const answer = hosts.includes(req.headers.host ?? '') ? (scripted.shift() ?? judge(request)) : { status: 421, body: 'wrong host' };
      exchanges.push({ request, answer, atMs: Date.now() });
      res.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    exchanges,
    script: (...answers) => void scripted.push(...answers),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The body of a request as JSON, where it says that it is JSON and is; undefined otherwise. */
export function jsonOf({ headers, body }: ProviderRequest): unknown {
  if (!/^application\/json(?:;|$)/.test(headers['content-type'] ?? '')) return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** An answer in JSON. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): ProviderAnswer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}
