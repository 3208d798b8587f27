import { type App, createApp } from './app.ts';
import { type Config, readConfig } from './config.ts';
import { ADMIN_TOKEN_FILE, dataFile } from './data-dir.ts';
import { systemClock } from './lib/clock.ts';
import { createLog, type Log } from './server/log.ts';

// People read stdout, machines the JSON log on stderr.

const STOP_MS = 15_000;

const read = readConfig();
if (read.ok) await run(read.config);
else fail('the settings are not valid', read.problems);

async function run(config: Config): Promise<void> {
  const log = createLog(config.logLevel);
  const signals = nextSignal();
  try {
    const app = await Promise.race([createApp(config, { clock: systemClock, log }), signals.then(() => null)]);
    if (app === null) process.exit(0);
    announce(config, app);
    await signals;
    await stop(app, log);
  } catch (error) {
    fail('cannot go on', [reasonOf(error)]);
  }
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve();
      });
    }
  });
}

/** In one piece: who waits for the address has the token's place too. */
function announce(config: Config, { url, firstAdmin }: App): void {
  const lines = [`Tocsin listens on ${url} (GraphQL at ${url}/graphql)`];
  if (firstAdmin?.token === null) lines.push(`The first admin is ${firstAdmin.email}, with the token of BOOTSTRAP_ADMIN_TOKEN`);
  else if (firstAdmin !== null) {
    lines.push(`The first admin is ${firstAdmin.email}; the token is in ${dataFile(config.dataDir, ADMIN_TOKEN_FILE)}`);
    if (process.stdout.isTTY) lines.push(`Authorization: Bearer ${firstAdmin.token.reveal()}`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function stop(app: App, log: Log): Promise<void> {
  log.info('stopping');
  setTimeout(() => {
    fail('not everything stopped in time', []);
  }, STOP_MS).unref();
  await app.stop();
  process.exit(0);
}

function fail(what: string, details: readonly string[]): never {
  process.stderr.write(details.length === 0 ? `tocsin: ${what}\n` : `tocsin: ${what}: ${details.join('; ')}\n`);
  process.exit(1);
}

/** An error's message; that of a refused connection is empty, and its code says it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return error.message === '' ? code : error.message;
}
