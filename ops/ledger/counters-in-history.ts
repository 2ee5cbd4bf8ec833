// The counters that the history in ClickHouse gives for subscriptions of one tenant.
import { readTotals, readWindowSums } from '#ops/history/window-sums.ts';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import { usageWindows as kinds, type UsageWindow } from '#policy/fup/rules.ts';
import type { ByteCount } from '#policy/fup/usage.ts';
import type { Calendar } from '#policy/time.ts';
import { type Counters, counterName, edgesBetween } from './counters.ts';

export type HistoryQuery = {
  readonly tenantId: number;
  /** Subscription → its calendar. */
  readonly calendars: ReadonlyMap<number, Calendar>;
  /** Windows from the one that contains this instant. */
  readonly sinceMs: Readonly<Record<UsageWindow, number>>;
  readonly untilMs: number;
  /** WAL → last position that counts. */
  readonly upTo: ReadonlyMap<string, number>;
};

/** Counters without bytes are absent. */
export async function countersInHistory(client: ClickHouseClient, query: HistoryQuery): Promise<Map<number, Counters>> {
  const { tenantId, calendars, upTo } = query;
  const counters = new Map([...calendars.keys()].map((id) => [id, new Map<string, ByteCount>()]));
  const subscriptionIds = [...calendars.keys()];
  for (const { subscriptionId, ...bytes } of await readTotals(client, { tenantId, subscriptionIds, upTo })) {
    counters.get(subscriptionId)?.set('all', bytes);
  }
  const windows = kinds.flatMap((kind) => {
    // Days and weeks are the tenant's; months begin on the day of each subscription.
    const alike = Map.groupBy(calendars, ([, { timeZone, weekStart, anchorDay }]) =>
      JSON.stringify([timeZone, kind === 'week' && weekStart, kind === 'month' && anchorDay]),
    );
    return [...alike.values()].map((group) => ({ kind, group }));
  });
  await Promise.all(
    windows.map(async ({ kind, group }) => {
      const [first] = group;
      if (!first) return;
      const edgesMs = edgesBetween(kind, query.sinceMs[kind], query.untilMs, first[1]);
      const ids = group.map(([id]) => id);
      for (const sum of await readWindowSums(client, { tenantId, subscriptionIds: ids, edgesMs, upTo })) {
        const { subscriptionId, fromMs, ...bytes } = sum;
        counters.get(subscriptionId)?.set(counterName({ kind, startMs: fromMs }), bytes);
      }
    }),
  );
  return counters;
}
