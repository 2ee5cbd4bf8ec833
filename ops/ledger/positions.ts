// Up to where each WAL is in the ledger and in the history, by partition.
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import { keys } from '#policy/ledger/keys.ts';
import { partitionCount } from '#policy/ledger/types.ts';
import { lanesOf } from './counters-in-ledger.ts';

/** Partition → WAL → position. */
export type Positions = readonly ReadonlyMap<string, number>[];

/** Behind no record, and yet something: a lane that stands here begins with the oldest record of its log. */
export const beginning = 1;

export async function positionsInLedger(redis: RedisClient): Promise<Positions> {
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  const lanes = await Promise.all(partitions.map((partition) => redis.hgetall(keys.lanes(partition))));
  return lanes.map(lanesOf);
}

export async function positionsInHistory(client: ClickHouseClient): Promise<Positions> {
  const result = await client.query({
    query: 'SELECT partition, wal, max(position) FROM accounting GROUP BY partition, wal',
    format: 'JSONCompactEachRow',
  });
  const positions = Array.from({ length: partitionCount }, () => new Map<string, number>());
  for (const [partition, wal, position] of await result.json<readonly [number, string, string]>()) {
    positions[partition]?.set(wal, Number(position));
  }
  return positions;
}

/** In every partition every WAL that is known anywhere or named, at the greatest of its positions. */
export function greatest(all: readonly Positions[], wals: readonly string[]): Positions {
  const known = new Set([...wals, ...all.flatMap((positions) => positions.flatMap((lanes) => [...lanes.keys()]))]);
  return Array.from({ length: partitionCount }, (_, partition) => {
    const at = (wal: string) => Math.max(beginning, ...all.map((positions) => positions[partition]?.get(wal) ?? 0));
    return new Map([...known].map((wal) => [wal, at(wal)]));
  });
}
