// Makes and changes tenants.
import { eq } from 'drizzle-orm';
import { parseRefusedLogins } from '#policy/access/refused-login.ts';
import { isTimeZone } from '#policy/zone.ts';
import { appUser } from '../auth/schema.ts';
import type { PlatformScope, Tx } from '../database/connect.ts';
import { invalid, Problem } from '../problem.ts';
import type { TenantBody, TenantChange, TenantReply } from './contract.ts';
import { showTenant } from './queries.ts';
import { tenant } from './schema.ts';

/** `passwordHash` is the one of `body.admin`. */
export async function createTenant(
  tx: Tx<PlatformScope>,
  body: TenantBody,
  passwordHash: string | undefined,
): Promise<TenantReply> {
  const [made] = await tx
    .insert(tenant)
    .values({ slug: body.slug, name: body.name, ...columnsOf(body) })
    .returning();
  if (!made) throw new Error('the tenant was not inserted');
  if (body.admin && passwordHash) {
    const { email, name = '' } = body.admin;
    await tx
      .insert(appUser)
      .values({ tenantId: made.id, email: email.toLowerCase(), name, role: 'admin', passwordHash });
  }
  tx.audit('tenant', made.id, { slug: made.slug });
  return showTenant(made);
}

export async function changeTenant(tx: Tx<PlatformScope>, id: number, change: TenantChange): Promise<TenantReply> {
  const columns = { ...(change.name === undefined ? {} : { name: change.name }), ...columnsOf(change) };
  if (Object.keys(columns).length === 0) throw invalid('', 'names nothing to change');
  const [changed] = await tx.update(tenant).set(columns).where(eq(tenant.id, id)).returning();
  if (!changed) throw new Problem('tenant_unknown', `there is no tenant ${id}`);
  tx.audit('tenant', id, change);
  return showTenant(changed);
}

function columnsOf(body: TenantChange) {
  // Offsets such as +06:00 are taken by Intl too, but know no rules.
  if (body.time_zone !== undefined && !(/^[A-Za-z]/.test(body.time_zone) && isTimeZone(body.time_zone)))
    throw invalid('/time_zone', 'is no IANA time zone');
  const refused = parseRefusedLogins(body.refused_logins ?? {});
  if (!refused.ok) throw invalid('/refused_logins', refused.problem);
  return {
    ...(body.time_zone === undefined ? {} : { timeZone: body.time_zone }),
    ...(body.currency === undefined ? {} : { currency: body.currency }),
    ...(body.gigabyte_bytes === undefined ? {} : { gigabyteBytes: body.gigabyte_bytes }),
    ...(body.week_start === undefined ? {} : { weekStart: body.week_start }),
    ...(body.enforcement_mode === undefined ? {} : { enforcementMode: body.enforcement_mode }),
    ...(body.session_mode === undefined ? {} : { sessionMode: body.session_mode }),
    ...(body.refused_logins === undefined ? {} : { refusedLogins: body.refused_logins }),
  };
}
