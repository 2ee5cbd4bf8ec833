// Opens, refreshes and ends sign-ins; makes the first super admin.
import { randomBytes, randomUUID } from 'node:crypto';
import { and, eq, lt, sql } from 'drizzle-orm';
import type { PlatformScope, Tx } from '../database/connect.ts';
import { superAdminExists } from './queries.ts';
import { appUser, authSession } from './schema.ts';
import { hashOfToken } from './token.ts';

const accessLifetimeS = 3600;
const refreshLifetimeS = 30 * 86_400;

export type Tokens = { access_token: string; refresh_token: string; token_type: 'Bearer'; expires_in: number };

/** A new sign-in of `userId`; the expired ones are cleared away. */
export async function openLogin(tx: Tx<PlatformScope>, userId: number, now: Date): Promise<Tokens> {
  await tx.delete(authSession).where(and(eq(authSession.userId, userId), lt(authSession.refreshExpiresAt, now)));
  tx.audit('user', userId);
  return issue(tx, userId, randomUUID(), now);
}

/** New tokens for a refresh token; undefined when it is not valid. One that was used before ends its whole login. */
export async function refreshLogin(tx: Tx<PlatformScope>, refreshHash: Buffer, now: Date): Promise<Tokens | undefined> {
  const [session] = await tx
    .select({ session: authSession, userStatus: appUser.status })
    .from(authSession)
    .innerJoin(appUser, eq(appUser.id, authSession.userId))
    .where(eq(authSession.refreshHash, refreshHash))
    .for('update', { of: authSession });
  if (!session) return undefined;
  const { id, userId, login, replacedAt, refreshExpiresAt } = session.session;
  if (replacedAt !== null || session.userStatus !== 'active') {
    await endLogin(tx, login);
    tx.audit('user', userId, { ended: replacedAt === null ? 'user is not active' : 'refresh token came twice' });
    return undefined;
  }
  if (refreshExpiresAt <= now) return undefined;
  await tx.update(authSession).set({ replacedAt: now }).where(eq(authSession.id, id));
  tx.audit('user', userId);
  return issue(tx, userId, login, now);
}

export async function endLogin(tx: Tx<PlatformScope>, login: string): Promise<void> {
  await tx.delete(authSession).where(eq(authSession.login, login));
}

/** Makes the first super admin; false when there is one already. Two processes that start together make one. */
export async function makeFirstAdmin(tx: Tx<PlatformScope>, email: string, passwordHash: string): Promise<boolean> {
  await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtext('first super admin'))`);
  if (await superAdminExists(tx)) return false;
  await tx.insert(appUser).values({ email: email.toLowerCase(), role: 'super_admin', passwordHash });
  return true;
}

async function issue(tx: Tx<PlatformScope>, userId: number, login: string, now: Date): Promise<Tokens> {
  const access = randomBytes(32).toString('base64url');
  const refresh = randomBytes(32).toString('base64url');
  await tx.insert(authSession).values({
    userId,
    login,
    accessHash: hashOfToken(access),
    refreshHash: hashOfToken(refresh),
    accessExpiresAt: new Date(now.getTime() + accessLifetimeS * 1000),
    refreshExpiresAt: new Date(now.getTime() + refreshLifetimeS * 1000),
    createdAt: now,
  });
  return { access_token: access, refresh_token: refresh, token_type: 'Bearer', expires_in: accessLifetimeS };
}
