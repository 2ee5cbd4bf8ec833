// The calendars by which the ledger counts, as they are in PostgreSQL now.
import type { Client } from 'pg';
import type { Calendar } from '#policy/time.ts';

/** Subscription → its calendar, for subscriptions of one tenant. */
export async function calendarsOf(
  client: Pick<Client, 'query'>,
  tenantId: number,
  subscriptionIds: readonly number[],
): Promise<Map<number, Calendar>> {
  const { rows } = await client.query<{
    id: string;
    zone: string | null;
    week_start: number | null;
    anchor: number | null;
  }>(
    `SELECT known.id, tenant.time_zone AS zone, tenant.week_start, subscription.anchor_day AS anchor
     FROM unnest($2::bigint[]) AS known (id)
     LEFT JOIN tenant ON tenant.id = $1
     LEFT JOIN subscription ON subscription.tenant_id = $1 AND subscription.id = known.id`,
    [tenantId, subscriptionIds],
  );
  // Of a tenant or subscription that is gone the ledger counts in plain UTC windows.
  return new Map(
    rows.map(({ id, zone, week_start, anchor }) => [
      Number(id),
      { timeZone: zone ?? 'UTC', weekStart: week_start ?? 1, anchorDay: anchor ?? 1 },
    ]),
  );
}
