import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { openPglite, openPostgres } from '../../src/db/open.ts';
import { hashToken } from '../../src/domain/token.ts';
import { uuidv7 } from '../../src/lib/id.ts';
import { Secret } from '../../src/lib/secret.ts';
import { bootstrapAdmin, type FirstAdmin } from '../../src/service/bootstrap.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let db: Database;
const now = new Date('2026-11-24T12:00:00Z');

beforeAll(async () => {
  database = await openTestDatabase();
  db = database.url === null ? openPglite(database.pglite) : openPostgres(database.url, 4, () => {});
});
afterEach(async () => {
  await db.prisma.user.deleteMany();
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

async function bootstrap(admin: FirstAdmin): ReturnType<typeof bootstrapAdmin> {
  return await bootstrapAdmin(db, { admin, now, newId: uuidv7, randomBytes });
}

describe('the first admin', () => {
  test('is whom the operator names, with the token taken as it is', async () => {
    const token = new Secret('correct horse battery staple');
    const made = await bootstrap({ email: 'Ops@Example.com', token });
    expect(made).toMatchObject({ email: 'ops@example.com', token: null });
    const [user, ...others] = await db.prisma.user.findMany({ include: { tokens: true, inbox: true } });
    expect(others).toEqual([]);
    expect(user).toMatchObject({ id: made?.userId, email: 'ops@example.com', name: 'ops', isAdmin: true, inbox: { head: 0n } });
    expect(user?.tokens).toMatchObject([{ expiresAt: null, projectId: null }]);
    expect(Buffer.from(user?.tokens[0]?.hash ?? [])).toEqual(hashToken(token.reveal()));
  });

  test('is made up where the operator names none, and its token is told', async () => {
    const made = await bootstrap(null);
    expect(made?.email).toBe('admin@localhost');
    expect(made?.token?.reveal()).toMatch(/^tsn_[0-9A-Za-z]{49}$/);
    expect(await db.prisma.apiToken.findUnique({ where: { hash: new Uint8Array(hashToken(made?.token?.reveal() ?? '')) } })).toMatchObject({
      userId: made?.userId,
    });
  });

  test('is made once: never where there is a user', async () => {
    await bootstrap(null);
    expect(await bootstrap({ email: 'second@example.com', token: new Secret('x'.repeat(20)) })).toBeNull();
    expect(await bootstrap(null)).toBeNull();
    expect(await db.prisma.user.count()).toBe(1);
    expect(await db.prisma.apiToken.count()).toBe(1);
  });

  test('is one, of two replicas that start at once', async () => {
    const made = await Promise.all(
      [1, 2].map(async (n) => await bootstrap({ email: `replica${String(n)}@example.com`, token: new Secret('x'.repeat(20 + n)) })),
    );
    expect(made.filter((one) => one !== null)).toHaveLength(1);
    expect(await db.prisma.user.count()).toBe(1);
  });

  test.each([
    ['address', { email: 'nobody', token: new Secret('x'.repeat(20)) }],
    ['token', { email: 'ops@example.com', token: new Secret('short') }],
  ])('is not made with an %s that is none', async (_, admin) => {
    await expect(bootstrap(admin)).rejects.toThrow(TypeError);
    expect(await db.prisma.user.count()).toBe(0);
  });
});
