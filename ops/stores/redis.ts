// Redis clients for a single server or a cluster, and the check that a server is fit to hold the ledger.
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import type { ReadyCheck } from '#ops/runtime/admin.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import { sendTogether } from './redis-together.ts';

export type RedisClient = Redis | Cluster;

export type ConnectRedisOptions = {
  /** One URL, or several of one cluster, comma-separated. */
  url: string;
  /** Shown in CLIENT LIST. */
  name: string;
  /** A command without a reply after this long fails; it may still have run. Default 2000; 0 for blocking reads. */
  commandTimeoutMs?: number;
  /** Ends the attempts; the promise rejects. */
  signal?: AbortSignal;
  /** Each failed attempt and each later connection problem, one sentence. */
  onProblem?: (problem: string) => void;
};

const leaveEveryMs = 200;

/**
 * Connects to whatever answers at the URL, single server or cluster, trying until it does. Afterwards the client reconnects by itself.
 * While it is away commands fail at once: nothing is queued, and nothing is sent twice behind the caller's back.
 * For blocking reads take a client of their own with `commandTimeoutMs: 0`.
 */
export async function connectRedis(options: ConnectRedisOptions): Promise<RedisClient> {
  const urls = options.url.split(',').map((url) => url.trim());
  const report = (problem: string) => options.onProblem?.(problem);
  for (let attempt = 0; ; attempt++) {
    options.signal?.throwIfAborted();
    const url = urls[attempt % urls.length] ?? options.url;
    try {
      return await connectOnce(url, urls, options, report);
    } catch (error) {
      report(messageOf(error));
      await delay(Math.min(1000, 50 * 2 ** attempt), undefined, {
        ...(options.signal ? { signal: options.signal } : {}),
      });
    }
  }
}

export function redisReady(client: () => RedisClient | undefined): ReadyCheck {
  return {
    name: 'redis',
    check: () => {
      const connected = client();
      return connected ? redisProblem(connected) : 'Redis does not answer: no connection yet';
    },
  };
}

/** @returns why this server (every primary of a cluster) must not be used, with the remedy, or null. */
export async function redisProblem(client: RedisClient): Promise<string | null> {
  try {
    const nodes = client instanceof Cluster ? client.nodes('master') : [client];
    if (nodes.length === 0) return 'Redis does not answer: no primary is known';
    const problems = await Promise.all(nodes.map(nodeProblem));
    return problems.find((problem) => problem !== null) ?? null;
  } catch (error) {
    return `Redis does not answer: ${messageOf(error)}`;
  }
}

async function nodeProblem(node: Redis): Promise<string | null> {
  const info = await node.info();
  const version = field(info, 'valkey_version') ?? field(info, 'redis_version') ?? '0';
  if (Number(version.split('.')[0]) < 7) return `Redis ${version} is too old: 7.0 or newer is needed`;
  if (field(info, 'aof_enabled') !== '1') return 'Redis may lose acknowledged records: set appendonly yes';
  const wanted = { appendfsync: 'always', 'maxmemory-policy': 'noeviction' };
  for (const [name, value] of Object.entries(wanted)) {
    const reply = (await node.config('GET', name)) as string[];
    if (reply[1] !== value) return `Redis may lose acknowledged records: set ${name} ${value} (it is ${reply[1]})`;
  }
  if (field(info, 'aof_last_write_status') === 'err')
    return 'Redis cannot write its append-only file: look at its disk';
  return null;
}

function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
}

async function connectOnce(
  url: string,
  urls: readonly string[],
  { name, commandTimeoutMs = 2000 }: ConnectRedisOptions,
  report: (problem: string) => void,
): Promise<RedisClient> {
  const common = {
    connectionName: name,
    connectTimeout: 2000,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    reconnectOnError: createLeavingReplica(),
    ...(commandTimeoutMs > 0 ? { commandTimeout: commandTimeoutMs } : {}),
  };
  const backoff = (times: number) => Math.min(1000, 50 * 2 ** Math.min(times, 5));
  const single = sendTogether(
    new Redis(url, { ...common, enableOfflineQueue: false, retryStrategy: backoff, lazyConnect: true }),
  );
  try {
    await ready(single);
    if (!/^cluster_enabled:1/m.test(await single.info('cluster'))) return reporting(single, report);
  } catch (error) {
    single.disconnect();
    throw error;
  }
  const { username, password, tls } = single.options;
  single.disconnect();
  const identity = { ...(username ? { username } : {}), ...(password ? { password } : {}), ...(tls ? { tls } : {}) };
  const clusterOptions = {
    clusterRetryStrategy: backoff,
    slotsRefreshTimeout: 2000,
    // A pipeline that meets several moved slots does not refresh the table by itself: without this it would fail for ever.
    slotsRefreshInterval: 1000,
    enableAutoPipelining: commandTimeoutMs > 0,
    enableOfflineQueue: false,
    lazyConnect: true,
    redisOptions: { ...common, ...identity },
  };
  const cluster = new Cluster([...urls], clusterOptions);
  try {
    await ready(cluster);
    return reporting(cluster, report);
  } catch (error) {
    cluster.disconnect();
    throw error;
  }
}

/**
 * A demoted primary is left: the next connection finds the new one. It refuses every command that is under way, and each that says to
 * leave closes the connection once more: one of them does.
 */
function createLeavingReplica(): (error: Error) => boolean {
  let leftAtMs = Number.NEGATIVE_INFINITY;
  return ({ message }) => {
    const nowMs = performance.now();
    if (!message.startsWith('READONLY') || nowMs - leftAtMs < leaveEveryMs) return false;
    leftAtMs = nowMs;
    return true;
  };
}

/** `connect()` alone would wait through every retry and hide the cause; the caller wants the first failure. */
async function ready(client: RedisClient): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const failed = new Promise<never>((_, reject) => {
    client.on('error', reject);
    timer = setTimeout(() => reject(new Error('no connection within 5 s')), 5000);
  });
  try {
    await Promise.race([failed, client.connect()]);
  } finally {
    clearTimeout(timer);
  }
}

function reporting<T extends RedisClient>(client: T, report: (problem: string) => void): T {
  client.on('error', (error) => report(messageOf(error)));
  return client;
}
