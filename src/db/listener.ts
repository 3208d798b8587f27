import pg from 'pg';

const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** For LISTEN; a pulse is given up before. */
const QUERY_TIMEOUT_MS = 10_000;
/** The connection is asked for a sign of life this long after the last one. */
const PULSE_MS = 3_000;
/** Without one for this long it is given up; its time begins anew once, since a process that was itself held up finds its timers due before it reads. */
const SILENCE_MS = 3_000;

export interface ListenerOptions {
  url: string;
  channel: string;
  onPayload: (payload: string) => void;
  /** Called each time that the connection is back. */
  onReconnect: () => void;
  /** The server, or the way to it, has gone silent: what else is connected waits in vain too. */
  onSilence: () => void;
  onError: (error: unknown) => void;
}

/**
 * LISTEN on a connection of its own, which comes back by itself after an error: 0.1 s at first, doubling to 5 s. The first connection is awaited.
 * Nothing else keeps it busy, so it tells within 9 s whether the server is there. The returned function ends it.
 */
export async function createListener({ url, channel, onPayload, onReconnect, onSilence, onError }: ListenerOptions): Promise<() => Promise<void>> {
  let client: pg.Client | null = null;
  let stopped = false;
  let delayMs = RECONNECT_MIN_MS;
  /** Of the next pulse, of its deadline, or of the next connection. */
  let timer: NodeJS.Timeout | undefined;

  async function connect(): Promise<void> {
    const next = new pg.Client({
      connectionString: url,
      keepAlive: true,
      application_name: 'tocsin listener',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
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
    try {
      await next.connect();
      await next.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      next.connection.stream.destroy();
      throw error;
    }
    if (stopped) {
      await next.end();
      return;
    }
    client = next;
    delayMs = RECONNECT_MIN_MS;
    after(PULSE_MS, () => {
      feelPulse(next);
    });
  }

  function after(ms: number, run: () => void): void {
    timer = setTimeout(run, ms);
    timer.unref();
  }

  function feelPulse(connection: pg.Client): void {
    // What makes it fail ends the connection too.
    connection.query('SELECT 1').then(
      () => {
        clearTimeout(timer);
        after(PULSE_MS, () => {
          feelPulse(connection);
        });
      },
      () => {},
    );
    after(SILENCE_MS, () => {
      after(SILENCE_MS, () => {
        lost(connection, new Error('the database is silent'));
        onSilence();
      });
    });
  }

  function lost(which: pg.Client, error: unknown): void {
    if (stopped || which !== client) return;
    client = null;
    clearTimeout(timer);
    which.connection.stream.destroy();
    if (error !== null) onError(error);
    retry();
  }

  function retry(): void {
    after(delayMs, () => {
      connect().then(
        () => {
          if (!stopped) onReconnect();
        },
        (error: unknown) => {
          if (stopped) return;
          onError(error);
          delayMs = Math.min(delayMs * 2, RECONNECT_MAX_MS);
          retry();
        },
      );
    });
  }

  await connect();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await client?.end();
  };
}
