// Compares the counters of the ledger with the sums of the history, per subscription and window.
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import type { Clock } from '#ops/runtime/clock.ts';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import { usageWindows as kinds, type UsageWindow } from '#policy/fup/rules.ts';
import { type ByteCount, noBytes } from '#policy/fup/usage.ts';
import { historyCompleteUntil, waitingOnDisks } from '#policy/ledger/history-lag.ts';
import { type Calendar, windowOf } from '#policy/time.ts';
import { type Counters, counterName, keptMs, windowOfName } from './counters.ts';
import { countersInHistory } from './counters-in-history.ts';
import { countersInLedger, type LedgerSnapshot } from './counters-in-ledger.ts';
import { knownSubscribers, type Subscriber } from './subscribers.ts';
import { subscriptionFacts } from './subscription-facts.ts';

export type Difference = Subscriber & {
  /** `all`, `day:<start>`, `week:<start>` or `month:<start>`. */
  readonly counter: string;
  readonly ledger: ByteCount;
  readonly history: ByteCount;
};

export type Drift = {
  readonly subscriptions: number;
  readonly counters: number;
  /** Windows of a calendar that is no longer the tenant's or the subscription's: nothing to compare them with. */
  readonly skipped: number;
  readonly differences: readonly Difference[];
};

export type DriftOptions = {
  redis: RedisClient;
  clickhouse: ClickHouseClient;
  postgres: Pick<Client, 'query'>;
  clock: Clock;
  /** How long to wait for rows that are on their way to ClickHouse. */
  waitMs: number;
  /** False where the history is not kept for ever. */
  allTime: boolean;
  onProgress(done: number, total: number): void;
};

/** The history is late: there is nothing to compare with yet. */
export class HistoryBehind extends Error {
  override name = 'HistoryBehind';
}

/** Subscriptions that are compared at once. */
const chunkSize = 500;

/** @throws {HistoryBehind} */
export async function findDrift(options: DriftOptions): Promise<Drift> {
  const { redis, clickhouse, onProgress } = options;
  const known = await knownSubscribers(redis, clickhouse);
  const total = known.reduce((sum, tenants) => sum + [...tenants.values()].flat().length, 0);
  const found = { subscriptions: 0, counters: 0, skipped: 0, differences: [] as Difference[] };
  for (const [partition, tenants] of known.entries()) {
    const chunks = [...tenants].flatMap(([tenantId, ids]) => chunksOf(ids).map((chunk) => ({ tenantId, ids: chunk })));
    const snapshots: LedgerSnapshot[] = [];
    for (const { tenantId, ids } of chunks) {
      const who = ids.map((subscriptionId) => ({ tenantId, subscriptionId }));
      snapshots.push(await countersInLedger(redis, partition, who));
    }
    if (snapshots.length > 0) await shipped(options, partition, snapshots);
    for (const [index, { tenantId, ids }] of chunks.entries()) {
      const snapshot = snapshots[index];
      if (!snapshot) continue;
      const compared = await compareChunk(options, tenantId, ids, snapshot);
      found.subscriptions += ids.length;
      found.counters += compared.counters;
      found.skipped += compared.skipped;
      found.differences.push(...compared.differences);
      onProgress(found.subscriptions, total);
    }
  }
  return found;
}

/** Resolves when everything that the snapshots counted is in ClickHouse. */
async function shipped(
  { redis, waitMs, clock }: DriftOptions,
  partition: number,
  snapshots: readonly LedgerSnapshot[],
): Promise<void> {
  const [seconds, microseconds] = (await redis.time()).map(Number);
  const nowMs = (seconds ?? 0) * 1000 + Math.floor((microseconds ?? 0) / 1000);
  const newestMs = Math.max(...snapshots.map((snapshot) => snapshot.newestMs ?? nowMs));
  const deadlineMs = clock.monotonicMs() + waitMs;
  for (;;) {
    const completeMs = await historyCompleteUntil(redis, partition, Number.POSITIVE_INFINITY);
    if (completeMs > newestMs) return;
    if (clock.monotonicMs() >= deadlineMs) {
      const nodes = [...(await waitingOnDisks(redis)).keys()].join(', ');
      const where = nodes ? `on the disk of node ${nodes}` : 'in Redis';
      throw new HistoryBehind(
        `the history ends at ${new Date(completeMs).toISOString()}, the rest still waits ${where}: look at aaa-server`,
      );
    }
    await delay(200);
  }
}

async function compareChunk(options: DriftOptions, tenantId: number, ids: readonly number[], snapshot: LedgerSnapshot) {
  const facts = await subscriptionFacts(options.postgres, tenantId, ids);
  const calendars = new Map([...facts].map(([id, { calendar }]) => [id, calendar]));
  const nowMs = options.clock.nowMs();
  const starts = (kind: UsageWindow) => snapshot.counters.flatMap((counters) => startsOf(counters, kind));
  const sinceMs = Object.fromEntries(
    kinds.map((kind) => {
      const oldest = starts(kind).reduce((a, b) => Math.min(a, b), nowMs);
      return [kind, Math.max(0, oldest - keptMs[kind])];
    }),
  ) as Record<UsageWindow, number>;
  const query = { tenantId, calendars, sinceMs, untilMs: nowMs + dayMs, upTo: snapshot.upTo };
  const history = await countersInHistory(options.clickhouse, query);
  let counters = 0;
  let skipped = 0;
  const differences: Difference[] = [];
  for (const [index, subscriptionId] of ids.entries()) {
    const ours = snapshot.counters[index] ?? new Map();
    const theirs = history.get(subscriptionId) ?? new Map();
    const calendar = calendars.get(subscriptionId);
    if (!calendar) continue;
    for (const counter of namesToCompare(ours, theirs)) {
      if (counter === 'all' && !options.allTime) continue;
      if (!isOf(calendar, counter)) {
        skipped++;
        continue;
      }
      counters++;
      const [inLedger, inHistory] = [ours.get(counter) ?? noBytes, theirs.get(counter) ?? noBytes];
      if (inLedger.upBytes === inHistory.upBytes && inLedger.downBytes === inHistory.downBytes) continue;
      differences.push({ tenantId, subscriptionId, counter, ledger: inLedger, history: inHistory });
    }
  }
  return { counters, skipped, differences };
}

const dayMs = 86_400_000;

/** All that the ledger has, and what it should have kept. */
function namesToCompare(ledger: Counters, history: Counters): string[] {
  const names = new Set(ledger.keys());
  if (history.has('all')) names.add('all');
  for (const kind of kinds) {
    const newest = [startsOf(ledger, kind), startsOf(history, kind)].find((starts) => starts.length > 0) ?? [];
    const oldestMs = newest.reduce((a, b) => Math.max(a, b), 0) - keptMs[kind];
    for (const startMs of startsOf(history, kind)) if (startMs >= oldestMs) names.add(counterName({ kind, startMs }));
  }
  return [...names].sort();
}

function startsOf(counters: Counters, kind: UsageWindow): number[] {
  return [...counters.keys()].flatMap((name) => {
    const window = windowOfName(name);
    return window?.kind === kind ? [window.startMs] : [];
  });
}

function isOf(calendar: Calendar, name: string): boolean {
  const window = windowOfName(name);
  return !window || windowOf(window.kind, window.startMs, calendar).fromMs === window.startMs;
}

function chunksOf(ids: readonly number[]): (readonly number[])[] {
  return Array.from({ length: Math.ceil(ids.length / chunkSize) }, (_, index) =>
    ids.slice(index * chunkSize, (index + 1) * chunkSize),
  );
}
