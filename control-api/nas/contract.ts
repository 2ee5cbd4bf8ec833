// What a network access server looks like in the API. Secrets go in and never come out.
import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { ipv6Rules, speedWays } from '#policy/nas/profile.ts';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { choice, Id, Instant, Name, nullable, Prefix, strict } from '../fields.ts';
import { NasOperations } from '../nas-operations/contract.ts';
import { AttributeField, AttributesField } from '../reply-attributes/contract.ts';
import { enforcementModes } from '../tenants/schema.ts';
import { demands, deviceLoginsModes, nas, nasStatuses } from './schema.ts';

export const Secret = Type.String({
  minLength: 1,
  maxLength: 128,
  description: 'RADIUS shared secret; never given back',
});
const Vendor = Type.String({ minLength: 1, maxLength: 64, description: 'a NAS profile, e.g. mikrotik' });

type Demand = (typeof demands)[number];

const SpeedWay = Type.Unsafe<(typeof speedWays)[number]>(
  Type.Enum([...speedWays], {
    description: 'whether it is told speeds as numbers or by names; null: as its vendor usually is',
  }),
);
const Ipv6Rule = Type.Unsafe<(typeof ipv6Rules)[number]>(
  Type.Enum([...ipv6Rules], {
    description:
      'whether the standard counters hold the IPv6 part (subset) or lack it (sum); null: as usual for the vendor',
  }),
);

export const optional = {
  nas_identifier: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 253 }))),
  vendor: Type.Optional(Vendor),
  coa_address: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
  coa_port: Type.Optional(
    nullable(Type.Integer({ minimum: 1, maximum: 65535, description: 'null: the usual one of the vendor' })),
  ),
  coa_rate_per_s: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  mode: Type.Optional(choice(enforcementModes)),
  adopted_at: Type.Optional(
    nullable(Type.String({ format: 'date-time', description: 'when it moved to us with sessions in flight' })),
  ),
  message_authenticator: Type.Optional(
    Type.Unsafe<Demand>({
      ...choice(demands),
      description: 'whether Access-Requests must carry a Message-Authenticator; auto: learned from what it sends',
    }),
  ),
  limit_proxy_state: Type.Optional(
    Type.Unsafe<Demand>({
      ...choice(demands),
      description: 'whether Access-Requests with Proxy-State must carry a Message-Authenticator',
    }),
  ),
  reply_message_authenticator: Type.Optional(
    Type.Boolean({ description: 'off only for devices that drop replies with a Message-Authenticator' }),
  ),
  require_message_authenticator: Type.Optional(
    Type.Boolean({ description: 'the same as message_authenticator: true is yes, false is no' }),
  ),
  speed_way: Type.Optional(nullable(SpeedWay)),
  swap_octets: Type.Optional(Type.Boolean({ description: 'its input octets are what others call output' })),
  octet_unit: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 30, description: 'bytes that it counts as one' })),
  ipv6_rule: Type.Optional(nullable(Ipv6Rule)),
  attributes: Type.Optional(AttributesField),
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
  device_logins: Type.Optional(
    Type.Unsafe<(typeof deviceLoginsModes)[number]>({
      ...choice(deviceLoginsModes),
      description:
        'auto: requests for a login to the device itself are answered to device users alone; never: every login there is a subscriber’s',
    }),
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

const Demanded = Type.Object({
  policy: choice(demands),
  learned: nullable(choice(['yes', 'no', 'unknown'])),
  learned_at: nullable(Instant),
});

export const UnknownNasBody = strict({
  address: Type.String({ minLength: 2, maxLength: 64 }),
  name: Type.Optional(Name),
  secret: Secret,
  ...optional,
});
export type UnknownNasBody = Static<typeof UnknownNasBody>;

export const NasReply = Type.Object({
  id: Id,
  name: Type.String(),
  address: Type.String({ description: 'CIDR; a single device is a /32 or /128' }),
  nas_identifier: nullable(Type.String()),
  vendor: Type.String(),
  has_next_secret: Type.Boolean({ description: 'both secrets verify until the rotation is finished' }),
  rotation_started_at: nullable(Instant),
  coa_address: nullable(Type.String()),
  coa_port: nullable(Type.Integer({ description: 'null: the usual one of the vendor' })),
  coa_rate_per_s: Type.Integer(),
  mode: choice(enforcementModes),
  adopted_at: nullable(Instant),
  message_authenticator: Demanded,
  limit_proxy_state: Demanded,
  reply_message_authenticator: Type.Boolean(),
  require_message_authenticator: Type.Boolean({ description: 'the policy of message_authenticator is yes' }),
  learn_since: Type.String({ format: 'date-time', description: 'what was learned before is void' }),
  speed_way: nullable(SpeedWay),
  swap_octets: Type.Boolean(),
  octet_unit: Type.Integer(),
  ipv6_rule: nullable(Ipv6Rule),
  attributes: Type.Array(AttributeField),
  radsec_identity: nullable(Type.String()),
  coa_over_radsec: Type.Boolean(),
  device_logins: choice(deviceLoginsModes),
  operations: Type.Optional(NasOperations),
  status: choice(nasStatuses),
  created_at: Instant,
  updated_at: Instant,
});
export type NasReply = Static<typeof NasReply>;

/** Drained, in maintenance, or soon to be. */
const isOperated = sql`(EXISTS (SELECT FROM nas_maintenance m WHERE m.tenant_id = ${nas.tenantId} AND m.nas_id = ${nas.id} AND m.ends_at > now())
  OR EXISTS (SELECT FROM nas_drain d WHERE d.tenant_id = ${nas.tenantId} AND d.nas_id = ${nas.id} AND d.ended_at IS NULL))`;

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
    operated: { kind: 'boolean', value: isOperated },
    created_at: { kind: 'instant', value: nas.createdAt, sortable: true },
  },
} as const satisfies ListDefinition;
export const NasQuery = listQuery(nasList);
export const NasesReply = listReply(NasReply);

const counted = {
  packets: Type.Integer({ description: 'never less than what came since it is listed' }),
  overcount: Type.Integer({ description: 'by how much packets may be too high at most' }),
  last_seen_at: Instant,
};
export const UnknownNasReply = Type.Object({
  data: Type.Array(
    Type.Object({
      address: Type.String(),
      network: Type.String({ description: 'its /24 or /64' }),
      nas_identifier: nullable(Type.String()),
      ...counted,
    }),
  ),
  networks: Type.Array(
    Type.Object({ network: Type.String(), ...counted }, { description: 'all that comes from a /24 or /64' }),
  ),
});
export type UnknownNasReply = Static<typeof UnknownNasReply>;
