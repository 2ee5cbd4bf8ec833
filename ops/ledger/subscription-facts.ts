// What the ledger needs to know of subscriptions besides their records, as it is in PostgreSQL now.
import type { Client } from 'pg';
import { parseFupRules } from '#policy/fup/parse.ts';
import { thresholdsOf } from '#policy/fup/thresholds.ts';
import type { Threshold } from '#policy/fup/usage.ts';
import { type Meter, meters } from '#policy/ledger/types.ts';
import type { Calendar } from '#policy/time.ts';

export type SubscriptionFacts = {
  readonly calendar: Calendar;
  readonly thresholds: readonly Threshold[];
  readonly meter: Meter;
  readonly meterSinceMs: number | null;
};

type Row = {
  id: string;
  zone: string | null;
  week_start: number | null;
  anchor_day: number | null;
  meter: string | null;
  meter_since: Date | null;
  fup_rules: unknown;
};

/** Of subscriptions of one tenant. One that is gone counts by plain UTC windows, as in the ledger. */
export async function subscriptionFacts(
  client: Pick<Client, 'query'>,
  tenantId: number,
  subscriptionIds: readonly number[],
): Promise<Map<number, SubscriptionFacts>> {
  const { rows } = await client.query<Row>(
    `SELECT known.id, tenant.time_zone AS zone, tenant.week_start, subscription.anchor_day, subscription.meter,
       subscription.meter_since, tariff.fup_rules
     FROM unnest($2::bigint[]) AS known (id)
     LEFT JOIN tenant ON tenant.id = $1
     LEFT JOIN subscription ON subscription.tenant_id = $1 AND subscription.id = known.id
     LEFT JOIN tariff ON tariff.tenant_id = $1 AND tariff.id = subscription.tariff_id`,
    [tenantId, subscriptionIds],
  );
  return new Map(rows.map((row) => [Number(row.id), factsOf(row)]));
}

function factsOf({ zone, week_start, anchor_day, meter, meter_since, fup_rules }: Row): SubscriptionFacts {
  const rules = parseFupRules(fup_rules ?? []);
  return {
    calendar: { timeZone: zone ?? 'UTC', weekStart: week_start ?? 1, anchorDay: anchor_day ?? 1 },
    thresholds: rules.ok ? thresholdsOf(rules.rules) : [],
    meter: meters.find((one) => one === meter) ?? 'radius',
    meterSinceMs: meter_since?.getTime() ?? null,
  };
}
