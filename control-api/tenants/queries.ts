// Reads tenants.
import { inArray } from 'drizzle-orm';
import type { Conn, PlatformScope } from '../database/connect.ts';
import { inOrder, pageOf } from '../database/list.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { Problem } from '../problem.ts';
import { type TenantReply, tenantList } from './contract.ts';
import { tenant } from './schema.ts';

export type Tenant = typeof tenant.$inferSelect;

export async function listTenants(
  conn: Conn<PlatformScope>,
  query: ListQuery,
): Promise<{ data: TenantReply[]; pagination: Pagination }> {
  const { ids, pagination } = await pageOf(conn, tenantList, query);
  const rows = ids.length === 0 ? [] : await conn.select().from(tenant).where(inArray(tenant.id, ids));
  return { data: inOrder(ids, rows).map(showTenant), pagination };
}

/** The tenant that the connection's scope names. */
export async function presentTenant(conn: Pick<Conn, 'select'>): Promise<Tenant> {
  const [found] = await conn.select().from(tenant);
  if (!found) throw new Problem('tenant_unknown', 'the tenant is gone');
  return found;
}

export function showTenant(row: Tenant): TenantReply {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    time_zone: row.timeZone,
    currency: row.currency,
    gigabyte_bytes: row.gigabyteBytes,
    week_start: row.weekStart,
    enforcement_mode: row.enforcementMode,
    session_mode: row.sessionMode,
    refused_logins: row.refusedLogins,
    created_at: row.createdAt.toISOString(),
  };
}
