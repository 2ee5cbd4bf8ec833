// What a service of the catalog looks like in the API: speeds in Mbps, data in GB, money as a decimal string.
import { sql } from 'drizzle-orm';
import Type, { type Static } from 'typebox';
import { usageDirections, usageWindows } from '#policy/fup/rules.ts';
import { contains } from '../database/list.ts';
import { type ListDefinition, listQuery, listReply } from '../database/list-contract.ts';
import { Currency, choice, Id, Instant, Money, Name, strict, Text } from '../fields.ts';
import { AttributeField, AttributesField } from '../reply-attributes/contract.ts';
import { service, serviceCategories, serviceStatuses, suspendActions, tariff } from './schema.ts';

export const Mbps = Type.Number({ exclusiveMinimum: 0, maximum: 10_000_000, description: 'Mbps, at most 3 decimals' });
const MinuteOfDay = Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$', description: 'e.g. 18:30' });

export const FupRuleField = strict({
  window: choice(usageWindows),
  direction: Type.Optional(choice(usageDirections)),
  threshold_gb: Type.Number({
    exclusiveMinimum: 0,
    maximum: 1_000_000,
    description: 'in force from this usage on; GB of the tenant, at most 3 decimals',
  }),
  effect: Type.Union([
    strict({ kind: Type.Literal('speed'), bandwidth_down: Mbps, bandwidth_up: Mbps }),
    strict({ kind: Type.Literal('reduce'), percent: Type.Integer({ minimum: 1, maximum: 99 }) }),
    strict({ kind: Type.Literal('block') }),
  ]),
  active: Type.Optional(
    strict(
      {
        weekdays: Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), { minItems: 1, maxItems: 7, uniqueItems: true }),
        from: MinuteOfDay,
        to: MinuteOfDay,
      },
      { description: 'when the rule is in force, in the zone of the tenant; absent: always' },
    ),
  ),
});
export type FupRuleField = Static<typeof FupRuleField>;

const tariffOptions = {
  currency: Type.Optional(Currency),
  fup_rules: Type.Optional(Type.Array(FupRuleField, { maxItems: 20 })),
  suspend_action: Type.Optional(choice(suspendActions)),
  grace_s: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 31_536_000, description: 'seconds of service after paid_until' }),
  ),
  interim_interval_s: Type.Optional(Type.Integer({ minimum: 60, maximum: 86_400 })),
  attributes: Type.Optional(AttributesField),
};

export const InternetBody = strict({
  name: Name,
  description: Type.Optional(Text),
  bandwidth_down: Mbps,
  bandwidth_up: Mbps,
  monthly_fee: Money,
  ...tariffOptions,
});
export type InternetBody = Static<typeof InternetBody>;

export const InternetChange = strict({
  name: Type.Optional(Name),
  description: Type.Optional(Text),
  status: Type.Optional(choice(serviceStatuses)),
  bandwidth_down: Type.Optional(Mbps),
  bandwidth_up: Type.Optional(Mbps),
  monthly_fee: Type.Optional(Money),
  ...tariffOptions,
});
export type InternetChange = Static<typeof InternetChange>;

export const TariffReply = Type.Object({
  id: Id,
  version: Type.Integer(),
  bandwidth_down: Type.Number(),
  bandwidth_up: Type.Number(),
  monthly_fee: Type.String(),
  currency: Type.String(),
  fup_rules: Type.Array(FupRuleField),
  suspend_action: choice(suspendActions),
  grace_s: Type.Integer(),
  interim_interval_s: Type.Integer(),
  attributes: Type.Array(AttributeField),
});
export type TariffReply = Static<typeof TariffReply>;

const { id: _, version: __, ...tariffFields } = TariffReply.properties;
export const ServiceReply = Type.Object({
  id: Id,
  category: choice(serviceCategories),
  name: Type.String(),
  description: Type.String(),
  status: choice(serviceStatuses),
  tariff_id: Id,
  version: Type.Integer({ description: 'of the tariff; a change of the tariff makes a new one' }),
  ...tariffFields,
  created_at: Instant,
  updated_at: Instant,
});
export type ServiceReply = Static<typeof ServiceReply>;

/** The newest tariff of each service stands for it. */
export const serviceList = {
  from: sql`${service} JOIN ${tariff} ON ${tariff.serviceId} = ${service.id} AND NOT EXISTS (
    SELECT FROM tariff AS newer WHERE newer.service_id = ${service.id} AND newer.version > ${tariff.version})`,
  id: service.id,
  defaultSort: 'id',
  searches: 'a part of the name',
  aliases: { price_min: 'monthly_fee__gte', price_max: 'monthly_fee__lte' },
  fields: {
    id: { kind: 'integer', value: service.id, sortable: true },
    name: { kind: 'text', value: service.name, sortable: true, like: contains(service.name) },
    category: { kind: 'text', value: service.category, choices: serviceCategories, sortable: true },
    status: { kind: 'text', value: service.status, choices: serviceStatuses },
    currency: { kind: 'text', value: sql`${tariff.currency}::text` },
    monthly_fee: {
      kind: 'decimal',
      value: sql`(${tariff.monthlyFeeMinor}::numeric / minor_units(${tariff.currency}))`,
      sortable: true,
    },
    created_at: { kind: 'instant', value: service.createdAt, sortable: true },
  },
} as const satisfies ListDefinition;
export const ServiceQuery = listQuery(serviceList);
export const ServicesReply = listReply(ServiceReply);
