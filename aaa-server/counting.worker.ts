// The thread that counts what a RADIUS worker has acknowledged: applies the worker's log to the ledger. Composition only.
import { parentPort } from 'node:worker_threads';
import { createApplier } from '#ops/lanes/applier.ts';
import type { FromCounting, ToCounting } from '#ops/lanes/counting-thread.ts';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { createRetention } from '#ops/lanes/retention.ts';
import { startAll } from '#ops/runtime/lifecycle.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { setThreadPriority } from '#ops/runtime/priority.ts';
import { metricsOf } from '#ops/runtime/report-metrics.ts';
import { beginning } from '#ops/runtime/worker-begin.ts';
import { createRedisLink } from '#ops/stores/redis-link.ts';
import { guestWal } from '#ops/wal/shared-wal.ts';
import type { CountingSettings } from './accounting/accounting.ts';
import { accountingWork } from './accounting/apply.ts';
import { createCallMaker } from './accounting/call.ts';
import { ledgerOver } from './accounting/ledger-over.ts';
import { openSnapshotReader } from './subscribers/reader.ts';

if (!parentPort) throw new Error('counting.worker.ts runs as a thread of a RADIUS worker');
const worker = parentPort;
await setThreadPriority('counting');
const { index, snapshotPath, redisUrl, logLevel, wal: state } = await beginning<CountingSettings>();
const tell = (message: FromCounting) => worker.postMessage(message);

const log = createLogger('aaa-server', logLevel).child({ worker: index, component: 'counting' });
const registry = new Registry();
const metrics = createLogMetrics(registry, 'accounting');
const snapshot = openSnapshotReader({ path: snapshotPath, marksStandMs: 5 });
// Nobody waits for its calls, and many are under way at once.
const redis = createRedisLink({ url: redisUrl, name: `aaa-server counting ${index}`, log, commandTimeoutMs: 10_000 });
const guest = guestWal(state, tell);
const applier = createApplier({
  wal: guest.wal,
  work: accountingWork({ ledger: ledgerOver(redis, log), calls: createCallMaker(snapshot) }),
  metrics,
  log,
  onEvents: (partitions) => tell({ type: 'events', partitions }),
});
const retention = createRetention({ wal: guest.wal, applier, log });
const reader = { name: 'snapshot reader', start: async () => {}, stop: () => snapshot.close() };
worker.on('message', async (message: ToCounting) => {
  switch (message.type) {
    case 'report':
      return tell({ type: 'report', id: message.id, metrics: await metricsOf(registry) });
    case 'stop':
      await (await running).stop();
      return worker.close();
    default:
      return guest.hear(message);
  }
});
const running = startAll([reader, redis, applier, retention], log);
await running;
tell({ type: 'ready', metrics: await metricsOf(registry) });
