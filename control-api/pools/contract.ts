// What an address pool looks like in the API: its settings, its ranges, how full it is and who has which address.
import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { leaseStates } from '#policy/ledger/pools.ts';
import { exhaustedAnswers, poolFamilies } from '#policy/network/pool.ts';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { choice, Id, Instant, Name, nullable, Prefix, strict } from '../fields.ts';
import { addressPool } from './schema.ts';

const Address = Type.String({ maxLength: 64, description: 'an IPv4 address' });

export const RangeBody = Type.Union([
  strict({ prefix: Prefix }, { description: 'every address, or every prefix of the pool’s length, in it' }),
  strict({ first: Address, last: Address }, { description: 'IPv4, both included' }),
]);
export type RangeBody = Static<typeof RangeBody>;

const optional = {
  priority: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 100_000,
      description: 'lower goes first among the pools of one access server',
    }),
  ),
  fallback_id: Type.Optional(nullable(Id)),
  nas_id: Type.Optional(nullable(Id)),
  on_exhausted: Type.Optional(choice(exhaustedAnswers)),
  cool_down_s: Type.Optional(
    Type.Integer({ minimum: 120, maximum: 604_800, description: 'how long a released address is kept from others' }),
  ),
  reserve: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 256, description: 'addresses each worker keeps for when Redis is away' }),
  ),
};

export const PoolBody = strict({
  name: Name,
  family: choice(poolFamilies),
  unit_length: Type.Optional(
    Type.Integer({ minimum: 32, maximum: 128, description: 'IPv6: length of the prefix that a session gets' }),
  ),
  ranges: Type.Optional(Type.Array(RangeBody, { maxItems: 32 })),
  ...optional,
});
export type PoolBody = Static<typeof PoolBody>;

export const PoolChange = strict({ name: Type.Optional(Name), ...optional });
export type PoolChange = Static<typeof PoolChange>;

export const RangeChange = strict({ draining: Type.Boolean() });

const Count = Type.Integer({ minimum: 0 });
export const PoolReply = Type.Object({
  id: Id,
  name: Type.String(),
  family: choice(poolFamilies),
  unit_length: Type.Integer(),
  priority: Type.Integer(),
  fallback_id: nullable(Id),
  nas_id: nullable(Id),
  on_exhausted: choice(exhaustedAnswers),
  cool_down_s: Type.Integer(),
  reserve: Type.Integer(),
  ranges: Type.Array(
    Type.Object({
      id: Id,
      first: Type.String(),
      last: Type.String(),
      size: Count,
      draining: Type.Boolean({ description: 'nothing new is leased from it' }),
      used: nullable(Count),
    }),
  ),
  size: Type.Integer({ minimum: 0, description: 'of the ranges that are not draining' }),
  usage: nullable(
    Type.Object(
      {
        used: Type.Integer({ minimum: 0, description: 'held for a login, with a session, or in a reserve' }),
        exhausted: Type.Integer({ minimum: 0, description: 'logins that found nothing free, ever' }),
        conflicts: Type.Integer({ minimum: 0, description: 'sessions with an address that another one had, ever' }),
        recoveries: Type.Integer({ minimum: 0, description: 'how often Redis was found to have gone back in time' }),
      },
      { description: 'null in the answer to a write' },
    ),
  ),
  created_at: Instant,
  updated_at: Instant,
});
export type PoolReply = Static<typeof PoolReply>;

export const poolList = {
  from: sql`${addressPool}`,
  id: addressPool.id,
  defaultSort: 'id',
  searches: 'a part of the name',
  fields: {
    id: { kind: 'integer', value: addressPool.id, sortable: true },
    name: { kind: 'text', value: addressPool.name, sortable: true, like: contains(addressPool.name) },
    family: { kind: 'text', value: addressPool.family, choices: poolFamilies },
    priority: { kind: 'integer', value: addressPool.priority, sortable: true },
  },
} as const satisfies ListDefinition;
export const PoolQuery = listQuery(poolList);
export const PoolsReply = listReply(PoolReply);

export const RangeParams = strict({ id: Id, range_id: Id });

export const LeaseQuery = strict({
  per_page: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: 'about so many; default 100' })),
  cursor: Type.Optional(Type.String({ pattern: '^[0-9]{1,20}$' })),
  state: Type.Optional(choice(leaseStates)),
});
export const LeaseReply = Type.Object({
  address: Type.String(),
  state: choice(leaseStates),
  since: Instant,
  subscription_id: nullable(Id),
});
export type LeaseReply = Static<typeof LeaseReply>;
export const LeasesReply = Type.Object({ data: Type.Array(LeaseReply), next_cursor: nullable(Type.String()) });
export const ReleaseBody = strict({ address: Prefix });
