// ClickHouse as a child of `npm start`: the engine of an npm package in a process that speaks ClickHouse's HTTP interface.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';
import { type DataFolder, readRecord, writeRecord } from '../data-folder.ts';
import type { ServerFile } from './clickhouse/main.ts';
import { requireClickHouseProgram } from './clickhouse/program.ts';
import { threadPoolSize } from './clickhouse/threads.ts';
import { freePort, isFree } from './ports.ts';
import { gone, processesIn } from './processes.ts';
import { lastLines, type ServerProcess, spawnServer, stopServer } from './server-process.ts';
import type { EmbeddedStore, Say } from './store.ts';

export type EmbeddedClickHouseOptions = {
  folder: DataFolder;
  /** EMBEDDED_CLICKHOUSE_PORT; else a free port, recorded in the data folder. */
  port?: number | undefined;
  /** EMBEDDED_CLICKHOUSE_MEMORY_MB; 0 = a quarter of the machine's, from 1 to 8 GB. */
  memoryMb?: number;
  say: Say;
};

export type EmbeddedClickHouse = EmbeddedStore & {
  /** Chooses port and password, so that the URL can be handed out before the server serves. */
  prepare(): Promise<string>;
};

/** `clickhouse.json` of the data folder. */
export type ClickHouseRecord = { port: number; password: string };

const USER = 'lastmile';
const DATABASE = 'lastmile';
const MEGABYTE = 1024 * 1024;
const PROGRAMS = ['node', path.basename(process.execPath)];

export function createEmbeddedClickHouse(options: EmbeddedClickHouseOptions): EmbeddedClickHouse {
  const { folder, port, memoryMb = 0, say } = options;
  const directory = path.join(folder.path, 'clickhouse');
  const logFile = path.join(folder.path, 'logs', 'clickhouse.log');
  let server: ServerProcess | undefined;
  let record: ClickHouseRecord | undefined;

  /** Does not wait: one that was left running still has the port, and is stopped before ours starts. */
  async function prepare(): Promise<ClickHouseRecord> {
    for (const needed of [directory, path.dirname(logFile)]) mkdirSync(needed, { recursive: true, mode: 0o700 });
    const known = readRecord<ClickHouseRecord>(folder, 'clickhouse');
    const orphaned = processesIn(directory, PROGRAMS).length > 0;
    // Restarted, it must be where its clients look for it.
    const kept = port ?? record?.port ?? (orphaned ? known?.port : undefined);
    record = {
      password: known?.password ?? randomBytes(24).toString('base64url'),
      port: kept ?? (await choosePort(known?.port, say)),
    };
    writeRecord(folder, 'clickhouse', record);
    return record;
  }

  return {
    name: 'ClickHouse',
    prepare: async () => clickHouseUrl(await prepare()),
    url() {
      if (!record) throw new Error('ClickHouse was not started');
      return clickHouseUrl(record);
    },
    async start() {
      requireClickHouseProgram();
      const { port: chosen, password } = record ?? (await prepare());
      await stopOrphan(directory, say);
      await requirePort(chosen, port !== undefined);
      const file: ServerFile = { port: chosen, user: USER, password, memoryBytes: memoryBytes(memoryMb) };
      writeFileSync(path.join(directory, 'server.json'), JSON.stringify(file), { mode: 0o600 });
      const script = path.join(import.meta.dirname, 'clickhouse', 'main.ts');
      const runner = path.resolve(import.meta.dirname, '../../run.mjs');
      server = await spawnServer({
        command: process.execPath,
        args: [runner, script, directory],
        logFile,
        user: undefined,
        environment: { UV_THREADPOOL_SIZE: String(threadPoolSize) },
      });
      await serving(server, chosen, logFile, say);
    },
    // What was acknowledged is on disk: a kill loses nothing either.
    stop: async () => {
      if (server)
        await stopServer(server, [
          ['SIGTERM', 25_000],
          ['SIGKILL', 5000],
        ]);
      server = undefined;
    },
    abandon: () => server?.kill('SIGTERM'),
    ended: async () => {
      if (!server) throw new Error('ClickHouse was not started');
      return `${await server.ended}; its log ends:\n${lastLines(logFile, 3)}`;
    },
  };
}

export function clickHouseUrl({ port, password }: ClickHouseRecord): string {
  return `http://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`;
}

function memoryBytes(memoryMb: number): number {
  const quarter = Math.floor(os.totalmem() / 4);
  return memoryMb > 0 ? memoryMb * MEGABYTE : Math.min(8192 * MEGABYTE, Math.max(1024 * MEGABYTE, quarter));
}

async function stopOrphan(directory: string, say: Say): Promise<void> {
  const left = processesIn(directory, PROGRAMS).map(({ pid }) => pid);
  if (left.length === 0) return;
  say(`stopping the ClickHouse that an unclean stop left running (process ${left.join(', ')})`);
  for (const pid of left) process.kill(pid, 'SIGTERM');
  if (await gone(directory, PROGRAMS, 25_000)) return;
  throw new Error(
    `the ClickHouse that an unclean stop left running does not stop: end process ${left.join(', ')} and start again`,
  );
}

async function choosePort(recorded: number | undefined, say: Say): Promise<number> {
  if (recorded !== undefined && (await isFree(recorded))) return recorded;
  const port = await freePort();
  if (recorded !== undefined) say(`port ${recorded} is in use by another program: ClickHouse moves to ${port}`);
  return port;
}

/** Its clients know the port by now: it is waited for, not changed. */
async function requirePort(port: number, set: boolean): Promise<void> {
  if (await isFree(port)) return;
  const where = set ? `${port} of ClickHouse (EMBEDDED_CLICKHOUSE_PORT)` : `${port} of ClickHouse`;
  throw new Error(
    `port ${where} is in use by another program: stop it, or ${set ? 'set another port' : 'start again'}`,
  );
}

/** Waits until the tables are loaded, however long that takes while the process lives, and says so. */
async function serving(server: ServerProcess, port: number, logFile: string, say: Say): Promise<void> {
  const started = performance.now();
  let told = 0;
  for (;;) {
    if (server.hasEnded()) throw new Error(`ClickHouse ended (${await server.ended}); its log:\n${lastLines(logFile)}`);
    let problem = '';
    try {
      const response = await fetch(`http://127.0.0.1:${port}/ping`, { signal: AbortSignal.timeout(5000) });
      if (response.ok) return;
      problem = `status ${response.status}`;
    } catch (error) {
      problem = messageOf(error);
    }
    const waited = performance.now() - started;
    if (waited - told > 10_000) {
      told = waited;
      say(`waiting for ClickHouse: ${problem}`);
    }
    await delay(30);
  }
}
