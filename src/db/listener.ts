import pg from 'pg';

const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5_000;
/** A silent connection is asked for a sign of life this often, and given up when it gives none for as long again. */
const HEARTBEAT_MS = 10_000;

/**
 * LISTEN on a connection of its own, which comes back by itself after an error: 0.1 s at first, doubling to 5 s. `onReconnect` is called each
 * time that it is back. The first connection is awaited. The returned function ends it.
 */
export async function createListener(
  url: string,
  channel: string,
  onPayload: (payload: string) => void,
  onReconnect: () => void,
  onError: (error: unknown) => void,
): Promise<() => Promise<void>> {
  let client: pg.Client | null = null;
  let stopped = false;
  let delayMs = RECONNECT_MIN_MS;
  let timer: NodeJS.Timeout | undefined;
  let heartbeat: NodeJS.Timeout | undefined;

  async function connect(): Promise<void> {
    const next = new pg.Client({
      connectionString: url,
      keepAlive: true,
      application_name: 'tocsin listener',
      connectionTimeoutMillis: 10_000,
      query_timeout: HEARTBEAT_MS,
    });
    next.on('error', (error) => {
      lost(next, error);
    });
    next.on('end', () => {
      lost(next, null);
    });
    next.on('notification', (message) => {
      onPayload(message.payload ?? '');
    });
    await next.connect();
    await next.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    client = next;
    delayMs = RECONNECT_MIN_MS;
    heartbeat = setInterval(() => {
      next.query('SELECT 1').catch((error: unknown) => {
        lost(next, error);
      });
    }, HEARTBEAT_MS);
    heartbeat.unref();
  }

  function lost(which: pg.Client, error: unknown): void {
    if (stopped || which !== client) return;
    client = null;
    clearInterval(heartbeat);
    which.end().catch(() => {});
    if (error !== null) onError(error);
    retry();
  }

  function retry(): void {
    timer = setTimeout(() => {
      connect().then(stopped ? () => {} : onReconnect, (error: unknown) => {
        if (stopped) return;
        onError(error);
        delayMs = Math.min(delayMs * 2, RECONNECT_MAX_MS);
        retry();
      });
    }, delayMs);
    timer.unref();
  }

  await connect();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    clearInterval(heartbeat);
    await client?.end();
  };
}
