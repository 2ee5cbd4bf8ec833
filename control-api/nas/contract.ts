// What a network access server looks like in the API. Secrets go in and never come out.
import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { choice, Id, Instant, Name, nullable, Prefix, strict } from '../fields.ts';
import { enforcementModes } from '../tenants/schema.ts';
import { nas, nasStatuses } from './schema.ts';

const Secret = Type.String({ minLength: 1, maxLength: 128, description: 'RADIUS shared secret; never given back' });
const Vendor = Type.String({ minLength: 1, maxLength: 64, description: 'a NAS profile, e.g. mikrotik' });

const optional = {
  nas_identifier: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 253 }))),
  vendor: Type.Optional(Vendor),
  coa_address: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
  coa_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
  coa_rate_per_s: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  mode: Type.Optional(choice(enforcementModes)),
  adopted_at: Type.Optional(
    nullable(Type.String({ format: 'date-time', description: 'when it moved to us with sessions in flight' })),
  ),
  require_message_authenticator: Type.Optional(Type.Boolean()),
  radsec_identity: Type.Optional(
    nullable(
      Type.String({
        minLength: 4,
        maxLength: 300,
        description:
          'the certificate it is known by over RadSec: `dns:` an alternative name, `cn:` the common name, or `sha256:` the fingerprint',
      }),
    ),
  ),
  coa_over_radsec: Type.Optional(
    Type.Boolean({ description: 'CoA and Disconnect go back over its RadSec connection, for one behind NAT' }),
  ),
  status: Type.Optional(choice(nasStatuses)),
};

export const NasBody = strict({ name: Name, address: Prefix, secret: Secret, ...optional });
export type NasBody = Static<typeof NasBody>;

export const NasChange = strict({
  name: Type.Optional(Name),
  address: Type.Optional(Prefix),
  secret: Type.Optional(Secret),
  next_secret: Type.Optional(nullable(Secret)),
  ...optional,
});
export type NasChange = Static<typeof NasChange>;

export const NasReply = Type.Object({
  id: Id,
  name: Type.String(),
  address: Type.String({ description: 'CIDR; a single device is a /32 or /128' }),
  nas_identifier: nullable(Type.String()),
  vendor: Type.String(),
  has_next_secret: Type.Boolean({ description: 'both secrets verify until the next one is promoted' }),
  coa_address: nullable(Type.String()),
  coa_port: Type.Integer(),
  coa_rate_per_s: Type.Integer(),
  mode: choice(enforcementModes),
  adopted_at: nullable(Instant),
  require_message_authenticator: Type.Boolean(),
  radsec_identity: nullable(Type.String()),
  coa_over_radsec: Type.Boolean(),
  status: choice(nasStatuses),
  created_at: Instant,
  updated_at: Instant,
});
export type NasReply = Static<typeof NasReply>;

export const nasList = {
  from: sql`${nas}`,
  id: nas.id,
  defaultSort: 'id',
  searches: 'a part of the name, or the address',
  fields: {
    id: { kind: 'integer', value: nas.id, sortable: true },
    name: { kind: 'text', value: nas.name, sortable: true, like: contains(nas.name) },
    vendor: { kind: 'text', value: nas.vendor, sortable: true },
    mode: { kind: 'text', value: nas.mode, choices: enforcementModes },
    status: { kind: 'text', value: nas.status, choices: nasStatuses },
    created_at: { kind: 'instant', value: nas.createdAt, sortable: true },
  },
} as const satisfies ListDefinition;
export const NasQuery = listQuery(nasList);
export const NasesReply = listReply(NasReply);
