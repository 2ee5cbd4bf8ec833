// Lastmile's flow-collector as a collector under test, beside the stack whose subscribers are online: alone, or with ClickHouse behind it.
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { createClickHouse } from '#ops/stores/clickhouse.ts';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { roleUrl } from '#ops/stores/urls.ts';
import { until } from '#test/support/wait.ts';
import type { Collected, FlowCollector } from '../flow/collector.ts';
import type { Placement } from '../machine/placement.ts';
import { udpState } from '../machine/udp-drops.ts';
import { type LastmileTarget, profiling } from './lastmile.ts';
import { type Metrics, readMetrics } from './metrics.ts';

export type FlowCollectorOptions = {
  readonly folder: string;
  readonly workers: number;
  readonly placement: Placement;
  readonly clickhouse: boolean;
  readonly receiveBufferBytes: number;
  /** As of `createLastmile`. */
  readonly profiles: string;
  /** Subscribers online: the collector must know all of their addresses. */
  readonly addresses: number;
};

const root = path.resolve(import.meta.dirname, '../..');
/** Usage is cut every second: what has not changed for longer will not change any more. */
const settledMs = 2500;

export async function startFlowCollector(
  target: LastmileTarget,
  options: FlowCollectorOptions,
): Promise<FlowCollector> {
  const { stores } = target;
  const [port, adminPort] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, ['ops/run.mjs', 'flow-collector/main.ts'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LASTMILE_DATA_DIR: mkdtempSync(path.join(options.folder, 'flow-collector-')),
      FEED_DATABASE_URL: roleUrl(stores.databaseUrl, 'lastmile_feed', createKeyring(stores.secretKeys)),
      REDIS_URL: stores.redisUrl,
      CLICKHOUSE_URL: options.clickhouse ? stores.clickhouseUrl : '',
      NETFLOW_PORT: String(port),
      FLOW_ADMIN_PORT: String(adminPort),
      FLOW_WORKERS: String(options.workers),
      FLOW_RECEIVE_BUFFER_BYTES: String(options.receiveBufferBytes),
      ...profiling(options.profiles),
      UV_THREADPOOL_SIZE: String(options.workers + 8),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      printed = `${printed}${chunk}`.slice(-10_000);
    });
  }
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const metrics = () => readMetrics(adminUrl);
  const output = () => `flow-collector printed:\n${printed}`;
  await until(
    async () => child.exitCode !== null || (await knows(adminUrl, options.addresses)),
    () => `flow-collector knows ${options.addresses} addresses; ${output()}`,
    120_000,
  );
  if (child.exitCode !== null) throw new Error(`flow-collector ended with ${child.exitCode}; ${output()}`);

  return {
    name: 'Lastmile',
    does: `attributes to subscribers, counts usage to disk${options.clickhouse ? ', stores each flow in ClickHouse' : ''}`,
    placement: options.placement,
    async begin() {
      const before = await metrics();
      const storedBefore = options.clickhouse ? await storedFlows(stores.clickhouseUrl) : 0;
      return {
        port,
        settled: () => settled(port, metrics, output),
        async end() {
          const now = difference(await metrics(), before);
          if (!options.clickhouse) return now;
          const stored = (await storedFlows(stores.clickhouseUrl)) - storedBefore;
          return { ...now, flows: Math.min(now.flows, stored) };
        },
      };
    },
    close: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

async function knows(adminUrl: string, addresses: number): Promise<boolean> {
  if (!(await fetch(`${adminUrl}/readyz`)).ok) return false;
  return (await readMetrics(adminUrl)).sum('lastmile_flow_addresses') >= addresses;
}

/** Attributed flows and the bytes that were put on disk for the ledger. */
function difference(now: Metrics, before: Metrics): Collected {
  const grown = (name: string, label = '') => now.sum(name, label) - before.sum(name, label);
  const lost = grown('lastmile_flow_unattributed_total') + grown('lastmile_flow_dropped_total', 'unknown_exporter');
  return {
    flows: grown('lastmile_flow_records_total') - lost,
    flowBytes: grown('lastmile_flow_usage_bytes_total'),
  };
}

async function settled(port: number, metrics: () => Promise<Metrics>, output: () => string): Promise<void> {
  const progress = ['records_total', 'usage_bytes_total', 'rows_written_total', 'usage_backlog_bytes', 'spool_bytes'];
  let last = '';
  let changedAt = 0;
  await until(
    async () => {
      const now = await metrics();
      const text = progress.map((name) => now.sum(`lastmile_flow_${name}`)).join(' ');
      if (text !== last) changedAt = performance.now();
      last = text;
      const rests = now.sum('lastmile_flow_spool_bytes') === 0 && now.sum('lastmile_flow_usage_backlog_bytes') === 0;
      return rests && udpState(port).waitingBytes === 0 && performance.now() - changedAt > settledMs;
    },
    () => `every flow is worked off (${progress.join(' ')}: ${last}); ${output()}`,
    300_000,
  );
}

async function storedFlows(url: string): Promise<number> {
  const client = createClickHouse(url, { name: 'bench' });
  try {
    const result = await client.query({ query: 'SELECT count() AS count FROM flows', format: 'JSONEachRow' });
    const [row] = await result.json<{ count: string }>();
    return Number(row?.count);
  } finally {
    await client.close();
  }
}
