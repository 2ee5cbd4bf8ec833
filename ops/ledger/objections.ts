// What speaks against a rebuild: each one could lose bytes. --force does it anyway.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '#ops/runtime/errors.ts';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import { presentShippers } from '#policy/ledger/shippers.ts';
import type { LocalLog } from './logs.ts';
import { positionsInLedger } from './positions.ts';

/** WALs are named `<node uuid>-<worker>`. */
const nodeOf = (wal: string) => wal.slice(0, 36);
const recentDays = 7;

export async function againstHistory(stores: {
  redis: RedisClient;
  clickhouse: ClickHouseClient;
  dataFolder: string;
  wholeHistory: boolean;
}): Promise<string[]> {
  const objections: string[] = [];
  if (!stores.wholeHistory) {
    objections.push(
      'history is kept for CLICKHOUSE_ACCOUNTING_TTL_DAYS only: counters of all time would lack what is older',
    );
  }
  const aside = await batchesAside(stores.dataFolder);
  if (aside > 0)
    objections.push(`${aside} batches that ClickHouse refused lie in outbox/rejected: their rows would be missing`);
  const present = new Set(await presentShippers(stores.redis));
  const absent = (await recentNodes(stores.clickhouse)).filter((node) => !present.has(node));
  for (const node of absent) {
    objections.push(
      `node ${node} has counted in the last ${recentDays} days and ships nothing now: rows on its disk would be missing; start it`,
    );
  }
  return objections;
}

export async function againstLogs(logs: readonly LocalLog[], redis: RedisClient): Promise<string[]> {
  const here = new Set(logs.map(({ wal }) => wal));
  const elsewhere = new Set((await positionsInLedger(redis)).flatMap((lanes) => [...lanes.keys()]));
  const cut = logs.filter(({ whole }) => !whole);
  return [
    ...(logs.length === 0 ? ['there is no log on this node'] : []),
    ...cut.map(
      ({ wal, oldestMs }) =>
        `log ${wal} reaches back to ${new Date(oldestMs).toISOString()} only: usage and history before would be lost or counted anew`,
    ),
    ...[...elsewhere]
      .filter((wal) => !here.has(wal))
      .map((wal) => `log ${wal} is not on this node: what it holds may not come back`),
  ];
}

async function recentNodes(client: ClickHouseClient): Promise<string[]> {
  const result = await client.query({
    query: `SELECT DISTINCT wal FROM accounting WHERE received_at > now() - INTERVAL ${recentDays} DAY`,
    format: 'JSONCompactEachRow',
  });
  const wals = await result.json<readonly [string]>();
  return [...new Set(wals.map(([wal]) => nodeOf(wal)))].sort();
}

async function batchesAside(dataFolder: string): Promise<number> {
  try {
    return (await readdir(path.join(dataFolder, 'outbox', 'rejected'))).length;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}
