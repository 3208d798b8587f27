import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendJson } from './reply.ts';

/** Why the server does not want requests now; null: it does. */
export type NotReady = 'STARTING' | 'STOPPING' | 'DATABASE' | null;

type Route = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** `/livez`: the process runs. `/readyz`: it is warm, and reaches its database now; 503 with the reason otherwise. */
export function createHealth(readiness: () => Promise<NotReady>): { livez: Route; readyz: Route } {
  return {
    livez: (_req, res) => {
      sendJson(res, 200, { status: 'ok' });
      return Promise.resolve();
    },
    readyz: async (_req, res) => {
      const reason = await readiness();
      if (reason === null) sendJson(res, 200, { status: 'ok' });
      else sendJson(res, 503, { status: 'unavailable', reason });
    },
  };
}

/** Asks `probe` at most once at a time, and takes silence for `timeoutMs` as a no. */
export function createProbe(probe: () => Promise<unknown>, timeoutMs: number): () => Promise<boolean> {
  let running: Promise<boolean> | null = null;

  async function ask(): Promise<boolean> {
    const timer = Promise.withResolvers<boolean>();
    const timeout = setTimeout(timer.resolve, timeoutMs, false);
    try {
      return await Promise.race([probe().then(() => true), timer.promise]);
    } catch {
      return false;
    } finally {
      clearTimeout(timeout);
    }
  }

  return () => {
    running ??= ask().finally(() => {
      running = null;
    });
    return running;
  };
}
