// ClickHouse as two witnesses: the history of every accounting record, and the flows as flow-collector attributed them.
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import type { ByteCount, Subscriber } from '../isp/subscriber.ts';
import { accounted, type Witness } from './witness.ts';

export type RunFacts = {
  readonly tenantId: number;
  /** Of this run are the sessions whose id begins so. */
  readonly sessionPrefix: string;
  /** And what was exported from these addresses. */
  readonly exporters: readonly string[];
  readonly sinceMs: number;
};

type Row = { subscription_id: string; up: string; down: string };

const nothing: ByteCount = { up: 0, down: 0 };

/** What each record of a session added, as it was shipped; a record that was written twice counts once (FINAL). */
export function historyWitness(client: ClickHouseClient, facts: RunFacts): Witness {
  const query = `
    SELECT subscription_id, sum(up_delta) AS up, sum(down_delta) AS down FROM accounting FINAL
    WHERE tenant_id = {tenant:UInt64} AND subscription_id IN {ids:Array(UInt64)}
      AND received_at >= fromUnixTimestamp64Milli({since:Int64}) AND startsWith(session_id, {prefix:String})
    GROUP BY subscription_id`;
  return {
    name: 'the history in ClickHouse',
    expected: (subscriber) => accounted(subscriber, nothing),
    read: (subscribers) => read(client, query, subscribers, facts),
  };
}

/** Every flow that was not lost on purpose, attributed to who had the address when it ended. */
export function flowWitness(client: ClickHouseClient, facts: RunFacts): Witness {
  const query = `
    SELECT subscription_id, sumIf(bytes, direction = 'up') AS up, sumIf(bytes, direction = 'down') AS down FROM flows
    WHERE tenant_id = {tenant:UInt64} AND subscription_id IN {ids:Array(UInt64)}
      AND received_at >= fromUnixTimestamp64Milli({since:Int64}) AND exporter IN {exporters:Array(IPv6)}
    GROUP BY subscription_id`;
  return {
    name: 'flow-collector',
    expected: ({ exported }) => ({ least: exported, most: exported }),
    read: (subscribers) => read(client, query, subscribers, facts),
  };
}

async function read(
  client: ClickHouseClient,
  query: string,
  subscribers: readonly Subscriber[],
  { tenantId, sessionPrefix, exporters, sinceMs }: RunFacts,
): Promise<ReadonlyMap<number, ByteCount>> {
  const answer = await client.query({
    query,
    format: 'JSONEachRow',
    query_params: {
      tenant: tenantId,
      ids: subscribers.map(({ subscriptionId }) => subscriptionId),
      since: Math.floor(sinceMs),
      prefix: sessionPrefix,
      exporters: exporters.map((address) => `::ffff:${address}`),
    },
  });
  const rows = await answer.json<Row>();
  return new Map(
    rows.map(({ subscription_id, up, down }) => [Number(subscription_id), { up: Number(up), down: Number(down) }]),
  );
}
