// Sums of usage windows from the history in ClickHouse, byte for byte as the ledger counts them (rules: ops/docs/ledger.md §Windows).
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import { quarterMs } from '#policy/zone.ts';
import { ofSql, sqlInstant, sqlList, sqlWhole, withinSql } from './sql.ts';

export type WindowSumsQuery = {
  readonly tenantId: number;
  readonly subscriptionIds: readonly number[];
  /** Where the windows begin, oldest first, and at last where the final one ends; quarters of an hour UTC. */
  readonly edgesMs: readonly number[];
  /** The same of the windows that bound how far back a delta is split; without: `edgesMs`. */
  readonly boundEdgesMs?: readonly number[];
  /** WAL → last position that counts; rows of other WALs do not. Without: every row counts. */
  readonly upTo?: ReadonlyMap<string, number>;
};

export type WindowSum = {
  readonly subscriptionId: number;
  readonly fromMs: number;
  readonly upBytes: number;
  readonly downBytes: number;
};

/** Bytes of longer ago before the event count for all time only. */
const furthestQuarters = (70 * 86_400_000) / quarterMs;

/** The windows with bytes, by subscription and instant. */
export async function readWindowSums(client: ClickHouseClient, query: WindowSumsQuery): Promise<WindowSum[]> {
  if (query.subscriptionIds.length === 0 || query.edgesMs.length < 2) return [];
  const result = await client.query({ query: windowSumsSql(query), format: 'JSONCompactEachRow' });
  const rows = await result.json<readonly [string, number, string, string]>();
  return rows.map(([subscription, window, up, down]) => ({
    subscriptionId: Number(subscription),
    fromMs: window * quarterMs,
    upBytes: Number(up),
    downBytes: Number(down),
  }));
}

/** Bytes of all time, of subscriptions that have some. */
export async function readTotals(
  client: ClickHouseClient,
  { tenantId, subscriptionIds, upTo }: Pick<WindowSumsQuery, 'tenantId' | 'subscriptionIds' | 'upTo'>,
): Promise<Omit<WindowSum, 'fromMs'>[]> {
  if (subscriptionIds.length === 0) return [];
  const query = `SELECT subscription_id, sum(up_delta), sum(down_delta) FROM accounting FINAL
    WHERE ${ofSql(tenantId, subscriptionIds)} AND up_delta + down_delta > 0 ${upTo ? `AND ${withinSql(upTo)}` : ''}
    GROUP BY subscription_id ORDER BY subscription_id`;
  const result = await client.query({ query, format: 'JSONCompactEachRow' });
  const rows = await result.json<readonly [string, string, string]>();
  return rows.map(([id, up, down]) => ({ subscriptionId: Number(id), upBytes: Number(up), downBytes: Number(down) }));
}

/** A delta is cut at each quarter in proportion to time, each quarter down to whole bytes, and the last one gets the rest. */
function windowSumsSql({ tenantId, subscriptionIds, edgesMs, boundEdgesMs, upTo }: WindowSumsQuery): string {
  const edges = quartersOf(edgesMs);
  const bounds = boundEdgesMs ? quartersOf(boundEdgesMs) : edges;
  const begin = edges[0] ?? 0;
  const end = edges.at(-1) ?? 0;
  const share = (direction: 'up' | 'down') => `multiIf(
      quarter = last, ${direction} - if(first = last, 0, ${direction}_head + (last - first - 1) * ${direction}_full),
      quarter = first, ${direction}_head, ${direction}_full)`;
  const parts = (direction: 'up' | 'down') => `toInt64(${direction}_delta) AS ${direction},
      toInt64(intDiv(toUInt128(${direction}_delta) * head, whole)) AS ${direction}_head,
      toInt64(intDiv(toUInt128(${direction}_delta) * ${quarterMs}, whole)) AS ${direction}_full`;
  return `
  SELECT subscription_id, roundDown(quarter, ${sqlList(edges.slice(0, -1))}) AS window,
    sum(${share('up')}) AS up, sum(${share('down')}) AS down
  FROM (
    SELECT subscription_id, toUnixTimestamp64Milli(from_at) AS since, toUnixTimestamp64Milli(event_at) AS until,
      toUInt64(greatest(until - since, 1)) AS whole,
      toUInt32(intDiv(since, ${quarterMs})) AS first,
      toUInt32(intDiv(if(until > since, until - 1, until), ${quarterMs})) AS last,
      toUInt64((first + 1) * ${quarterMs} - since) AS head,
      ${parts('up')}, ${parts('down')},
      roundDown(toUInt32(intDiv(until, ${quarterMs}) - ${furthestQuarters}), ${sqlList(bounds)}) AS bound,
      arrayJoin(range(greatest(first, bound, ${begin}), least(last + 1, ${end}))) AS quarter
    FROM accounting FINAL
    WHERE ${ofSql(tenantId, subscriptionIds)}
      AND event_at >= ${instant(begin)} AND from_at < ${instant(end)} AND up_delta + down_delta > 0
      ${upTo ? `AND ${withinSql(upTo)}` : ''}
  )
  GROUP BY subscription_id, window
  ORDER BY subscription_id, window`;
}

function quartersOf(edgesMs: readonly number[]): number[] {
  return edgesMs.map((edge) => sqlWhole(edge / quarterMs));
}

function instant(quarter: number): string {
  return sqlInstant(quarter * quarterMs);
}
