// Composition root of aaa-server: settings → components → run. `--check` builds everything and starts nothing.
import os from 'node:os';
import path from 'node:path';
import { walFolder } from '#ops/lanes/ledger-log.ts';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { createOrphans } from '#ops/lanes/orphans.ts';
import { createAdminServer } from '#ops/runtime/admin.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { eapIdentity, methodsWithout } from '#ops/runtime/eap-identity.ts';
import { InvalidSettings } from '#ops/runtime/errors.ts';
import { collectEarly } from '#ops/runtime/garbage.ts';
import { handedSockets } from '#ops/runtime/handed-sockets.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { die, run } from '#ops/runtime/lifecycle.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { createRegistry } from '#ops/runtime/metrics.ts';
import { preferSession } from '#ops/runtime/priority.ts';
import { readSettings } from '#ops/runtime/settings.ts';
import { createClickHouse } from '#ops/stores/clickhouse.ts';
import { openDataFolder } from '#ops/stores/data-folder.ts';
import { onRedis } from '#ops/stores/on-redis.ts';
import { redisReady } from '#ops/stores/redis.ts';
import { createRedisLink } from '#ops/stores/redis-link.ts';
import { createDiskWatch } from '#ops/wal/disk.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { walRoot } from './accounting/accounting.ts';
import { accountingWork } from './accounting/apply.ts';
import { createCallMaker } from './accounting/call.ts';
import { outcomeHash } from './accounting/class.ts';
import { createMeters } from './accounting/meters.ts';
import { adminCalls } from './admin-calls.ts';
import { createProvenPlaces } from './auth/proven.ts';
import { type Settings, settings } from './config.ts';
import { loadDictionary } from './dictionaries/load.ts';
import { createDecide } from './enforcement/decide.ts';
import { createEnforcement } from './enforcement/enforcement.ts';
import { createExplain } from './explain/explain.ts';
import { registerKernelDropMetrics } from './kernel-drop-metrics.ts';
import { createLoginShipper } from './login-log/shipper.ts';
import { registerNasMetrics } from './nas-metrics.ts';
import { createPoolKeeper } from './network/keeper.ts';
import { lanesCatchUp } from './network/lanes-catch-up.ts';
import { createPoolMetrics } from './network/metrics.ts';
import { createOutboxPart } from './outbox/outbox.ts';
import { createLearned } from './radius/learned.ts';
import { createNasUses } from './radius/nas-uses.ts';
import { createRadsec } from './radsec/radsec.ts';
import { createChanges, createChangesBuffer } from './subscribers/changes.ts';
import { cachedNases } from './subscribers/nas-cache.ts';
import { createSubscribers } from './subscribers/subscribers.ts';
import { createWorkers, type Workers } from './workers.ts';

