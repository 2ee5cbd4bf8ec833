// What a tenant looks like in the API.

import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { Currency, choice, Email, Id, Instant, Name, strict } from '../fields.ts';
import { enforcementModes, tenant } from './schema.ts';

const Slug = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' });
const TimeZone = Type.String({ minLength: 1, maxLength: 64, description: 'IANA name, e.g. Asia/Dhaka' });
const settings = {
  time_zone: Type.Optional(TimeZone),
  currency: Type.Optional(Currency),
  gigabyte_bytes: Type.Optional(Type.Union([Type.Literal(1_000_000_000), Type.Literal(1_073_741_824)])),
  week_start: Type.Optional(Type.Integer({ minimum: 1, maximum: 7, description: 'ISO weekday, 1 = Monday' })),
  enforcement_mode: Type.Optional(choice(enforcementModes)),
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
