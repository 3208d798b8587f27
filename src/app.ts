import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };
import { createSend, type Send } from './channels/send.ts';
import type { Config } from './config.ts';
import { loadSecretKeys, lockDataDir, writeAdminToken } from './data-dir.ts';
import type { Database } from './db/database.ts';
import { readEpoch } from './db/instance.ts';
import { migrate, withMigrationLock } from './db/migrate.ts';
import { openStore, type Store } from './db/store.ts';
import { createWakeups, type WakeupBus } from './db/wakeups.ts';
import { createFeedCursors, type FeedCursors } from './domain/feed-cursor.ts';
import type { HttpPort, MailPort } from './domain/ports.ts';
import { formatToken, TOKEN_BYTES } from './domain/token.ts';
import type { Api } from './graphql/api.ts';
import type { Clock } from './lib/clock.ts';
import { uuidv7 } from './lib/id.ts';
import { createKeyring, type Keyring } from './lib/seal.ts';
import { Secret } from './lib/secret.ts';
import { createGuardedHttp } from './net/guarded-http.ts';
import { createGuardedMail } from './net/guarded-mail.ts';
import { createSystemLookup } from './net/lookup.ts';
import { createCooldowns } from './pipeline/cooldowns.ts';
import { createAttempt } from './pipeline/deliver.ts';
import { createDeliveryFeed } from './pipeline/delivery-feed.ts';
import { createDispatcher, type Dispatcher } from './pipeline/dispatch.ts';
import { createFiredLog } from './pipeline/fired.ts';
import { createInboxFeed } from './pipeline/inbox-feed.ts';
import { type Jobs, startJobs } from './pipeline/jobs.ts';
import { sweep } from './pipeline/maintenance.ts';
import { createPublisher } from './pipeline/publish.ts';
import { createSubscriptionIndexes } from './pipeline/subscription-index.ts';
import { startFront } from './server/front.ts';
import type { Log } from './server/log.ts';
import { createAuthenticator } from './service/authenticate.ts';
import { bootstrapAdmin, EMBEDDED_ADMIN_EMAIL } from './service/bootstrap.ts';
import { createChanges } from './service/change.ts';
import { createChannels } from './service/channels.ts';
import { createDefaults } from './service/defaults.ts';
import { createMembers } from './service/members.ts';
import { createProjects } from './service/projects.ts';
import { createSubscriptions } from './service/subscriptions.ts';
import { createTestSends } from './service/test-sends.ts';
import { createTokens } from './service/tokens.ts';
import { createUsers } from './service/users.ts';

export interface AppDeps {
  clock: Clock;
  log: Log;
  /** Opened already, by tests; the configured one where it is left out. */
  store?: Store;
}

/** A running server. */
export interface App extends AsyncDisposable {
  /** Where it listens: `http://127.0.0.1:4000`. */
  readonly url: string;
  /** Set where this start made the first admin; its token, where the server made that too: it is in DATA_DIR/admin-token. */
  readonly firstAdmin: { email: string; token: Secret | null } | null;
  /** What the API works on, for tests. */
  readonly api: Api;
  /** Stops taking, finishes or gives back what is under way, closes sockets with 1001. */
  stop(): Promise<void>;
}

const MIGRATIONS = join(import.meta.dirname, '../prisma/migrations');

/** Everything that a running process is made of, in the order in which it is started; it stops in the opposite one. */
export async function createApp(config: Config, deps: AppDeps): Promise<App> {
  await using starting = new AsyncDisposableStack();
  const { clock, log } = deps;
  const onError = (error: unknown): void => {
    log.error({ err: error }, 'something in the background failed');
  };
  const { db, store, firstAdmin } = await openData(config, deps, starting, onError);
  const secretKeys = config.secretKeys ?? loadSecretKeys(config.dataDir);
  const keyring = createKeyring(secretKeys);

  const wakeups = await createWakeups(db, uuidv7(), onError);
  starting.defer(() => wakeups.close());
  const jobs = await startJobs(store.jobs, db.sql, onError);
  starting.defer(() => jobs.stop());
  if (db.kind === 'pglite') await jobs.releaseAll();
  const lookup = createSystemLookup();
  const http = createGuardedHttp({ policy: config.egress, lookup, clock });
  starting.defer(() => http.close());
  const mail = createGuardedMail({ policy: config.egress, lookup, clock, publicUrl: config.publicUrl });

  const send = createSend({ http, mail, clock, version: packageJson.version });
  const base: Base = { config, clock, log, db, wakeups, jobs, http, mail, send, keyring, onError };
  const sending = config.role === 'api' ? null : await startSending(base, starting);
  const feedCursors = createFeedCursors(
    await readEpoch(db.sql),
    secretKeys.map(({ key }) => key),
  );
  const api = createApi(base, starting, feedCursors);
  const authenticator = createAuthenticator({ db, wakeups, clock, onError });
  starting.defer(() => authenticator.close());
  const { host, port, graphiql, trustProxy } = config;
  const ping = (): Promise<unknown> => db.sql.query('SELECT 1 AS one');
  const front = await startFront({ host, port, graphiql, trustProxy, log, onError, ping, api: config.role === 'worker' ? null : { ...api, authenticator } });
  // Together: each may need most of the 15 s that stopping may take.
  starting.defer(async () => {
    await Promise.all([front.stop().then(() => api.testSends.stop()), sending?.stop(), mail.close()]);
  });
  front.setReady();

  const running = starting.move();
  const stop = (): Promise<void> => running.disposeAsync();
  return { url: front.url, firstAdmin, api, stop, [Symbol.asyncDispose]: stop };
}

