// What an exporter of flows looks like in the API: its settings, and what was received from it.
import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { countDirections, exporterRoles } from '#policy/flow/exporter.ts';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { choice, Id, Instant, Name, nullable, strict } from '../fields.ts';
import { exporter } from './schema.ts';

const SamplingRate = Type.Integer({
  minimum: 1,
  maximum: 2_147_483_647,
  description: 'one packet of this many is looked at, where the exporter does not tell; null = unsampled then',
});

const optional = {
  role: Type.Optional(choice(exporterRoles)),
  sampling_rate: Type.Optional(nullable(SamplingRate)),
  count_direction: Type.Optional(choice(countDirections)),
  totals_are_deltas: Type.Optional(
    Type.Boolean({ description: 'elements 85 and 86 count: right only where each flow is exported once' }),
  ),
};

export const ExporterBody = strict({
  name: Type.Optional(Name),
  address: Type.String({ maxLength: 64, description: 'where its datagrams come from; claims an unassigned sender' }),
  ...optional,
});
export type ExporterBody = Static<typeof ExporterBody>;

export const ExporterChange = strict({ name: Type.Optional(Name), ...optional });
export type ExporterChange = Static<typeof ExporterChange>;

const settings = {
  id: Id,
  name: Type.String(),
  address: Type.String(),
  role: choice(exporterRoles),
  sampling_rate: nullable(Type.Integer()),
  count_direction: choice(countDirections),
  totals_are_deltas: Type.Boolean(),
  discovered: Type.Boolean({ description: 'made because it sent flows, and not changed by anybody since' }),
  created_at: Instant,
  updated_at: Instant,
};
export const ExporterReply = Type.Object(settings);
export type ExporterReply = Static<typeof ExporterReply>;

const Count = Type.Integer({ minimum: 0 });
export const TrafficReply = Type.Object({
  packets: Count,
  records: Count,
  unknown_templates: Type.Integer({ minimum: 0, description: 'sets that came before their template' }),
  late_decoded: Type.Integer({ minimum: 0, description: 'of those, decoded when it came' }),
  lost: Type.Integer({ minimum: 0, description: 'by sequence number: flows of version 5, datagrams of version 9' }),
  time_clamped: Type.Integer({ minimum: 0, description: 'flows more than a day off; the time of receipt stands in' }),
  unattributed: Type.Integer({ minimum: 0, description: 'flows in which no address was a subscriber’s' }),
  sampled: Type.Integer({ minimum: 0, description: 'flows of sampled packets: stored, never counted as usage' }),
  last_seen_at: Instant,
  counted_since: Instant,
});
export type TrafficReply = Static<typeof TrafficReply>;

export const ExporterWithTraffic = Type.Object({
  ...settings,
  traffic: nullable(TrafficReply),
});
export type ExporterWithTraffic = Static<typeof ExporterWithTraffic>;

export const UnassignedReply = Type.Object({
  data: Type.Array(Type.Object({ address: Type.String(), traffic: TrafficReply })),
});

export const exporterList = {
  from: sql`${exporter}`,
  id: exporter.id,
  defaultSort: 'id',
  searches: 'a part of the name, or the address',
  fields: {
    id: { kind: 'integer', value: exporter.id, sortable: true },
    name: { kind: 'text', value: exporter.name, sortable: true, like: contains(exporter.name) },
    role: { kind: 'text', value: exporter.role, choices: exporterRoles },
    discovered: { kind: 'boolean', value: exporter.discovered },
    created_at: { kind: 'instant', value: exporter.createdAt, sortable: true },
  },
} as const satisfies ListDefinition;
export const ExporterQuery = listQuery(exporterList);
export const ExportersReply = listReply(ExporterWithTraffic);
