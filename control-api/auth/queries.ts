// Finds people and their sign-ins, on the platform: before a sign-in there is no tenant.
import { timingSafeEqual } from 'node:crypto';
import { and, eq, gt, isNull } from 'drizzle-orm';
import type { Conn, PlatformScope } from '../database/connect.ts';
import type { Role } from '../permissions.ts';
import { tenant } from '../tenants/schema.ts';
import { appUser, authSession } from './schema.ts';

export type SignedIn = {
  userId: number;
  email: string;
  role: Role;
  login: string;
  tenantId: number | null;
  tenantSlug: string | null;
};

export async function userOfAccessToken(
  conn: Conn<PlatformScope>,
  accessHash: Buffer,
  now: Date,
): Promise<SignedIn | undefined> {
  const [found] = await conn
    .select({
      accessHash: authSession.accessHash,
      userId: appUser.id,
      email: appUser.email,
      role: appUser.role,
      login: authSession.login,
      tenantId: appUser.tenantId,
      tenantSlug: tenant.slug,
    })
    .from(authSession)
    .innerJoin(appUser, eq(appUser.id, authSession.userId))
    .leftJoin(tenant, eq(tenant.id, appUser.tenantId))
    .where(
      and(
        eq(authSession.accessHash, accessHash),
        gt(authSession.accessExpiresAt, now),
        isNull(authSession.replacedAt),
        eq(appUser.status, 'active'),
      ),
    );
  if (!found || !timingSafeEqual(found.accessHash, accessHash)) return undefined;
  const { accessHash: _, ...user } = found;
  return user;
}

/** The active user who signs in as `email`, in the tenant of `slug`; without a slug a super admin. */
export async function userForLogin(
  conn: Conn<PlatformScope>,
  email: string,
  slug: string | undefined,
): Promise<{ id: number; passwordHash: string } | undefined> {
  const [found] = await conn
    .select({ id: appUser.id, passwordHash: appUser.passwordHash })
    .from(appUser)
    .leftJoin(tenant, eq(tenant.id, appUser.tenantId))
    .where(
      and(
        eq(appUser.email, email),
        eq(appUser.status, 'active'),
        slug === undefined ? isNull(appUser.tenantId) : eq(tenant.slug, slug),
      ),
    );
  return found;
}

export async function superAdminExists(conn: Conn<PlatformScope>): Promise<boolean> {
  const found = await conn.select({ id: appUser.id }).from(appUser).where(eq(appUser.role, 'super_admin')).limit(1);
  return found.length > 0;
}