/** What all parts share. */
interface Base {
  config: Config;
  clock: Clock;
  log: Log;
  db: Database;
  wakeups: WakeupBus;
  jobs: Jobs;
  http: HttpPort;
  mail: MailPort;
  send: Send;
  keyring: Keyring;
  onError: (error: unknown) => void;
}

interface Data {
  db: Database;
  store: Store;
  firstAdmin: App['firstAdmin'];
}

/** Opens the database, migrates it, and makes the first admin where there is nobody. */
async function openData(config: Config, deps: AppDeps, stack: AsyncDisposableStack, onError: Base['onError']): Promise<Data> {
  const store = deps.store ?? (await openConfigured(config, stack, onError));
  const { db } = store;
  stack.defer(() => db.close());
  const firstAdmin = await store.withConnection((connection) =>
    withMigrationLock(connection, async () => {
      await migrate(connection, MIGRATIONS);
      return await makeFirstAdmin(config, deps, db);
    }),
  );
  return { db, store, firstAdmin };
}

async function openConfigured({ database, dataDir }: Config, stack: AsyncDisposableStack, onError: Base['onError']): Promise<Store> {
  if (database !== null) return await openStore({ url: database.url.reveal(), connectionsMax: database.connectionsMax }, onError);
  stack.defer(await lockDataDir(dataDir));
  return await openStore({ dir: join(dataDir, 'pglite') }, onError);
}

async function makeFirstAdmin(config: Config, { clock }: AppDeps, db: Database): Promise<App['firstAdmin']> {
  if ((await db.prisma.user.findFirst({ select: { id: true } })) !== null) return null;
  const admin = config.firstAdmin ?? embeddedAdmin(config);
  const made = await bootstrapAdmin(db, { admin, now: new Date(clock.now()), newId: uuidv7, randomBytes });
  return made === null ? null : { email: admin.email, token: config.firstAdmin === null ? admin.token : null };
}

/** The embedded default's first admin. Its token is written before the admin is made: a crash in between must not leave an admin whom nobody can be. */
function embeddedAdmin({ database, dataDir }: Config): { email: string; token: Secret } {
  if (database !== null) throw new Error('the database has no user yet: set BOOTSTRAP_ADMIN_EMAIL and BOOTSTRAP_ADMIN_TOKEN to make the first admin');
  const token = new Secret(formatToken(randomBytes(TOKEN_BYTES)));
  writeAdminToken(dataDir, token);
  return { email: EMBEDDED_ADMIN_EMAIL, token };
}

/** From 0 to 1, for jitter. */
function random(): number {
  return randomBytes(4).readUInt32BE() / 2 ** 32;
}

/** Sends what is due (unless DISPATCH=hold), and looks after the queue once a minute. */
async function startSending({ config, clock, log, db, wakeups, jobs, send, keyring, onError }: Base, stack: AsyncDisposableStack): Promise<Dispatcher | null> {
  const now = (): number => clock.now();
  await jobs.schedule('sweep', '* * * * *', async () => {
    const { repaired } = await sweep({ db, jobs, wakeups, now, newId: uuidv7 });
    if (repaired > 0) log.warn({ repaired }, 'queued deliveries had no job');
  });
  if (config.dispatch === 'hold') return null;
  const attempt = createAttempt({ send, keyring });
  const settling = { db, jobs, wakeups, now, newId: uuidv7, random };
  const dispatcher = createDispatcher({ ...settling, clock, concurrency: config.outboundConcurrency, attempt, onError });
  dispatcher.start();
  stack.defer(() => dispatcher.stop());
  return dispatcher;
}

/** What GraphQL and /v1 translate to. */
function createApi(base: Base, stack: AsyncDisposableStack, feedCursors: FeedCursors): Api {
  const { config, clock, db, wakeups, jobs, http, mail, send, keyring, onError } = base;
  const { publicUrl } = config;
  const now = (): number => clock.now();
  const fired = createFiredLog({ sql: db.sql, clock, onError });
  stack.defer(() => fired.close());
  const recording = {
    db,
    jobs,
    indexes: createSubscriptionIndexes(),
    cooldowns: createCooldowns({ now, newId: uuidv7 }),
    history: config.eventHistory,
    publicUrl,
  };
  const publisher = createPublisher({ ...recording, now, newId: uuidv7, wakeups, onFired: (ids) => fired.note(ids) });
  stack.defer(() => publisher.close());
  const inboxFeed = createInboxFeed({ db, wakeups, clock, onError });
  const deliveryFeed = createDeliveryFeed({ wakeups });
  stack.defer(() => {
    inboxFeed.close();
    deliveryFeed.close();
  });
  const serviceDeps = { db, jobs, clock, newId: uuidv7, changes: createChanges({ db, wakeups }) };
  return {
    db,
    clock,
    wakeups,
    publicUrl,
    users: createUsers(serviceDeps),
    projects: createProjects(serviceDeps),
    members: createMembers(serviceDeps),
    tokens: createTokens({ ...serviceDeps, randomBytes }),
    channels: createChannels({ ...serviceDeps, http, mail, keyring }),
    testSends: createTestSends({ ...serviceDeps, http, mail, keyring, send, publicUrl, isHeld: config.dispatch === 'hold' }),
    subscriptions: createSubscriptions(serviceDeps),
    defaults: createDefaults(serviceDeps),
    feedCursors,
    inboxFeed,
    publisher,
    deliveryFeed,
    deliveryDeps: { db, jobs, wakeups, now, newId: uuidv7 },
  };
}
