// How long each ClickHouse table keeps its rows: by settings, brought to the tables at every start.
import type { ClickHouseClient } from '../clickhouse.ts';
import type { Deployment } from './template.ts';

/** Days by table; 0 = for ever. */
export type Retention = Readonly<Record<keyof typeof timeColumns, number>>;

const timeColumns = {
  accounting: 'event_at',
  flows: 'ended_at',
  flows_1m: 'slot',
  flows_1h: 'slot',
  flows_1d: 'slot',
  logins: 'at',
} as const;

type RetentionSettings = {
  CLICKHOUSE_ACCOUNTING_TTL_DAYS: number;
  CLICKHOUSE_FLOWS_TTL_DAYS: number;
  CLICKHOUSE_FLOWS_1M_TTL_DAYS: number;
  CLICKHOUSE_FLOWS_1H_TTL_DAYS: number;
  CLICKHOUSE_FLOWS_1D_TTL_DAYS: number;
  CLICKHOUSE_LOGINS_TTL_DAYS: number;
};

export function retentionOf(settings: RetentionSettings): Retention {
  return {
    accounting: settings.CLICKHOUSE_ACCOUNTING_TTL_DAYS,
    flows: settings.CLICKHOUSE_FLOWS_TTL_DAYS,
    flows_1m: settings.CLICKHOUSE_FLOWS_1M_TTL_DAYS,
    flows_1h: settings.CLICKHOUSE_FLOWS_1H_TTL_DAYS,
    flows_1d: settings.CLICKHOUSE_FLOWS_1D_TTL_DAYS,
    logins: settings.CLICKHOUSE_LOGINS_TTL_DAYS,
  };
}

/** @returns the tables that were changed. Shortening drops what is older at the next merge. */
export async function applyRetention(
  client: ClickHouseClient,
  retention: Retention,
  { cluster }: Deployment,
): Promise<string[]> {
  const changed: string[] = [];
  const suffix = cluster === '' ? '' : '_local';
  const onCluster = cluster === '' ? '' : ` ON CLUSTER '${cluster.replaceAll(/['\\]/g, '\\$&')}'`;
  for (const [table, column] of Object.entries(timeColumns)) {
    const days = retention[table as keyof Retention];
    const result = await client.query({
      query:
        'SELECT engine_full AS engine FROM system.tables WHERE database = currentDatabase() AND name = {name: String}',
      query_params: { name: table + suffix },
      format: 'JSONEachRow',
    });
    const [row] = await result.json<{ engine: string }>();
    if (!row) throw new Error(`table ${table}${suffix} does not exist: the migrations did not run`);
    if (daysOf(row.engine) === days) continue;
    const change = days === 0 ? 'REMOVE TTL' : `MODIFY TTL toDateTime(${column}) + toIntervalDay(${days})`;
    await client.command({
      query: `ALTER TABLE ${table}${suffix}${onCluster} ${change}`,
      // What is already there expires by merges; rewriting every part now would take long on a big table.
      clickhouse_settings: { materialize_ttl_after_modify: 0 },
    });
    changed.push(table);
  }
  return changed;
}

/** 0 = no TTL; undefined when it is none of ours. */
function daysOf(engine: string): number | undefined {
  if (!/\bTTL\b/.test(engine)) return 0;
  const days = /\bTTL [^+]*\+ toIntervalDay\((\d+)\)/.exec(engine)?.[1];
  return days === undefined ? undefined : Number(days);
}
