import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { type Authenticator, createAuthenticator } from '../../src/service/authenticate.ts';
import { insertProject, insertUser, openBench } from './support.ts';

const bench = openBench('NO_JOBS');
let authenticator: Authenticator;
let queries: string[] = [];
const errors: unknown[] = [];

/** The database, with what is asked of it by plain SQL noted. */
function watched(db: Database): Database {
  const sql: Database['sql'] = {
    query: async (text, values) => {
      queries.push(text.trimStart().split(' ')[0] ?? '');
      return await db.sql.query(text, values);
    },
  };
  return { ...db, sql };
}

beforeAll(() => {
  authenticator = createAuthenticator({ db: watched(bench.db), wakeups: bench.wakeups, clock: bench.clock, onError: (error) => errors.push(error) });
});
beforeEach(() => {
  // Nothing is remembered from the test before.
  bench.clock.advance(60_000);
  queries = [];
});
afterAll(async () => {
  await authenticator.close();
  expect(errors).toEqual([]);
});

describe('a token', () => {
  test('of a user stands for that user and its rights', async () => {
    const ada = await insertUser(bench);
    const { apiToken, token } = await bench.createToken(ada, { name: 'laptop' });
    expect(await authenticator.authenticate(token.reveal())).toEqual({
      kind: 'user',
      userId: ada.userId,
      isAdmin: false,
      tokenId: apiToken.id,
      expiresAt: null,
    });
    await bench.updateUser(bench.root, { id: ada.userId, isAdmin: true });
    expect(await authenticator.authenticate(token.reveal())).toMatchObject({ userId: ada.userId, isAdmin: true });
  });

  test('of a project’s agents stands for that project', async () => {
    const projectId = await insertProject(bench);
    const expiresAt = new Date(bench.clock.now() + 3_600_000);
    const { apiToken, token } = await bench.createToken(bench.root, { name: 'celery', projectId, expiresAt });
    expect(await authenticator.authenticate(token.reveal())).toEqual({ kind: 'agent', projectId, tokenId: apiToken.id, expiresAt: expiresAt.getTime() });
  });

  test('that nobody was given is nobody', async () => {
    const { token } = await bench.createToken(bench.root, { name: 'right' });
    const text = token.reveal();
    expect(await authenticator.authenticate(`${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`)).toBeNull();
    expect(await authenticator.authenticate(`${text} `)).toBeNull();
  });

  test.each(['', 'short', 'x'.repeat(201), `${'x'.repeat(30)}\n`, `${'x'.repeat(30)}\0`])('%j can be none, and costs no query', async (text) => {
    expect(await authenticator.authenticate(text)).toBeNull();
    expect(queries).toEqual([]);
  });

  test('ends to the millisecond, even while it is remembered', async () => {
    const expiresAt = new Date(bench.clock.now() + 100);
    const { token } = await bench.createToken(bench.root, { name: 'short', expiresAt });
    bench.clock.advance(99);
    expect(await authenticator.authenticate(token.reveal())).not.toBeNull();
    bench.clock.advance(1);
    expect(await authenticator.authenticate(token.reveal())).toBeNull();
  });
});

describe('revocation', () => {
  test('is in force with the next call', async () => {
    const { apiToken, token } = await bench.createToken(bench.root, { name: 'doomed' });
    expect(await authenticator.authenticate(token.reveal())).not.toBeNull();
    await bench.revokeToken(bench.root, { id: apiToken.id });
    expect(await authenticator.authenticate(token.reveal())).toBeNull();
  });

  test('of a user’s tokens comes with the user’s deletion', async () => {
    const ada = await insertUser(bench);
    const { token } = await bench.createToken(ada, { name: 'laptop' });
    expect(await authenticator.authenticate(token.reveal())).not.toBeNull();
    await bench.deleteUser(bench.root, { id: ada.userId });
    expect(await authenticator.authenticate(token.reveal())).toBeNull();
  });

  test('is in force within a second where its wake-up is lost', async () => {
    const { apiToken, token } = await bench.createToken(bench.root, { name: 'doomed' });
    expect(await authenticator.authenticate(token.reveal())).not.toBeNull();
    await bench.db.prisma.apiToken.delete({ where: { id: apiToken.id } });
    bench.clock.advance(999);
    expect(await authenticator.authenticate(token.reveal())).toBeNull();
  });

  test('that overtakes a look-up is not undone by it', async () => {
    const { apiToken, token } = await bench.createToken(bench.root, { name: 'doomed' });
    const [read, gate] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    const slow: Database = {
      ...bench.db,
      sql: {
        query: async <Row>(text: string, values?: readonly unknown[]) => {
          const rows = await bench.db.sql.query<Row>(text, values);
          read.resolve(undefined);
          await gate.promise;
          return rows;
        },
      },
    };
    const replica = createAuthenticator({ db: slow, wakeups: bench.wakeups, clock: bench.clock, onError: (error) => errors.push(error) });
    const early = replica.authenticate(token.reveal());
    await read.promise;
    await bench.revokeToken(bench.root, { id: apiToken.id });
    gate.resolve(undefined);
    await early;
    expect(await replica.authenticate(token.reveal())).toBeNull();
    await replica.close();
  });
});

