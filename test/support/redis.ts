// A redis-server of a test: append-only file with fsync always in a temporary folder, killed and started at will.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { onExit } from './exit.ts';
import { until } from './wait.ts';

export type TestRedis = {
  url: string;
  port: number;
  /** Holds appendonlydir; copy it while stopped to keep an older state. */
  dir: string;
  kill9(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** The servers of a cluster, this one first; of a single server only itself. */
  nodes: readonly TestRedis[];
};

export type TestRedisOptions = {
  /** A cluster of three primaries; `url` is one of them. */
  cluster?: boolean;
  /** Further lines of its configuration, e.g. { maxmemory: '2mb' }. */
  config?: Readonly<Record<string, string>>;
};

type Teardown = { teardown(handler: () => unknown): unknown };

export async function redisForTest(t: Teardown, options: TestRedisOptions = {}): Promise<TestRedis> {
  const nodes: TestRedis[] = [];
  for (let node = 0; node < (options.cluster ? 3 : 1); node++) nodes.push(await startNode(t, options, nodes));
  if (options.cluster) await joinCluster(nodes);
  return nodes[0]!;
}

async function startNode(t: Teardown, options: TestRedisOptions, nodes: readonly TestRedis[]): Promise<TestRedis> {
  const dir = mkdtempSync(path.join(tmpdir(), 'lastmile-redis-'));
  const port = await freePort();
  const config = {
    bind: '127.0.0.1',
    port: String(port),
    dir,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
    ...(options.cluster
      ? { 'cluster-enabled': 'yes', 'cluster-port': String(await freePort()), 'cluster-node-timeout': '2000' }
      : {}),
    ...options.config,
  };
  const args = Object.entries(config).flatMap(([name, value]) => [`--${name}`, value]);
  let server: ChildProcess | undefined;

  const end = async (signal: NodeJS.Signals) => {
    const running = server;
    server = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const exited = new Promise((resolve) => running.once('exit', resolve));
    running.kill(signal);
    await exited;
  };
  const node: TestRedis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    nodes,
    kill9: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    start: async () => {
      if (server) return;
      const started = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'] });
      server = started;
      let printed = '';
      for (const stream of [started.stdout, started.stderr]) {
        stream.on('data', (chunk) => {
          printed = `${printed}${chunk}`.slice(-4000);
        });
      }
      await until(
        () => answersPing(port),
        () => `redis-server answers on port ${port}:\n${printed}`,
        10_000,
      );
    },
  };
  const forget = onExit(() => {
    server?.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });
  t.teardown(async () => {
    await node.kill9();
    forget();
    rmSync(dir, { recursive: true, force: true });
  });
  await node.start();
  return node;
}

async function joinCluster(nodes: readonly TestRedis[]): Promise<void> {
  const clients = nodes.map(({ port }) => new Redis({ port, host: '127.0.0.1' }));
  try {
    const share = Math.ceil(16384 / nodes.length);
    for (const [index, client] of clients.entries()) {
      await client.call('CLUSTER', 'ADDSLOTSRANGE', index * share, Math.min(16383, (index + 1) * share - 1));
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    }
    for (const client of clients.slice(1)) {
      const [first] = nodes;
      const bus = ((await clients[0]!.config('GET', 'cluster-port')) as string[])[1]!;
      await client.call('CLUSTER', 'MEET', '127.0.0.1', first!.port, bus);
    }
    await until(
      async () => {
        const states = await Promise.all(clients.map((client) => client.cluster('INFO')));
        return states.every((info) => /cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info));
      },
      'the cluster of three primaries is up',
      15_000,
    );
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function answersPing(port: number): Promise<boolean> {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } finally {
    client.disconnect();
  }
}
