// A process of its own that adds usage without pause and prints how much of it is on disk and how much was added, until it is killed.
import { counterPlaces, createCounters } from '#flow-collector/counters.ts';
import { openUsage } from '#flow-collector/usage/usage.ts';
import { createFlowCounterBuffer } from '#flow-collector/workers.ts';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { connectRedis } from '#ops/stores/redis.ts';
import { partitionOf } from '#policy/ledger/keys.ts';
import { createLedger } from '#policy/ledger/ledger.ts';

const [folder = '', url = ''] = process.argv.slice(2);
const ledger = createLedger(await connectRedis({ url, name: 'test' }));
await ledger.load();
const counters = createCounters(createFlowCounterBuffer());
const usage = await openUsage({
  folder,
  ledger: () => ledger,
  counters,
  metrics: createLogMetrics(new Registry(), 'flow_usage'),
  log: createLogger('test', 'silent'),
  onEvents: () => {},
  nowMs: Date.now,
  cutMs: 5,
});
await usage.start();
let added = 0;
const up = counterPlaces.offset('usage', 'up');
setInterval(() => {
  added += 1000;
  // Before it is added: never less than what can be on disk.
  process.stdout.write(`${counters.array[up]} ${added}\n`);
  usage.add(1, 1, partitionOf(1, 1), Date.now(), 1000, 0);
}, 1);
