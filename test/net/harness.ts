import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { SendResult } from '../../src/domain/ports.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { OpenSocket } from '../../src/net/connect.ts';
import type { EgressPolicy } from '../../src/net/egress-policy.ts';
import { createGuardedHttp, type GuardedHttpOptions } from '../../src/net/guarded-http.ts';

export const CLOSED_POLICY: EgressPolicy = { allowCidrs: [], allowHttp: false, hosts: [] };
const LOOPBACK_POLICY: EgressPolicy = { allowCidrs: ['127.0.0.0/8'], allowHttp: true, hosts: [] };

/** A clock that stands still until it is told to move. */
export function createManualClock(startMs = 1_700_000_000_000): Clock & { advance(ms: number): void } {
  let nowMs = startMs;
  let timers: { atMs: number; run: () => void }[] = [];
  return {
    now: () => nowMs,
    after: (delayMs, run) => {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance: (ms) => {
      nowMs += ms;
      const due = timers.filter((timer) => timer.atMs <= nowMs).sort((one, other) => one.atMs - other.atMs);
      timers = timers.filter((timer) => timer.atMs > nowMs);
      for (const timer of due) timer.run();
    },
  };
}

/** The guarded port over loopback, closed when the test ends. */
export function openHttp(options: Partial<GuardedHttpOptions> = {}): ReturnType<typeof createGuardedHttp> {
  const http = createGuardedHttp({ policy: LOOPBACK_POLICY, lookup: () => Promise.resolve(['127.0.0.1']), ...options });
  onTestFinished(() => http.close());
  return http;
}

export function post(http: ReturnType<typeof createGuardedHttp>, url: string, headers: Record<string, string> = {}, body = '{}'): Promise<SendResult> {
  return http.post({ url, headers, body });
}

export interface RawServer {
  port: number;
  sockets: Socket[];
  /** What all connections have sent so far. */
  received(): string;
  /** Resolves when the connection with that index is closed. */
  closed(index: number): Promise<void>;
}

/** A TCP server on loopback that speaks byte by byte: `onRequest` is called for each chunk that a connection sends. */
export async function openRawServer(onRequest: (socket: Socket, chunk: string) => void, host = '127.0.0.1'): Promise<RawServer> {
  const sockets: Socket[] = [];
  const closings: Promise<void>[] = [];
  let received = '';
  const server = createServer((socket) => {
    sockets.push(socket);
    closings.push(new Promise((resolve) => socket.once('close', () => resolve())));
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      onRequest(socket, chunk.toString('latin1'));
    });
  });
  const port = await listen(server, host);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, sockets, received: () => received, closed: (index) => closings[index] ?? Promise.reject(new Error('no such connection')) };
}

export async function listen(server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Answers every request with the same bytes. */
export function openFixedServer(answer: string): Promise<RawServer> {
  return openRawServer((socket) => socket.write(answer, 'latin1'));
}

/** `open`, with a record of what was dialled. */
export function recordDials(open: OpenSocket): { openSocket: OpenSocket; dials: { addresses: readonly string[]; port: number }[] } {
  const dials: { addresses: readonly string[]; port: number }[] = [];
  const openSocket: OpenSocket = (addresses, port, attemptMs) => {
    dials.push({ addresses, port });
    return open(addresses, port, attemptMs);
  };
  return { openSocket, dials };
}

/** What a script of this folder, run as a process of its own with nothing but `env` in its environment, writes to its output. */
export async function runScript(name: string, args: string[], options: { execArgv?: string[]; env?: Record<string, string> } = {}): Promise<string> {
  const script = fileURLToPath(new URL(`./${name}`, import.meta.url));
  const child = spawn(process.execPath, [...(options.execArgv ?? []), script, ...args], { env: options.env ?? {}, stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return output;
}
