// What an accounting record costs behind its answer: applying it to the ledger, in Redis, and shipping its row.
import path from 'node:path';
import { accountingWork } from '#aaa-server/accounting/apply.ts';
import { createCallMaker } from '#aaa-server/accounting/call.ts';
import { createOutboxAlarms } from '#aaa-server/outbox/alarms.ts';
import { createOutboxMetrics } from '#aaa-server/outbox/metrics.ts';
import { createShipper } from '#aaa-server/outbox/shipper.ts';
import { openSnapshotReader } from '#aaa-server/subscribers/reader.ts';
import { openLedgerLog } from '#ops/lanes/ledger-log.ts';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { createRegistry } from '#ops/runtime/metrics.ts';
import type { BatchStore } from '#ops/spool/drain.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import { entriesInStreams } from '#policy/ledger/history-lag.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { createOutbox } from '#policy/ledger/outbox.ts';
import { createShippers } from '#policy/ledger/shippers.ts';
import { until } from '#test/support/wait.ts';

export type StageCost = {
  /** Processor time of this process and of Redis, in microseconds. */
  readonly own: number;
  readonly redis: number;
  readonly seconds: number;
};

const withinMs = 300_000;
const pollMs = 20;
const log = createLogger('bench', 'warn');

async function costOf(redis: RedisClient, work: () => Promise<unknown>): Promise<StageCost> {
  const before = await redisMicroseconds(redis);
  const started = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(started);
  return { own: user + system, redis: (await redisMicroseconds(redis)) - before, seconds };
}

async function redisMicroseconds(redis: RedisClient): Promise<number> {
  const text = String(await redis.call('INFO', 'cpu'));
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1]);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
}

/** Applies every record of the log in the folder, as a worker does. */
export async function applyAll(walFolder: string, snapshotPath: string, redis: RedisClient): Promise<StageCost> {
  const snapshot = openSnapshotReader({ path: snapshotPath, marksStandMs: 5 });
  const ledger = createLedger(redis);
  await ledger.load();
  const accounting = await openLedgerLog({
    ...{ folder: walFolder, log, onEvents: () => {} },
    metrics: createLogMetrics(createRegistry('bench'), 'accounting'),
    work: accountingWork({ ledger, calls: createCallMaker(snapshot) }),
  });
  try {
    return await costOf(redis, async () => {
      await accounting.start();
      await until(accounting.applier.idle, 'every record is in the ledger', withinMs, pollMs);
    });
  } finally {
    await accounting.stop();
    await snapshot.close();
  }
}

/** Takes everything at once: what ClickHouse does with a batch is not measured here. */
const takesAll: BatchStore = {
  insert: async () => {},
  takesMore: async () => true,
  isPassing: () => true,
  label: () => 'other',
};

/** Ships everything that is in the outbox to a store that takes it at once; answers how many rows there were, too. */
export async function shipAll(folder: string, redis: RedisClient): Promise<StageCost & { readonly rows: number }> {
  const registry = createRegistry('bench');
  const node = 'bench';
  const metrics = createOutboxMetrics(registry, {
    ...{ spoolBytes: () => 0, rejectedBatches: () => 0, nowMs: systemClock.nowMs },
    ...{ oldestMs: async () => undefined, streamEntries: async () => undefined },
  });
  const shipper = createShipper({
    ...{ redis, node, outbox: createOutbox(redis, node), shippers: createShippers(redis, node), store: takesAll },
    ...{ folder: path.join(folder, 'outbox'), limitBytes: 2 ** 40, metrics, log },
    alarms: createOutboxAlarms({ metrics, log, clock: systemClock }),
  });
  const shipped = async () => (await metrics.shipped.get()).values.reduce((sum, { value }) => sum + value, 0);
  const cost = await costOf(redis, async () => {
    await shipper.start();
    const empty = async () => (await entriesInStreams(redis)) === 0 && shipper.spool()?.bytes() === 0;
    await until(empty, 'everything is shipped', withinMs, pollMs);
  });
  await shipper.stop();
  return { ...cost, rows: await shipped() };
}
