// The whole product on one machine: stores, schema and processes, started in order and stopped in reverse.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import type { Environment } from '#ops/runtime/settings.ts';
import { secretKeys } from '../stores/addresses.ts';
import { type DataFolder, lockDataFolder, openDataFolder } from '../stores/data-folder.ts';
import { createEmbeddedPostgres } from '../stores/embedded/postgres.ts';
import { createEmbeddedRedis } from '../stores/embedded/redis.ts';
import { DatabaseAway, migrate } from '../stores/migrate.ts';
import { roleUrl } from '../stores/urls.ts';
import { startClickHouse } from './clickhouse.ts';
import { createControl } from './control-socket.ts';
import type { ProcessDefinition, ProcessName, SharedFacts } from './environment.ts';
import { passwordTold, superAdminExists, untoldPassword } from './first-admin.ts';
import { createOwnProcesses, readyUrl } from './own-processes.ts';
import { waitReady } from './ready.ts';
import type { Settings } from './settings.ts';
import { summary } from './summary.ts';
import { type Supervised, type Supervisor, supervise } from './supervise.ts';

export type StackOptions = {
  settings: Settings;
  given: Environment;
  processes: readonly (ProcessDefinition & { name: ProcessName })[];
  say(line: string): void;
  /** A line that a process printed. */
  logged(line: string): void;
};

export type Stack = { start(): Promise<void>; stop(): Promise<void>; abandon(): void };

/** Preparing the database takes less when nobody else holds it and it answers. */
const edgePatienceMs = 3000;

export function createStack({ settings, given, processes, say, logged }: StackOptions): Stack {
  const stopping = new AbortController();
  const supervisors: Supervisor[] = [];
  let factsNow: (() => SharedFacts) | undefined;
  const own = createOwnProcesses({
    ...{ settings, given, processes, say, logged },
    facts() {
      if (!factsNow) throw new Error('the stores do not serve yet');
      return factsNow();
    },
  });
  let stopControl = async () => {};
  let unlock: (() => void) | undefined;

  async function keep(supervised: Supervised): Promise<void> {
    stopping.signal.throwIfAborted();
    const supervisor = supervise(supervised, { say });
    supervisors.push(supervisor);
    try {
      await supervisor.start();
    } catch (error) {
      supervisors.splice(supervisors.indexOf(supervisor), 1);
      throw error;
    }
  }

  async function startStores(folder: DataFolder): Promise<{ databaseUrl: string; redisUrl: string }> {
    const postgres = createEmbeddedPostgres({ folder, port: settings.EMBEDDED_POSTGRES_PORT, say });
    const redis = createEmbeddedRedis({
      folder,
      port: settings.EMBEDDED_REDIS_PORT,
      mayInstall: !settings.LASTMILE_NO_INSTALL,
      say,
    });
    const embedded = [...(settings.REDIS_URL ? [] : [redis]), ...(settings.DATABASE_URL ? [] : [postgres])];
    for (const store of embedded) {
      const from = performance.now();
      await keep(store);
      say(`${store.name} serves on port ${new URL(store.url()).port} (${seconds(from)})`);
    }
    return {
      databaseUrl: settings.DATABASE_URL || postgres.url(),
      redisUrl: settings.REDIS_URL || redis.url(),
    };
  }

  async function start(): Promise<void> {
    const folder = openDataFolder(settings.LASTMILE_DATA_DIR);
    unlock = lockDataFolder(folder);
    const keys = secretKeys(settings, folder);
    const keyring = createKeyring(keys);
    const clickhouseUrl = await startClickHouse({ settings, folder, say, keep, signal: stopping.signal });
    const { databaseUrl, redisUrl } = await startStores(folder);
    let newPassword: string | undefined;

    factsNow = () => ({
      dataDir: folder.path,
      redisUrl,
      clickhouseUrl,
      appDatabaseUrl: settings.APP_DATABASE_URL || roleUrl(databaseUrl, 'lastmile_app', keyring),
      feedDatabaseUrl: settings.FEED_DATABASE_URL || roleUrl(databaseUrl, 'lastmile_feed', keyring),
      secretKeys: keys,
      adminPassword: settings.ADMIN_PASSWORD || (newPassword ?? ''),
    });

    const prepareDatabase = async () => {
      const applied = await migrate({ databaseUrl, keyring });
      if (applied.length > 0) say(`schema brought up to date: ${applied.join(', ')}`);
      const exists = await superAdminExists(databaseUrl);
      if (settings.ADMIN_PASSWORD === '') newPassword = untoldPassword(folder, exists);
    };

    // The edge serves from what it knows while PostgreSQL is away; only the control plane waits for it.
    const firstTry = prepareDatabase().then(
      () => 'prepared' as const,
      (error: unknown) => {
        if (stopping.signal.aborted || !(error instanceof DatabaseAway)) throw error;
        say(`${messageOf(error)}; logins are served meanwhile, trying again every 5 s`);
        return 'away' as const;
      },
    );
    const state = await Promise.race([firstTry, delay(edgePatienceMs, 'slow' as const, { signal: stopping.signal })]);
    if (state === 'slow') say('preparing the database takes long; logins are served meanwhile');
    await startProcess('aaa-server');
    await startProcess('flow-collector');
    await listenToOperators(folder);
    if ((await firstTry) === 'away') await untilPrepared(prepareDatabase);
    await startProcess('control-api');

    const serving = (name: ProcessName) =>
      processes.some((process) => process.name === name)
        ? waitReady({ name, url: readyUrl(name, settings), say, signal: stopping.signal })
        : Promise.resolve(true);
    const edge = Promise.all([serving('aaa-server'), serving('flow-collector')]);
    if (!(await serving('control-api'))) return;
    if (newPassword !== undefined) {
      say(`\nSign in as ${settings.ADMIN_EMAIL} with password ${newPassword} (shown this once)`);
      passwordTold(folder);
    }
    if ((await edge).includes(false)) return;
    say(`\nLastmile is ready (${seconds(0)})`);
    for (const line of summary(settings, folder)) say(line);
  }

  async function startProcess(name: ProcessName): Promise<void> {
    const process = own.supervised(name);
    if (process) await keep(process);
  }

  /** Nothing else depends on it. */
  async function listenToOperators(folder: DataFolder): Promise<void> {
    const control = createControl(folder.path, own.restart);
    try {
      await control.start();
      stopControl = control.stop;
    } catch (error) {
      say(`\`npm run restart\` will not reach this start: ${messageOf(error)}`);
    }
  }

  async function untilPrepared(prepare: () => Promise<void>): Promise<void> {
    for (;;) {
      await delay(5000, undefined, { signal: stopping.signal });
      try {
        return await prepare();
      } catch (error) {
        if (!(error instanceof DatabaseAway)) throw error;
      }
    }
  }

  return {
    start,
    async stop() {
      stopping.abort();
      const closed = stopControl();
      for (const supervisor of supervisors.toReversed()) {
        await supervisor.stop();
        say(`${supervisor.name} stopped`);
      }
      own.close();
      await closed;
      unlock?.();
    },
    abandon() {
      stopping.abort();
      for (const supervisor of supervisors.toReversed()) supervisor.abandon();
    },
  };
}

/** Since `from`; 0 is the start of this process. */
function seconds(from: number): string {
  return `${((performance.now() - from) / 1000).toFixed(1)} s`;
}
