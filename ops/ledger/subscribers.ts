// Every subscription that the ledger or the history knows, by partition.
import { Cluster } from 'ioredis';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import { partitionCount } from '#policy/ledger/types.ts';

export type Subscriber = { readonly tenantId: number; readonly subscriptionId: number };

/** Partition → tenant → subscriptions in ascending order. */
export type KnownSubscribers = readonly ReadonlyMap<number, readonly number[]>[];

/** The keys of usage counters (policy/ledger/keys.ts). */
const pattern = 'use:*';
const usageKey = /^use:\{p\d\d\}:(\d+):(\d+)$/;

export async function knownSubscribers(redis: RedisClient, clickhouse: ClickHouseClient): Promise<KnownSubscribers> {
  const known = Array.from({ length: partitionCount }, () => new Map<number, Set<number>>());
  const add = (tenantId: number, subscriptionId: number) => {
    const tenants = known[partitionOf(tenantId, subscriptionId)];
    const ids = tenants?.get(tenantId) ?? new Set();
    tenants?.set(tenantId, ids.add(subscriptionId));
  };
  for await (const key of usageKeys(redis)) {
    const [, tenant, subscription] = usageKey.exec(key) ?? [];
    if (subscription !== undefined) add(Number(tenant), Number(subscription));
  }
  const result = await clickhouse.query({
    query: 'SELECT DISTINCT tenant_id, subscription_id FROM accounting WHERE subscription_id > 0',
    format: 'JSONCompactEachRow',
  });
  for await (const rows of result.stream<readonly [string, string]>()) {
    for (const row of rows) {
      const [tenant, subscription] = row.json();
      add(Number(tenant), Number(subscription));
    }
  }
  return known.map((tenants) => new Map([...tenants].map(([tenant, ids]) => [tenant, [...ids].sort((a, b) => a - b)])));
}

async function* usageKeys(redis: RedisClient): AsyncGenerator<string> {
  const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis];
  for (const node of nodes) {
    let cursor = '0';
    do {
      const [next, found] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
      yield* found;
      cursor = next;
    } while (cursor !== '0');
  }
}
