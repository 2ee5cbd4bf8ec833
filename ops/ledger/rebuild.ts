// Rebuilds the ledger in Redis: every partition is paused, forgotten and brought back, from the history or by the logs themselves.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import type { Clock } from '#ops/runtime/clock.ts';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import { oldestInStreams, waitingOnDisks } from '#policy/ledger/history-lag.ts';
import { createRestore, type Restore } from '#policy/ledger/restore.ts';
import { partitionCount } from '#policy/ledger/types.ts';
import type { LocalLog } from './logs.ts';
import { beginning, greatest, type Positions, positionsInHistory, positionsInLedger } from './positions.ts';
import type { RebuildFile, RebuildSource, RebuildState } from './rebuild-state.ts';
import { restorePartition } from './restore-partition.ts';
import { knownSubscribers } from './subscribers.ts';

export type RebuildOptions = {
  redis: RedisClient;
  clickhouse: ClickHouseClient;
  postgres: Pick<Client, 'query'>;
  file: RebuildFile;
  from: RebuildSource;
  logs: readonly LocalLog[];
  clock: Clock;
  /** How long to wait until what was counted is in ClickHouse. */
  waitMs: number;
  say(line: string): void;
  onProgress(done: number, total: number): void;
};

export type Rebuilt = { readonly subscriptions: number; readonly sessions: number };

/** Well before the pauses end by themselves (policy/ledger/restore.ts). */
const renewMs = 60_000;
const everyPartition = Array.from({ length: partitionCount }, (_, partition) => partition);

/** @throws when nothing was changed, or with what is left to do: the same again goes on. */
export async function rebuild(options: RebuildOptions): Promise<Rebuilt> {
  const { redis, file, from, say } = options;
  const before = file.read();
  if (before && before.from !== from) {
    throw new Error(`a rebuild from ${before.from} was broken off: run it again with --from ${before.from}`);
  }
  if (before)
    say(`going on with a rebuild that was broken off: ${before.done.length} of ${partitionCount} partitions are done`);
  const token = before?.token ?? randomUUID();
  const done = new Set(before?.done);
  const restore = createRestore(redis, token);
  await restore.load();
  await pause(
    restore,
    everyPartition.filter((partition) => !done.has(partition)),
  );
  const renewing = setInterval(() => {
    for (const partition of everyPartition) {
      // A failure shows in the next call: it is refused when the pause has ended.
      if (!done.has(partition)) restore.begin(partition).catch(() => undefined);
    }
  }, renewMs);
  try {
    return await paused(options, restore, { from, token, positions: before?.positions ?? [], done: [...done] }, done);
  } finally {
    clearInterval(renewing);
  }
}

async function pause(restore: Restore, partitions: readonly number[]): Promise<void> {
  const begun: number[] = [];
  for (const partition of partitions) {
    if (await restore.begin(partition)) begun.push(partition);
    else {
      await release(restore, begun);
      throw new Error('another rebuild is under way, or one was broken off within the last ten minutes');
    }
  }
}

/** As if nothing had happened. */
async function release(restore: Restore, partitions: readonly number[]): Promise<void> {
  for (const partition of partitions) await restore.end(partition, new Map());
}

async function paused(
  options: RebuildOptions,
  restore: Restore,
  before: RebuildState,
  done: Set<number>,
): Promise<Rebuilt> {
  const { file, from, logs, onProgress, say } = options;
  const left = everyPartition.filter((partition) => !done.has(partition));
  let positions: Positions;
  try {
    say('counting is paused; waiting until what was counted is in ClickHouse');
    await drained(options);
    positions = from === 'clickhouse' ? await fromHistory(options, before) : fromLogs(logs);
  } catch (error) {
    if (before.positions.length === 0) await release(restore, left);
    throw error;
  }
  const state = (): RebuildState => ({ ...before, positions: positions.map((lanes) => [...lanes]), done: [...done] });
  // Whoever was counted for the first time a moment ago is among them.
  const known = await knownSubscribers(options.redis, options.clickhouse);
  file.write(state());
  await restore.clear(left);
  const tenants = [...new Set(known.flatMap((ofPartition) => [...ofPartition.keys()]))];
  const rebuilt = { subscriptions: 0, sessions: 0 };
  for (const partition of left) {
    const lanes = positions[partition] ?? new Map();
    if (from === 'wal') await restore.end(partition, lanes);
    else {
      const own = new Map(tenants.map((tenant) => [tenant, known[partition]?.get(tenant) ?? []]));
      const job = { partition, tenants: own, positions: lanes, nowMs: options.clock.nowMs() };
      const { subscriptions, sessions } = await restorePartition({ ...options, restore }, job);
      rebuilt.subscriptions += subscriptions;
      rebuilt.sessions += sessions;
    }
    done.add(partition);
    file.write(state());
    onProgress(done.size, partitionCount);
  }
  file.remove();
  return rebuilt;
}

/** While everything is paused nothing new comes: then the history is whole up to where the ledger stood. */
async function drained({ redis, clock, waitMs }: RebuildOptions): Promise<void> {
  const deadlineMs = clock.monotonicMs() + waitMs;
  for (;;) {
    const inRedis = await oldestInStreams(redis);
    const onDisks = await waitingOnDisks(redis);
    if (inRedis === undefined && onDisks.size === 0) return;
    if (clock.monotonicMs() >= deadlineMs) {
      const where = onDisks.size > 0 ? `on the disk of node ${[...onDisks.keys()].join(', ')}` : 'in Redis';
      throw new Error(`rows still wait ${where} for ClickHouse: look at aaa-server, then run this again`);
    }
    await delay(200);
  }
}

/** A lane goes on behind the last record that is in the history, or in the ledger where that is further: it added no row. */
async function fromHistory({ redis, clickhouse, logs }: RebuildOptions, before: RebuildState): Promise<Positions> {
  const earlier = before.positions.map((lanes) => new Map(lanes));
  const wals = logs.map(({ wal }) => wal);
  return greatest([earlier, await positionsInLedger(redis), await positionsInHistory(clickhouse)], wals);
}

/** Lanes of whole logs begin at their beginning, those of others with what is left. */
function fromLogs(logs: readonly LocalLog[]): Positions {
  const cut = logs.filter(({ whole }) => !whole);
  return everyPartition.map(() => new Map(cut.map(({ wal }) => [wal, beginning])));
}
