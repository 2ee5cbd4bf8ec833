// What a tenant looks like in the API.

import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { Currency, choice, Email, Id, Instant, Name, strict } from '../fields.ts';
import { enforcementModes, sessionModes, tenant } from './schema.ts';

const Slug = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' });
const TimeZone = Type.String({ minLength: 1, maxLength: 64, description: 'IANA name, e.g. Asia/Dhaka' });
const Stay = strict({
  framed_pool: Type.Optional(Type.String({ maxLength: 64, description: 'a pool of the access server' })),
  address_list: Type.Optional(Type.String({ maxLength: 64, description: 'an address list or filter there' })),
  portal_url: Type.Optional(Type.String({ maxLength: 240 })),
  session_timeout_s: Type.Optional(Type.Integer({ minimum: 60, maximum: 3600 })),
  at_once: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'stays at once on a node' })),
  up_bps: Type.Optional(Type.Integer({ minimum: 64_000, maximum: 10_000_000 })),
  down_bps: Type.Optional(Type.Integer({ minimum: 64_000, maximum: 10_000_000 })),
});
/** A walled garden instead of a reject; what is not named is rejected. */
const RefusedLogins = strict({
  unknown_user: Type.Optional(Stay),
  wrong_password: Type.Optional(Stay),
  blocked: Type.Optional(Stay),
  expired: Type.Optional(Stay),
});
const settings = {
  time_zone: Type.Optional(TimeZone),
  currency: Type.Optional(Currency),
  gigabyte_bytes: Type.Optional(Type.Union([Type.Literal(1_000_000_000), Type.Literal(1_073_741_824)])),
  week_start: Type.Optional(Type.Integer({ minimum: 1, maximum: 7, description: 'ISO weekday, 1 = Monday' })),
  enforcement_mode: Type.Optional(choice(enforcementModes)),
  session_mode: Type.Optional(choice(sessionModes)),
  refused_logins: Type.Optional(RefusedLogins),
};

export const TenantBody = strict({
  slug: Slug,
  name: Name,
  ...settings,
  admin: Type.Optional(
    strict(
      { email: Email, name: Type.Optional(Name), password: Type.String({ minLength: 12, maxLength: 1024 }) },
      { description: 'the first user of the tenant, role admin' },
    ),
  ),
});
export type TenantBody = Static<typeof TenantBody>;

export const TenantChange = strict({ name: Type.Optional(Name), ...settings });
export type TenantChange = Static<typeof TenantChange>;

export const TenantReply = Type.Object({
  id: Id,
  slug: Type.String(),
  name: Type.String(),
  time_zone: Type.String(),
  currency: Type.String(),
  gigabyte_bytes: Type.Integer(),
  week_start: Type.Integer(),
  enforcement_mode: choice(enforcementModes),
  session_mode: choice(sessionModes),
  refused_logins: RefusedLogins,
  created_at: Instant,
});
export type TenantReply = Static<typeof TenantReply>;

export const tenantList = {
  from: sql`${tenant}`,
  id: tenant.id,
  defaultSort: 'id',
  fields: {
    id: { kind: 'integer', value: tenant.id, sortable: true },
    slug: { kind: 'text', value: tenant.slug, sortable: true },
    name: { kind: 'text', value: tenant.name, sortable: true, like: contains(tenant.name) },
  },
} as const satisfies ListDefinition;
export const TenantQuery = listQuery(tenantList);
export const TenantsReply = listReply(TenantReply);
