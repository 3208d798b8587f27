import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came in. */
export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** When its last byte was there, by performance.now(). */
  atMs: number;
  /** When its connection was given up or its answer was sent; null until then. */
  endedAtMs: number | null;
}

/** An HTTP server on loopback that stands for somebody's webhook. */
export interface Receiver {
  /** `http://127.0.0.1:<port>`. */
  url: string;
  port: number;
  received: Received[];
  /** Cuts every connection and stops. */
  close(): Promise<void>;
}

/** A connection that is closed at the moment of its next use looks like a lost answer: on a machine that stalls, 5 s are too short. */
const KEEP_ALIVE_MS = 120_000;

/** Answers 204. */
export function accept(res: ServerResponse): void {
  res.writeHead(204).end();
}

/** Starts a receiver; `answer` may leave a request without one. */
export async function openReceiver(answer: (res: ServerResponse, request: Received) => void = accept): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const request: Received = {
        path: req.url ?? '',
        headers: req.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        atMs: performance.now(),
        endedAtMs: null,
      };
      res.on('close', () => {
        request.endedAtMs = performance.now();
      });
      received.push(request);
      answer(res, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    port,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
