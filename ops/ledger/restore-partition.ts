// Brings one partition of the ledger back from the history: usage of its subscriptions, their sessions, the positions of its lanes.
import type { Client } from 'pg';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import { usageWindows as kinds, type UsageWindow } from '#policy/fup/rules.ts';
import { noBytes } from '#policy/fup/usage.ts';
import type { Restore, RestoredUsage } from '#policy/ledger/restore.ts';
import { usageWindows, windowOf } from '#policy/time.ts';
import { type Counters, keptMs, windowOfName } from './counters.ts';
import { countersInHistory } from './counters-in-history.ts';
import { sessionsInHistory } from './sessions-in-history.ts';
import { type SubscriptionFacts, subscriptionFacts } from './subscription-facts.ts';

export type RestorePartition = {
  readonly partition: number;
  /** Tenant → subscriptions of the partition; tenants without any may have sessions of users nobody knew. */
  readonly tenants: ReadonlyMap<number, readonly number[]>;
  /** WAL → position up to which the history is whole. */
  readonly positions: ReadonlyMap<string, number>;
  readonly nowMs: number;
};

export type Restored = { readonly subscriptions: number; readonly sessions: number };

type Deps = { restore: Restore; clickhouse: ClickHouseClient; postgres: Pick<Client, 'query'> };

const subscriptionsAtOnce = 500;
/** Calls under way at most. */
const callsAtOnce = 100;
const dayMs = 86_400_000;
/** No calendar's windows are longer. */
const longestMs: Readonly<Record<UsageWindow, number>> = { day: 2 * dayMs, week: 8 * dayMs, month: 32 * dayMs };

/** The partition must be paused and cleared; its pause ends here. */
export async function restorePartition(deps: Deps, job: RestorePartition): Promise<Restored> {
  const { partition, tenants, positions, nowMs } = job;
  const sessions = await sessionsInHistory(deps.clickhouse, { partition, tenants, upTo: positions, nowMs });
  let subscriptions = 0;
  for (const [tenantId, ids] of tenants) {
    for (let from = 0; from < ids.length; from += subscriptionsAtOnce) {
      const usages = await usagesOf(deps, job, tenantId, ids.slice(from, from + subscriptionsAtOnce));
      await inGroups(usages, (usage) => deps.restore.usage(usage));
      subscriptions += usages.length;
    }
  }
  await inGroups(sessions, (session) => deps.restore.session(session));
  await deps.restore.end(partition, positions);
  return { subscriptions, sessions: sessions.length };
}

async function usagesOf(
  { clickhouse, postgres }: Deps,
  { positions, nowMs }: RestorePartition,
  tenantId: number,
  ids: readonly number[],
): Promise<RestoredUsage[]> {
  const facts = await subscriptionFacts(postgres, tenantId, ids);
  const sinceMs = Object.fromEntries(kinds.map((kind) => [kind, nowMs - longestMs[kind] - keptMs[kind]])) as Record<
    UsageWindow,
    number
  >;
  const calendars = new Map([...facts].map(([id, { calendar }]) => [id, calendar]));
  const query = { tenantId, calendars, sinceMs, untilMs: nowMs + dayMs, upTo: positions };
  const counters = await countersInHistory(clickhouse, query);
  return [...facts].map(([subscriptionId, fact]) =>
    usageOf({ tenantId, subscriptionId }, fact, counters.get(subscriptionId) ?? new Map(), nowMs),
  );
}

function usageOf(
  who: Pick<RestoredUsage, 'tenantId' | 'subscriptionId'>,
  { calendar, thresholds, meter, meterSinceMs }: SubscriptionFacts,
  counters: Counters,
  nowMs: number,
): RestoredUsage {
  const kept = (kind: UsageWindow) => {
    const oldestMs = windowOf(kind, nowMs, calendar).fromMs - keptMs[kind];
    return [...counters].flatMap(([name, bytes]) => {
      const window = windowOfName(name);
      return window?.kind === kind && window.startMs >= oldestMs ? [{ fromMs: window.startMs, ...bytes }] : [];
    });
  };
  const counts = { day: kept('day'), week: kept('week'), month: kept('month') };
  const { timeZone, weekStart, anchorDay } = calendar;
  const windows = usageWindows(nowMs, timeZone, weekStart, anchorDay);
  return { ...who, all: counters.get('all') ?? noBytes, counts, windows, thresholds, meter, meterSinceMs };
}

async function inGroups<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += callsAtOnce) {
    await Promise.all(items.slice(from, from + callsAtOnce).map(act));
  }
}
