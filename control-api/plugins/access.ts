// Who calls, in which tenant, and whether the role may: before anything else of a request is looked at.
import { eq, sql } from 'drizzle-orm';
import type { FastifyRequest } from 'fastify';
import type { Api, Caller } from '../api.ts';
import { userOfAccessToken } from '../auth/queries.ts';
import { hashOfToken } from '../auth/token.ts';
import type { Conn, Db, PlatformScope } from '../database/connect.ts';
import { enter, read } from '../database/read.ts';
import { auditLog } from '../database/schema.ts';
import type { Deps } from '../deps.ts';
import { permits } from '../permissions.ts';
import { Problem } from '../problem.ts';
import { tenant } from '../tenants/schema.ts';

const platform: PlatformScope = { kind: 'platform' };

export function access(app: Api, deps: Pick<Deps, 'db' | 'clock'>): void {
  app.decorateRequest('caller', null);
  app.addHook('onRequest', async (request) => {
    const { permission, platform: inNoTenant } = request.routeOptions.config;
    if (request.is404 || permission === 'public') return;
    if (!permission) throw new Problem('forbidden', 'the route names no permission');
    const token = bearerOf(request);
    const now = new Date(deps.clock.nowMs());
    const caller = await read(deps.db, platform, async (conn): Promise<Caller> => {
      const user = await userOfAccessToken(conn, hashOfToken(token), now);
      if (!user) throw new Problem('unauthenticated', 'the access token is expired or unknown');
      if (permission !== 'signed_in' && !permits(user.role, permission))
        throw new Problem('forbidden', `the role ${user.role} does not have ${permission}`);
      const { tenantSlug, ...known } = user;
      const acts = !inNoTenant && permission !== 'signed_in';
      return { ...known, tenantId: acts ? await actingTenant(conn, request, user) : known.tenantId };
    });
    request.caller = caller;
    if (caller.role === 'super_admin' && caller.tenantId !== null) await noteAccess(deps.db, caller, request);
  });
}

function bearerOf(request: FastifyRequest): string {
  const match = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(request.headers.authorization ?? '');
  if (!match?.[1]) throw new Problem('unauthenticated', 'send Authorization: Bearer <access token>');
  return match[1];
}

/** The tenant a user belongs to, or for a super admin the one named by X-Tenant, else the only one, else `demo`. */
async function actingTenant(
  conn: Conn<PlatformScope>,
  request: FastifyRequest,
  user: { tenantId: number | null; tenantSlug: string | null },
): Promise<number> {
  const slug = request.headers['x-tenant'];
  if (user.tenantId !== null) {
    if (slug !== undefined && slug !== user.tenantSlug)
      throw new Problem('tenant_forbidden', 'X-Tenant names another tenant than yours');
    return user.tenantId;
  }
  if (slug !== undefined) {
    const [named] = await conn
      .select({ id: tenant.id })
      .from(tenant)
      .where(eq(tenant.slug, String(slug)));
    if (!named) throw new Problem('tenant_unknown', 'there is no tenant with the slug of X-Tenant');
    return named.id;
  }
  const [first, second] = await conn
    .select({ id: tenant.id, slug: tenant.slug })
    .from(tenant)
    .orderBy(sql`${tenant.slug} <> 'demo'`, tenant.id)
    .limit(2);
  if (first && (first.slug === 'demo' || !second)) return first.id;
  throw new Problem('tenant_required', 'say by X-Tenant in which tenant to act');
}

/** A super admin inside a tenant leaves a trace for each access; it does not wait for the disk. */
async function noteAccess(db: Db, caller: Caller, request: FastifyRequest): Promise<void> {
  const { tenantId, userId } = caller;
  if (tenantId === null) return;
  await db.transaction(async (transaction) => {
    await transaction.execute(enter({ kind: 'tenant', tenantId }));
    await transaction.execute(sql`SET LOCAL synchronous_commit = off`);
    await transaction.insert(auditLog).values({
      tenantId,
      userId,
      action: 'platform.access',
      detail: { method: request.method, path: request.routeOptions.url },
      requestId: request.id,
    });
  });
}
