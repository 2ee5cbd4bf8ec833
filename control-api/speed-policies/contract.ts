// What a speed policy looks like in the API: a speed, and the name of what gives it on the access servers of a vendor.
import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { Id, Instant, nullable, strict } from '../fields.ts';
import { Mbps } from '../services/contract.ts';
import { speedPolicy } from './schema.ts';

const policyText = (description: string) =>
  Type.String({ minLength: 1, maxLength: 200, pattern: '^[ -~]+$', description });
const PolicyText = policyText('as it is configured on the access server');
const UpName = Type.Optional(nullable(policyText('that of the upload, where it is another one')));

export const SpeedPolicyBody = strict({
  vendor: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'or nas_id' })),
  nas_id: Type.Optional(
    Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'for this NAS alone' }),
  ),
  bandwidth_down: Mbps,
  bandwidth_up: Mbps,
  name: PolicyText,
  up_name: UpName,
});
export type SpeedPolicyBody = Static<typeof SpeedPolicyBody>;

export const SpeedPolicyChange = strict({ name: Type.Optional(PolicyText), up_name: UpName });
export type SpeedPolicyChange = Static<typeof SpeedPolicyChange>;

export const SpeedPolicyReply = Type.Object({
  id: Id,
  vendor: Type.String(),
  nas_id: nullable(Type.Integer({ description: 'null: every NAS of the vendor that has none of its own' })),
  bandwidth_down: Type.Number(),
  bandwidth_up: Type.Number(),
  name: Type.String(),
  up_name: nullable(Type.String()),
  created_at: Instant,
  updated_at: Instant,
});
export type SpeedPolicyReply = Static<typeof SpeedPolicyReply>;

export const MissingReply = Type.Object({
  data: Type.Array(
    Type.Object({
      vendor: Type.String(),
      nas_ids: Type.Array(Id, { description: 'access servers that would need the name' }),
      bandwidth_down: Type.Number(),
      bandwidth_up: Type.Number(),
    }),
  ),
});

export const speedPolicyList = {
  from: sql`${speedPolicy}`,
  id: speedPolicy.id,
  defaultSort: 'id',
  searches: 'a part of the name',
  fields: {
    id: { kind: 'integer', value: speedPolicy.id, sortable: true },
    vendor: { kind: 'text', value: speedPolicy.vendor, sortable: true },
    nas_id: { kind: 'integer', value: speedPolicy.nasId, nullable: true },
    name: { kind: 'text', value: speedPolicy.name, sortable: true, like: contains(speedPolicy.name) },
    created_at: { kind: 'instant', value: speedPolicy.createdAt, sortable: true },
  },
} as const satisfies ListDefinition;
export const SpeedPolicyQuery = listQuery(speedPolicyList);
export const SpeedPoliciesReply = listReply(SpeedPolicyReply);
