// Composition root of flow-collector: settings → components → run. `--check` builds everything and starts nothing.
import os from 'node:os';
import path from 'node:path';
import { linkLedger } from '#ops/lanes/ledger-link.ts';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { createOrphans } from '#ops/lanes/orphans.ts';
import { createAdminServer } from '#ops/runtime/admin.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { InvalidSettings } from '#ops/runtime/errors.ts';
import { handedSockets } from '#ops/runtime/handed-sockets.ts';
import { die, run } from '#ops/runtime/lifecycle.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { createRegistry } from '#ops/runtime/metrics.ts';
import { readSettings } from '#ops/runtime/settings.ts';
import { createClickHouseStore } from '#ops/spool/clickhouse-store.ts';
import { createClickHouse } from '#ops/stores/clickhouse.ts';
import { openDataFolder } from '#ops/stores/data-folder.ts';
import { onRedis } from '#ops/stores/on-redis.ts';
import { redisReady } from '#ops/stores/redis.ts';
import { createRedisLink } from '#ops/stores/redis-link.ts';
import { createDiskWatch } from '#ops/wal/disk.ts';
import { openAddressStore } from './attribution/address-store.ts';
import { createFollower } from './attribution/follower.ts';
import { type Settings, settings } from './config.ts';
import { createCounters } from './counters.ts';
import { createPublisher, registerTrafficMetrics } from './exporters/publish.ts';
import { createExporterSource } from './exporters/source.ts';
import { registerCollectorMetrics } from './metrics.ts';
import { createRowMetrics } from './rows/metrics.ts';
import { createShipper } from './rows/shipper.ts';
import { createTemplateKeeper } from './templates/keeper.ts';
import { readTemplates } from './templates/template-file.ts';
import { usageWork } from './usage/apply.ts';
import { flowWalFolder, flowWalRoot } from './usage/usage.ts';
import { createFlowCounterBuffer, createWorkers } from './workers.ts';

function build(config: Settings) {
  const log = createLogger('flow-collector', config.LOG_LEVEL);
  const registry = createRegistry('flow-collector');
  const folder = openDataFolder(config.LASTMILE_DATA_DIR);
  const inFolder = (name: string) => path.join(folder.path, name);
  const count = config.FLOW_WORKERS || Math.min(4, os.availableParallelism());
  const wals = flowWalRoot(folder.path);
  const workerWals = Array.from({ length: count }, (_, index) => flowWalFolder(wals, folder.uuid, index));
  const onFatal = (error: unknown) => die(log, 'a part of the process died', error);
  const { nowMs } = systemClock;

  const redis = createRedisLink({ url: config.REDIS_URL, name: 'flow-collector', log });
  const clickhouse = config.CLICKHOUSE_URL
    ? createClickHouse(config.CLICKHOUSE_URL, { name: 'flow-collector' })
    : undefined;
  const ownCounters = createFlowCounterBuffer();
  const rowMetrics = createRowMetrics(registry, () => shipper.spool(), nowMs);
  const shipper = createShipper({
    folder: inFolder('flow-spool'),
    store: clickhouse && createClickHouseStore(clickhouse),
    limitBytes: config.FLOW_SPOOL_BYTES,
    counters: createCounters(ownCounters),
    metrics: rowMetrics,
    log: log.child({ component: 'rows' }),
  });

  const exporterLog = log.child({ component: 'exporters' });
  const exporters = createExporterSource({
    databaseUrl: config.FEED_DATABASE_URL,
    file: inFolder('flow-exporters.json'),
    log: exporterLog,
    onChange: (changed) => workers.configure(changed),
  });

  const addressFile = inFolder('flow-addresses.mdb');
  const templateFile = inFolder('flow-templates.json');
  const workers = createWorkers({
    count,
    settings: {
      addresses: config.BIND_HOST,
      port: config.NETFLOW_PORT,
      udpDriver: config.UDP_DRIVER,
      receiveBufferBytes: config.FLOW_RECEIVE_BUFFER_BYTES,
      addressFile,
      redisUrl: config.REDIS_URL,
      logLevel: config.LOG_LEVEL,
    },
    walFolder: (index) => flowWalFolder(wals, folder.uuid, index),
    handed: handedSockets(process.env),
    exporters: exporters.current,
    templates: () => readTemplates(templateFile, exporterLog),
    ownCounters,
    registry,
    log: log.child({ component: 'receive' }),
    onRows: shipper.take,
    onFatal,
  });
  const templates = createTemplateKeeper({
    file: templateFile,
    ask: workers.askTemplates,
    told: workers.toldTemplates,
    log: exporterLog,
  });

  const addresses = onRedis(
    'addresses of sessions',
    redis,
    (client) =>
      createFollower({
        redis: client,
        store: openAddressStore(addressFile),
        log: log.child({ component: 'addresses' }),
        onChange: workers.addresses,
      }),
    onFatal,
  );

  const usageLog = log.child({ component: 'usage' });
  const usageMetrics = createLogMetrics(registry, 'flow_usage');
  const ledger = linkLedger(redis, usageLog);
  const adoptedLogs = onRedis(
    'adopted logs',
    redis,
    () =>
      createOrphans({
        root: wals,
        workers: new Set(workerWals.map((wal) => path.basename(wal))),
        work: () => usageWork(ledger),
        metrics: usageMetrics,
        log: usageLog,
        onEvents: () => {},
      }),
    onFatal,
  );

  registerTrafficMetrics(registry, workers.traffic);
  registerCollectorMetrics(registry, workers);
  const publisher = createPublisher({
    redis: redis.current,
    node: folder.uuid,
    traffic: workers.traffic,
    nowMs,
    log: exporterLog,
  });
  const disk = createDiskWatch({ folder: folder.path, metrics: usageMetrics, log: usageLog });
  const admin = createAdminServer({
    host: config.BIND_HOST[0] ?? '127.0.0.1',
    port: config.FLOW_ADMIN_PORT,
    registry,
    ready: [
      redisReady(redis.current),
      workers.ready,
      {
        name: 'addresses',
        check: () => (addresses.current() ? (addresses.current()?.trouble() ?? null) : 'Redis has not answered yet'),
      },
      exporters.ready,
      { name: 'clickhouse', advisory: true, check: () => shipper.trouble() },
      { name: 'disk', check: disk.problem },
    ],
  });
  const store = { name: 'clickhouse', start: async () => {}, stop: async () => clickhouse?.close() };
  return {
    log,
    parts: [admin, disk, store, shipper, exporters, templates, redis, adoptedLogs, workers, addresses, publisher],
  };
}

try {
  const { log, parts } = build(readSettings(settings, process.env));
  if (!process.argv.includes('--check')) await run(parts, log);
} catch (error) {
  if (!(error instanceof InvalidSettings)) throw error;
  process.stderr.write(`flow-collector: ${error.message}\n`);
  process.exitCode = 1;
}