function build(config: Settings) {
  const log = createLogger('aaa-server', config.LOG_LEVEL);
  const registry = createRegistry('aaa-server');
  // A dictionary that is wrong stops the start.
  const dictionary = loadDictionary(config.RADIUS_DICTIONARY);
  const keyring = createKeyring(config.LASTMILE_SECRET_KEY);
  const folder = openDataFolder(config.LASTMILE_DATA_DIR);
  const snapshotPath = path.join(folder.path, 'subscribers');
  const workerCount = config.AAA_WORKERS || Math.min(4, os.availableParallelism());
  const wals = walRoot(folder.path);
  const workerWals = Array.from({ length: workerCount }, (_, index) => walFolder(wals, folder.uuid, index));
  const onFatal = (error: unknown) => die(log, 'a part of the process died', error);
  const onProblem = (error: unknown) => log.warn({ err: error }, 'the ledger reports a problem');

  const feedSilence = {
    toleratedMs: config.FEED_SILENCE_S * 1000,
    extraGraceMs: config.FEED_SILENCE_GRACE_S * 1000,
  };

  const eap = eapIdentity(config);
  if (!eap.ok) throw new InvalidSettings([eap.problem]);
  const without = methodsWithout(eap.identity, config.EAP_METHODS);
  if (without.length > 0) log.info({ methods: without }, 'EAP without these methods: they need certificates');

  const redis = createRedisLink({ url: config.REDIS_URL, name: 'aaa-server', log });
  const changes = { snapshot: createChangesBuffer(), profiles: createChangesBuffer() };
  const subscribers = createSubscribers(
    {
      path: snapshotPath,
      feedDatabaseUrl: config.FEED_DATABASE_URL,
      changes: { snapshot: createChanges(changes.snapshot), profiles: createChanges(changes.profiles) },
    },
    { redis, log: log.child({ component: 'subscribers' }), registry },
  );

  const radsec = createRadsec(config, {
    ...{ workerCount, registry, clock: systemClock, snapshot: subscribers.reader },
    log: log.child({ component: 'radsec' }),
    workers: (): Workers => workers,
  });

  const enforcement = onRedis(
    'enforcement',
    redis,
    (client) => {
      const decide = createDecide({
        snapshot: subscribers.reader,
        feedSilenceMs: feedSilence.toleratedMs,
        feedSilenceGraceMs: feedSilence.extraGraceMs,
      });
      return createEnforcement(config, {
        redis: client,
        node: folder.uuid,
        snapshot: subscribers.reader,
        keyring,
        registry,
        log,
        decide,
        hashOutcome: outcomeHash,
        usesNextSecret: (nasId) => nasUses.usesNext(nasId),
        links: radsec.links,
        onPublished: subscribers.poke,
      });
    },
    onFatal,
  );
  const nudge = (partitions: ReadonlySet<number>) => enforcement.current()?.nudge(partitions);
  const meters = onRedis(
    'meters',
    redis,
    (client) =>
      createMeters({
        ledger: createLedger(client, { onProblem }),
        snapshot: subscribers.reader,
        log: log.child({ component: 'accounting' }),
      }),
    onFatal,
  );
  subscribers.onChange((changes) => {
    for (const { kind, tenantId, key } of changes) {
      const ofEnforcement = kind !== 'pool' && kind !== 'device_user' && kind !== 'proxy';
      if (ofEnforcement) enforcement.current()?.changed({ kind, tenantId, id: key });
      if (kind === 'subscription') meters.current()?.changed(tenantId, key);
    }
  });

  const accountingLog = log.child({ component: 'accounting' });
  const accountingMetrics = createLogMetrics(registry, 'accounting');
  const adoptedLogs = onRedis(
    'adopted logs',
    redis,
    (client) =>
      createOrphans({
        root: wals,
        workers: new Set(workerWals.map((wal) => path.basename(wal))),
        work: () =>
          accountingWork({
            ledger: createLedger(client, { onProblem }),
            calls: createCallMaker(subscribers.reader),
          }),
        metrics: accountingMetrics,
        log: accountingLog,
        onEvents: nudge,
      }),
    onFatal,
  );

  const clickhouse = config.CLICKHOUSE_URL
    ? createClickHouse(config.CLICKHOUSE_URL, { name: 'aaa-server' })
    : undefined;
  const outbox = createOutboxPart({
    ...{ folder, redis, clickhouse, limitBytes: config.OUTBOX_SPOOL_BYTES, registry, onFatal },
    log: log.child({ component: 'outbox' }),
  });

  const loginShipper =
    clickhouse && createLoginShipper({ clickhouse, registry, log: log.child({ component: 'auth log' }) });

  const poolMetrics = createPoolMetrics(registry);
  const pools = onRedis(
    'pools',
    redis,
    (client) =>
      createPoolKeeper({
        ...{ redis: client, node: folder.uuid, snapshot: subscribers.reader, clock: systemClock, metrics: poolMetrics },
        catchesUp: () => lanesCatchUp(registry),
        log: log.child({ component: 'pools' }),
      }),
    onFatal,
  );

  const radiusLog = log.child({ component: 'radius' });
  const learned = createLearned({
    folder,
    redis: redis.current,
    nases: cachedNases(subscribers.reader),
    onNews: (news) => workers.teach(news),
    log: radiusLog,
  });
  const workers: Workers = createWorkers({
    count: workerCount,
    settings: {
      addresses: config.BIND_HOST,
      authPort: config.RADIUS_AUTH_PORT,
      acctPort: config.RADIUS_ACCT_PORT,
      udpDriver: config.UDP_DRIVER,
      receiveBufferBytes,
      rejectDelayMs: config.REJECT_DELAY_MS,
      learnWindowMs: config.RADIUS_LEARN_WINDOW_S * 1000,
      eap: { node: folder.uuid, workers: workerCount, methods: config.EAP_METHODS, identity: eap.identity },
      masters: config.LASTMILE_SECRET_KEY,
      proven: createProvenPlaces(),
      snapshotPath,
      changes,
      proxy: {
        root: path.join(folder.path, 'proxy-accounting'),
        workers: workerWals.map((wal) => path.basename(wal)),
        keeping: { keepMs: config.PROXY_KEEP_H * 3_600_000, bytes: config.PROXY_LOG_BYTES },
      },
      redisUrl: config.REDIS_URL,
      loginLedgerMs: config.LOGIN_LEDGER_MS,
      feedSilence,
      // Without a store nothing is written.
      loginLog: {
        acceptsPerSecond: loginShipper ? config.AUTH_LOG_ACCEPTS_PER_SECOND : 0,
        rejectsPerSecond: loginShipper ? config.AUTH_LOG_REJECTS_PER_SECOND : 0,
      },
      logLevel: config.LOG_LEVEL,
      radsec: radsec.settings,
    },
    walFolder: (index) => walFolder(wals, folder.uuid, index),
    handed: handedSockets(process.env),
    registry,
    log: radiusLog,
    onEvents: nudge,
    learned: learned.all,
    onLearned: learned.note,
    onLogins: (batch) => loginShipper?.take(batch),
    onRadsec: (worker, words) => radsec.links.hear(worker, words),
    onFatal,
  });

  const nasUses = createNasUses({
    redis: redis.current,
    node: folder.uuid,
    activities: async () => [...(await workers.nasActivities()).values()],
    nowMs: systemClock.nowMs,
    log: radiusLog,
  });

  registerKernelDropMetrics(registry, workers.ports);
  registerNasMetrics(registry, {
    snapshot: subscribers.reader,
    activities: workers.nasActivities,
    startedAtMs: systemClock.nowMs(),
    nowMs: systemClock.nowMs,
  });

  const disk = createDiskWatch({ folder: folder.path, metrics: accountingMetrics, log: accountingLog });
  const admin = createAdminServer({
    host: config.BIND_HOST[0] ?? '127.0.0.1',
    port: config.AAA_ADMIN_PORT,
    registry,
    ready: [redisReady(redis.current), ...subscribers.ready, { name: 'disk', check: disk.problem }, outbox.ready],
    routes: adminCalls({
      keyring,
      guard: subscribers.guard,
      snapshot: subscribers.reader,
      workers,
      dictionary,
      explain: createExplain({
        ...{ snapshot: subscribers.reader, redis, keyring, clock: systemClock, feedSilence, dictionary },
      }),
    }),
  });
  return {
    log,
    parts: [
      ...[
        admin,
        disk,
        redis,
        subscribers,
        meters,
        outbox,
        ...(loginShipper ? [loginShipper] : []),
        adoptedLogs,
        learned,
        pools,
        workers,
      ],
      ...[...radsec.parts, nasUses, enforcement],
    ],
  };
}

const receiveBufferBytes = 8 * 1024 * 1024;

collectEarly();
preferSession();
try {
  const { log, parts } = build(readSettings(settings, process.env));
  if (!process.argv.includes('--check')) await run(parts, log);
} catch (error) {
  if (!(error instanceof InvalidSettings)) throw error;
  process.stderr.write(`aaa-server: ${error.message}\n`);
  process.exitCode = 1;
}
