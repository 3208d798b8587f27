import type { Database } from '../db/database.ts';
import { sqlOf } from '../db/open.ts';
import { checkEmail } from '../domain/names.ts';
import { checkOperatorToken, formatToken, hashToken, TOKEN_BYTES } from '../domain/token.ts';
import { Secret } from '../lib/secret.ts';

/** Who is to be the first admin: the operator's choice, or null, as the embedded default makes one. */
export type FirstAdmin = { email: string; token: Secret } | null;

interface BootstrapOptions {
  admin: FirstAdmin;
  now: Date;
  newId: () => string;
  randomBytes: (count: number) => Uint8Array;
}

/** The address of the admin that the embedded default makes. */
export const EMBEDDED_ADMIN_EMAIL = 'admin@localhost';

/**
 * Makes the first admin and its token where there is no user yet, once however many replicas start together; otherwise does nothing and answers null. Call
 * it under the migration lock (db/migrate.ts). `token` is set where it was made here: the only time that it can be told. Throws where the operator's
 * choice is not valid, which src/config.ts checks before.
 */
export async function bootstrapAdmin(db: Database, options: BootstrapOptions): Promise<{ userId: string; email: string; token: Secret | null } | null> {
  if ((await db.prisma.user.findFirst({ select: { id: true } })) !== null) return null;
  const { admin, now, newId, randomBytes } = options;
  const email = checkEmail(admin?.email ?? EMBEDDED_ADMIN_EMAIL);
  const text = checkOperatorToken(admin?.token.reveal() ?? formatToken(randomBytes(TOKEN_BYTES)));
  if (!email.ok || !text.ok) throw new TypeError("the first admin's address or token is not valid");

  return await db.prismaTransaction(async (tx) => {
    await sqlOf(tx).query('LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE');
    if ((await tx.user.findFirst({ select: { id: true } })) !== null) return null;
    const name = email.value.slice(0, email.value.indexOf('@'));
    const user = await tx.user.create({ data: { id: newId(), email: email.value, name, isAdmin: true, createdAt: now, inbox: { create: {} } } });
    await tx.apiToken.create({ data: { id: newId(), name: 'first admin', hash: new Uint8Array(hashToken(text.value)), userId: user.id, createdAt: now } });
    return { userId: user.id, email: user.email, token: admin === null ? new Secret(text.value) : null };
  });
}
