// The subscriptions of a tenant that moved the most bytes since an instant, from the sums by minute of the flows.
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';

export type TopTalkersQuery = { readonly tenantId: number; readonly sinceMs: number; readonly limit: number };

export type TopTalker = { readonly subscriptionId: number; readonly upBytes: number; readonly downBytes: number };

/** Of traffic between two subscribers the sender's share is told. */
const statement = `
  SELECT subscription_id, sumIf(bytes, direction = 'down') AS down, sumIf(bytes, direction IN ('up', 'local')) AS up
  FROM flows_1m
  WHERE tenant_id = {tenant:UInt64} AND slot >= fromUnixTimestamp64Milli({since:Int64}) AND subscription_id != 0
  GROUP BY subscription_id
  ORDER BY up + down DESC, subscription_id
  LIMIT {limit:UInt32}`;

export async function readTopTalkers(
  client: ClickHouseClient,
  { tenantId, sinceMs, limit }: TopTalkersQuery,
): Promise<TopTalker[]> {
  const result = await client.query({
    query: statement,
    query_params: { tenant: tenantId, since: sinceMs, limit },
    format: 'JSONEachRow',
  });
  const rows = await result.json<{ subscription_id: string; up: string; down: string }>();
  return rows.map((row) => ({
    subscriptionId: Number(row.subscription_id),
    upBytes: Number(row.up),
    downBytes: Number(row.down),
  }));
}
