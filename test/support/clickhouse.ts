// An embedded ClickHouse of a test in a temporary data folder, migrated, killed and started at will.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { migrateClickHouse } from '#ops/stores/clickhouse/migrate.ts';
import type { Retention } from '#ops/stores/clickhouse/ttl.ts';
import { type ClickHouseClient, createClickHouse } from '#ops/stores/clickhouse.ts';
import { type DataFolder, openDataFolder } from '#ops/stores/data-folder.ts';
import { createEmbeddedClickHouse } from '#ops/stores/embedded/clickhouse.ts';
import { processesIn } from '#ops/stores/embedded/processes.ts';
import { onExit } from './exit.ts';
import { until } from './wait.ts';

export type TestClickHouse = {
  /** Of the user and database; the same after a restart. */
  url: string;
  client: ClickHouseClient;
  folder: DataFolder;
  /** The process that serves, by its id. */
  pid(): number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when it serves again. */
  restart(): Promise<void>;
};

type Teardown = { teardown(handler: () => unknown): unknown };

export const keepForEver: Retention = { accounting: 0, flows: 0, flows_1m: 0, flows_1h: 0, flows_1d: 0, logins: 0 };

/** `migrated: false` leaves the server without our database. */
export async function startClickHouse(t: Teardown, { migrated = true } = {}): Promise<TestClickHouse> {
  const folder = openDataFolder(mkdtempSync(path.join(tmpdir(), 'lastmile-clickhouse-')));
  const directory = path.join(folder.path, 'clickhouse');
  const said: string[] = [];
  const store = createEmbeddedClickHouse({ folder, memoryMb: 2048, say: (line) => said.push(line) });
  const pids = () => processesIn(directory, ['node']).map(({ pid }) => pid);
  const kill9 = () => {
    for (const pid of pids()) process.kill(pid, 'SIGKILL');
  };
  const forget = onExit(() => {
    kill9();
    rmSync(folder.path, { recursive: true, force: true });
  });
  await store.start();
  const url = store.url();
  const client = createClickHouse(url, { name: 'test', requestTimeoutMs: 120_000 });
  t.teardown(async () => {
    await client.close();
    await store.stop();
    forget();
    rmSync(folder.path, { recursive: true, force: true });
  });
  if (migrated) await migrateClickHouse({ url, deployment: { cluster: '' }, retention: keepForEver });

  return {
    url,
    client,
    folder,
    pid() {
      const [pid] = pids();
      if (pid === undefined) throw new Error(`no ClickHouse runs in ${directory}: ${said.join('\n')}`);
      return pid;
    },
    async kill() {
      kill9();
      await until(() => pids().length === 0, 'the killed ClickHouse is gone', 20_000);
    },
    stop: () => store.stop(),
    restart: async () => {
      await store.stop();
      await store.start();
    },
  };
}