describe('the cost', () => {
  test('is one look-up for many calls within half a second, at once or one by one', async () => {
    const { token } = await bench.createToken(bench.root, { name: 'busy' });
    await Promise.all(Array.from({ length: 20 }, async () => await authenticator.authenticate(token.reveal())));
    bench.clock.advance(499);
    await authenticator.authenticate(token.reveal());
    expect(queries.filter((query) => query === 'SELECT')).toHaveLength(1);
    bench.clock.advance(1);
    await authenticator.authenticate(token.reveal());
    expect(queries.filter((query) => query === 'SELECT')).toHaveLength(2);
  });

  test('is no memory for what nobody was given', async () => {
    const text = 'x'.repeat(53);
    expect(await authenticator.authenticate(text)).toBeNull();
    expect(await authenticator.authenticate(text)).toBeNull();
    expect(queries.filter((query) => query === 'SELECT')).toHaveLength(2);
  });
});

describe('"last used"', () => {
  test('is written at most once a minute', async () => {
    const { apiToken, token } = await bench.createToken(bench.root, { name: 'used' });
    const usedAt = bench.clock.now();
    await authenticator.authenticate(token.reveal());
    bench.clock.advance(59_999);
    await authenticator.authenticate(token.reveal());
    expect(queries.filter((query) => query === 'UPDATE')).toHaveLength(1);
    await expect.poll(async () => await lastUsed(apiToken.id)).toEqual(new Date(usedAt));
    bench.clock.advance(1);
    await authenticator.authenticate(token.reveal());
    await expect.poll(async () => await lastUsed(apiToken.id)).toEqual(new Date(usedAt + 60_000));
  });

  test('is written once by all replicas', async () => {
    const { apiToken, token } = await bench.createToken(bench.root, { name: 'shared' });
    const usedAt = bench.clock.now();
    await authenticator.authenticate(token.reveal());
    await expect.poll(async () => await lastUsed(apiToken.id)).toEqual(new Date(usedAt));
    bench.clock.advance(30_000);
    const replica = createAuthenticator({ db: bench.db, wakeups: bench.wakeups, clock: bench.clock, onError: (error) => errors.push(error) });
    await replica.authenticate(token.reveal());
    await replica.close();
    expect(await lastUsed(apiToken.id)).toEqual(new Date(usedAt));
  });

  test('that cannot be written is told, and refuses nobody', async () => {
    const told: unknown[] = [];
    const failing: Database = {
      ...bench.db,
      sql: {
        query: async (text, values) => (text.startsWith('UPDATE') ? await Promise.reject(new Error('read-only')) : await bench.db.sql.query(text, values)),
      },
    };
    const replica = createAuthenticator({ db: failing, wakeups: bench.wakeups, clock: bench.clock, onError: (error) => told.push(error) });
    const { token } = await bench.createToken(bench.root, { name: 'unlucky' });
    expect(await replica.authenticate(token.reveal())).not.toBeNull();
    await replica.close();
    expect(told).toHaveLength(1);
  });
});

test('a database that is gone is an error, not a refusal, and is asked again', async () => {
  let isGone = true;
  const flaky: Database = {
    ...bench.db,
    sql: { query: async (text, values) => (isGone ? await Promise.reject(new Error('gone')) : await bench.db.sql.query(text, values)) },
  };
  const replica = createAuthenticator({ db: flaky, wakeups: bench.wakeups, clock: bench.clock, onError: (error) => errors.push(error) });
  const { token } = await bench.createToken(bench.root, { name: 'patient' });
  await expect(replica.authenticate(token.reveal())).rejects.toThrow('gone');
  isGone = false;
  expect(await replica.authenticate(token.reveal())).not.toBeNull();
  await replica.close();
});

/** "Last used" is written in the background. */
async function lastUsed(id: string): Promise<Date | null | undefined> {
  return (await bench.db.prisma.apiToken.findUnique({ where: { id } }))?.lastUsedAt;
}
