// Composition root of control-api: settings → components → run. `--check` builds everything and starts nothing.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { adminUrl } from '#ops/runtime/admin-url.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { InvalidSettings } from '#ops/runtime/errors.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { run } from '#ops/runtime/lifecycle.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { createRegistry } from '#ops/runtime/metrics.ts';
import { readSettings } from '#ops/runtime/settings.ts';
import { clickHouseReady, createClickHouse } from '#ops/stores/clickhouse.ts';
import { postgresReady } from '#ops/stores/postgres.ts';
import { redisReady } from '#ops/stores/redis.ts';
import { createRedisLink } from '#ops/stores/redis-link.ts';
import { createAaaTools } from './aaa/edge.ts';
import { createAaaAdmin } from './aaa-admin.ts';
import { buildApp } from './app.ts';
import { createFirstAdmin } from './auth/first-admin.ts';
import { type Settings, settings } from './config.ts';
import { createDb } from './database/connect.ts';
import { createFeedPruning } from './database/feed-pruning.ts';
import { createDiscovery } from './exporters/discovery.ts';
import { createFeedGuard } from './feed-guard/client.ts';
import { createHistory } from './history.ts';
import { createHttpPart } from './http-part.ts';
import {
  createBrakeDesk,
  createExporterTraffic,
  createLedgerReader,
  createMoveDesk,
  createNasEdge,
  createNetworkDesk,
} from './ledger-reader.ts';
import { createUnknownSources } from './nas/unknown.ts';
import { createAttributeDictionary } from './reply-attributes/dictionary.ts';

async function build(config: Settings) {
  const log = createLogger('control-api', config.LOG_LEVEL);
  const registry = createRegistry('control-api');
  const keyring = createKeyring(config.LASTMILE_SECRET_KEY);
  const db = createDb(config.APP_DATABASE_URL, log);
  const redis = createRedisLink({ url: config.REDIS_URL, name: 'control-api', log });
  const clickhouse = config.CLICKHOUSE_URL
    ? createClickHouse(config.CLICKHOUSE_URL, { name: 'control-api' })
    : undefined;
  const firstAdmin = createFirstAdmin({
    db,
    log,
    email: config.ADMIN_EMAIL,
    password: config.ADMIN_PASSWORD,
    announce: (email, password) => process.stdout.write(`first super admin: ${email} / ${password}\n`),
  });
  const exporterTraffic = createExporterTraffic(redis.current);
  const aaa = createAaaAdmin(adminUrl(config.BIND_HOST, config.AAA_ADMIN_PORT), keyring);
  const app = await buildApp(
    {
      db,
      keyring,
      clock: systemClock,
      ledger: createLedgerReader(redis.current),
      history: createHistory(clickhouse),
      brake: createBrakeDesk(redis.current),
      network: createNetworkDesk(redis.current),
      moveDesk: createMoveDesk(redis.current),
      feedGuard: createFeedGuard(aaa),
      dictionary: createAttributeDictionary(aaa),
      aaa: createAaaTools(aaa),
      exporterTraffic,
      nasEdge: createNasEdge(redis.current),
      unknownSources: createUnknownSources(aaa),
      radius: { addresses: config.BIND_HOST, ports: [config.RADIUS_AUTH_PORT, config.RADIUS_ACCT_PORT] },
      neighbours: [
        { name: 'aaa-server', url: adminUrl(config.BIND_HOST, config.AAA_ADMIN_PORT) },
        { name: 'flow-collector', url: adminUrl(config.BIND_HOST, config.FLOW_ADMIN_PORT) },
      ],
    },
    {
      log,
      registry,
      ready: [
        postgresReady(db.$client),
        redisReady(redis.current),
        // Only the history needs it.
        ...(clickhouse ? [{ ...clickHouseReady(clickhouse), advisory: true }] : []),
        { name: 'first super admin', check: firstAdmin.ready },
      ],
      version: JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../package.json'), 'utf8')).version,
      trustProxy: config.TRUST_PROXY,
    },
  );
  const history = { name: 'clickhouse', start: async () => {}, stop: async () => clickhouse?.close() };
  const pool = { name: 'postgresql', start: async () => {}, stop: () => db.$client.end() };
  const http = createHttpPart(app, config.BIND_HOST, config.HTTP_PORT);
  const discovery = createDiscovery({ db, exporterTraffic, log });
  return { log, app, parts: [pool, history, redis, firstAdmin, createFeedPruning(db, log), discovery, http] };
}

try {
  const { log, app, parts } = await build(readSettings(settings, process.env));
  if (process.argv.includes('--check')) await app.close();
  else await run(parts, log);
} catch (error) {
  if (!(error instanceof InvalidSettings)) throw error;
  process.stderr.write(`control-api: ${error.message}\n`);
  process.exitCode = 1;
}
