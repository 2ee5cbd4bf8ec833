// Redis or Valkey as a child of `npm start`: every write in the append-only file before its reply, nothing evicted.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { messageOf } from '#ops/runtime/errors.ts';
import { preferSession } from '#ops/runtime/priority.ts';
import { type DataFolder, readRecord, writeRecord } from '../data-folder.ts';
import { freePort, isFree } from './ports.ts';
import { gone, processesIn } from './processes.ts';
import { requireRedisProgram } from './redis-program.ts';
import { lastLines, type ServerProcess, spawnServer, stopServer } from './server-process.ts';
import type { EmbeddedStore, Say } from './store.ts';

export type EmbeddedRedisOptions = {
  folder: DataFolder;
  /** EMBEDDED_REDIS_PORT; else a free port, recorded in the data folder. */
  port?: number | undefined;
  /** Whether a missing redis-server may be installed. */
  mayInstall: boolean;
  say: Say;
};

/** `redis.json` of the data folder. */
export type RedisRecord = { port: number; password: string };

const PROGRAMS = ['redis-server', 'valkey-server', 'redis-check-rdb', 'valkey-check-rdb'];

export function createEmbeddedRedis({ folder, port, mayInstall, say }: EmbeddedRedisOptions): EmbeddedStore {
  const directory = path.join(folder.path, 'redis');
  const logFile = path.join(folder.path, 'logs', 'redis.log');
  let server: ServerProcess | undefined;
  let record: RedisRecord | undefined;

  return {
    name: 'Redis',
    url() {
      if (!record) throw new Error('Redis was not started');
      return redisUrl(record);
    },
    async start() {
      const program = requireRedisProgram(say, mayInstall);
      for (const needed of [directory, path.dirname(logFile)]) mkdirSync(needed, { recursive: true, mode: 0o700 });
      await stopOrphan(directory, say);
      const known = readRecord<RedisRecord>(folder, 'redis');
      record = {
        password: known?.password ?? randomBytes(24).toString('base64url'),
        // Restarted, it must be where its clients look for it.
        port: await choosePort(port ?? record?.port, known?.port, say),
      };
      writeRecord(folder, 'redis', record);
      const configuration = path.join(directory, 'redis.conf');
      writeFileSync(configuration, configurationOf(record, directory), { mode: 0o600 });
      server = await spawnServer({ command: program.path, args: [configuration], logFile, user: undefined });
      // Logins wait for it.
      preferSession(server.pid);
      await serving(server, redisUrl(record), logFile, say);
    },
    // A clean stop syncs the append-only file; a kill loses nothing that was acknowledged either.
    stop: async () => {
      if (server)
        await stopServer(server, [
          ['SIGTERM', 15_000],
          ['SIGKILL', 5000],
        ]);
      server = undefined;
    },
    abandon: () => server?.kill('SIGTERM'),
    ended: async () => {
      if (!server) throw new Error('Redis was not started');
      return `${await server.ended}; its log ends:\n${lastLines(logFile, 3)}`;
    },
  };
}

export function redisUrl({ port, password }: RedisRecord): string {
  return `redis://:${password}@127.0.0.1:${port}`;
}

function configurationOf({ port, password }: RedisRecord, directory: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir "${directory.replaceAll(/["\\]/g, '\\$&')}"`,
    'daemonize no',
    'appendonly yes',
    'appendfsync always',
    // A rewrite must not suspend the sync of acknowledged writes.
    'no-appendfsync-on-rewrite no',
    'aof-load-truncated yes',
    'save ""',
    'maxmemory-policy noeviction',
    '',
  ].join('\n');
}

async function stopOrphan(directory: string, say: Say): Promise<void> {
  const left = processesIn(directory, PROGRAMS).map(({ pid }) => pid);
  if (left.length === 0) return;
  say(`stopping the Redis that an unclean stop left running (process ${left.join(', ')})`);
  for (const pid of left) process.kill(pid, 'SIGTERM');
  if (await gone(directory, PROGRAMS, 10_000)) return;
  throw new Error(
    `the Redis that an unclean stop left running does not stop: end process ${left.join(', ')} and start again`,
  );
}

async function choosePort(fixed: number | undefined, recorded: number | undefined, say: Say): Promise<number> {
  if (fixed !== undefined) {
    if (await isFree(fixed)) return fixed;
    throw new Error(
      `port ${fixed} of Redis (EMBEDDED_REDIS_PORT) is in use by another program: stop it, or set another port`,
    );
  }
  if (recorded !== undefined && (await isFree(recorded))) return recorded;
  const port = await freePort();
  if (recorded !== undefined) say(`port ${recorded} is in use by another program: Redis moves to ${port}`);
  return port;
}

/** Waits until the append-only file is loaded, however long that takes while the process lives and says so. */
async function serving(server: ServerProcess, url: string, logFile: string, say: Say): Promise<void> {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
  });
  let problem = '';
  client.on('error', (error) => (problem = messageOf(error)));
  const started = performance.now();
  let told = 0;
  try {
    for (;;) {
      if (server.hasEnded()) throw new Error(`Redis ended (${await server.ended}); its log:\n${lastLines(logFile)}`);
      try {
        if (client.status !== 'ready') await client.connect();
        await client.ping();
        return;
      } catch (error) {
        problem = messageOf(error);
      }
      const waited = performance.now() - started;
      if (waited - told > 10_000) {
        told = waited;
        say(`waiting for Redis: ${problem}`);
      }
      await delay(30);
    }
  } finally {
    client.disconnect();
  }
}
