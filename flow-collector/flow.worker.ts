// One flow worker thread: its own sockets, templates, address index, usage log and row batches. Composition only.
import { parentPort, type TransferListItem } from 'node:worker_threads';
import { linkLedger } from '#ops/lanes/ledger-link.ts';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { startAll } from '#ops/runtime/lifecycle.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { metricsOf } from '#ops/runtime/report-metrics.ts';
import { loadCalls } from '#ops/runtime/udp/mmsg/calls.ts';
import { beginning } from '#ops/runtime/worker-begin.ts';
import { createRedisLink } from '#ops/stores/redis-link.ts';
import { createAddressIndex } from './attribution/address-index.ts';
import { createAddressKeeper } from './attribution/keeper.ts';
import { createCounters } from './counters.ts';
import { everySecond } from './every-second.ts';
import { createSenders } from './exporters/senders.ts';
import { createTrafficSums, trafficOf } from './exporters/traffic.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './protocol.ts';
import { createFlowRows } from './receive/flow-rows.ts';
import { createReceiver } from './receive/receiver.ts';
import { createFlowServer } from './receive/server.ts';
import { createBatches } from './rows/batches.ts';
import { openUsage } from './usage/usage.ts';
import { createColumns } from './wire/columns.ts';
import { createDecoder } from './wire/decoder.ts';

if (!parentPort) throw new Error('flow.worker.ts runs as a worker thread of flow-collector');
const main = parentPort;
// What takes long and depends on nothing but this machine, while a predecessor still serves.
await loadCalls();
const settings = await beginning<WorkerSettings>();
const tell = (message: FromWorker, transfer?: TransferListItem[]) => main.postMessage(message, transfer);

const { nowMs } = systemClock;
const log = createLogger('flow-collector', settings.logLevel).child({ worker: settings.index });
const counters = createCounters(settings.counters);
const registry = new Registry();
const redis = createRedisLink({ url: settings.redisUrl, name: `flow-collector worker ${settings.index}`, log });
const usage = await openUsage({
  folder: settings.walFolder,
  ledger: linkLedger(redis, log),
  counters,
  metrics: createLogMetrics(registry, 'flow_usage'),
  log,
  // The crossings are in the ledger: aaa-server, which enforces, finds them there.
  onEvents: () => {},
  nowMs,
});

const addresses = createAddressIndex();
const keeper = createAddressKeeper({ index: addresses, file: settings.addressFile, counters, nowMs });
const sumTraffic = createTrafficSums(counters);
const senders = createSenders({
  settings: settings.exporters,
  tenantNumber: addresses.tenant,
  onForgotten: sumTraffic,
});
const batches = createBatches({ counters, send: (batch) => tell({ type: 'rows', batch }, [batch.buffer]) });
const takeRows = createFlowRows({ addresses, senders, usage, batches, counters, nowMs });
const columns = createColumns(4096);
const decoder = createDecoder({
  columns,
  onFull: takeRows,
  onLearned: (learned) => tell({ type: 'learned', learned }),
});
if (settings.templates) {
  const { rejected } = decoder.restore(settings.templates, nowMs());
  if (rejected > 0) log.warn({ rejected }, 'some templates of the last run were not taken over');
}
const receiver = createReceiver({ senders, decoder, columns, counters, takeRows, nowMs });
const server = createFlowServer({
  ...settings,
  receiver,
  counters,
  // What the kernel does not grant, it grants no worker: the first one tells.
  warn: settings.index === 0 ? (message, fields) => log.warn(fields, message) : () => {},
  // Uncaught in this thread: the main thread hears of it and ends the process.
  onFatal: (error) => {
    throw error;
  },
});
const rows = everySecond('row batches', batches.flush);
const traffic = everySecond('sums of traffic', () => {
  for (const sender of senders.all()) sumTraffic(sender);
  tell({ type: 'traffic', traffic: trafficOf(senders.all()), addresses: addresses.size() });
});

const running = await startAll([redis, usage, keeper, rows, traffic, server], log);

main.on('message', async (message: ToWorker) => {
  switch (message.type) {
    case 'exporters':
      return senders.configure(message.settings);
    case 'addresses':
      return keeper.take(message.intervals);
    case 'learned':
      decoder.learn(message.learned, nowMs());
      return receiver.flush();
    case 'tell_templates':
      return tell({ type: 'templates', snapshot: decoder.snapshot() });
    case 'settled':
      return batches.settled(message.buffer);
    case 'report':
      return tell({ type: 'report', id: message.id, report: { metrics: await metricsOf(registry) } });
    case 'stop':
      await running.stop();
      tell({ type: 'templates', snapshot: decoder.snapshot() });
      tell({ type: 'stopped' });
      return main.close();
    default:
      message satisfies never;
  }
});
tell({ type: 'ready', ...server.bound() });
