// Shows what was received from each exporter: in Redis for control-api, which also discovers exporters by it, and as metrics.

import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { Counter, Gauge, type Registry } from '#ops/runtime/metrics.ts';
import { createRepeated } from '#ops/runtime/repeated.ts';
import { exporterCounts, publishExporterTraffic } from '#ops/stores/exporter-traffic.ts';
import type { RedisClient } from '#ops/stores/redis.ts';
import type { SenderTraffic } from './traffic.ts';

/** Strangers beyond these, by packets, are not published. */
const mostStrangers = 1000;
/** Series of metrics are kept few. */
const mostInMetrics = 256;

/** An exporter's datagrams may have come to several workers. */
export function mergeTraffic(lists: readonly (readonly SenderTraffic[])[]): SenderTraffic[] {
  const merged = new Map<string, SenderTraffic>();
  for (const one of lists.flat()) {
    const other = merged.get(one.address);
    merged.set(one.address, other ? sum(one, other) : one);
  }
  return [...merged.values()].sort((a, b) => b.packets - a.packets);
}

export type PublisherOptions = {
  redis: () => RedisClient | undefined;
  node: string;
  traffic(): readonly SenderTraffic[];
  nowMs(): number;
  log: Logger;
  everyMs?: number;
};

export function createPublisher({ redis, node, traffic, nowMs, log, everyMs = 5000 }: PublisherOptions): Part {
  const problem = 'the traffic of exporters cannot be published';
  return createRepeated({ name: 'traffic of exporters', everyMs, log, problem }, async () => {
    const client = redis();
    if (!client) return;
    const all = traffic();
    const known = all.filter(({ exporterId }) => exporterId !== 0);
    const strangers = all.filter(({ exporterId }) => exporterId === 0).slice(0, mostStrangers);
    await publishExporterTraffic(client, node, [...known, ...strangers], nowMs());
  });
}

/** Of exporters of tenants; those with most packets when there are many. */
export function registerTrafficMetrics(registry: Registry, traffic: () => readonly SenderTraffic[]): void {
  const registers = [registry];
  const labelNames = ['exporter'] as const;
  const owned = () => traffic().filter(({ tenantId }) => tenantId !== 0);
  new Gauge({
    name: 'lastmile_flow_exporters',
    help: 'Exporters of tenants that have sent flows since the start',
    registers,
    collect() {
      this.set(owned().length);
    },
  });
  const series = {
    packets: 'Datagrams of an exporter',
    records: 'Flows of an exporter',
    lost: 'Missing of an exporter by sequence number: flows of version 5, datagrams of version 9',
  };
  for (const [name, help] of Object.entries(series)) {
    new Counter({
      name: `lastmile_flow_exporter_${name}_total`,
      help,
      labelNames,
      registers,
      collect() {
        const shown = owned().slice(0, mostInMetrics);
        this.reset();
        for (const one of shown) this.inc({ exporter: one.address }, one[name as keyof typeof series]);
      },
    });
  }
  new Gauge({
    name: 'lastmile_flow_exporter_last_seen_seconds',
    help: 'When an exporter was last heard, seconds since 1970',
    labelNames,
    registers,
    collect() {
      const shown = owned().slice(0, mostInMetrics);
      this.reset();
      for (const { address, lastSeenMs } of shown) this.set({ exporter: address }, lastSeenMs / 1000);
    },
  });
}

function sum(one: SenderTraffic, other: SenderTraffic): SenderTraffic {
  const counts = Object.fromEntries(exporterCounts.map((name) => [name, one[name] + other[name]]));
  return {
    ...one,
    ...counts,
    lastSeenMs: Math.max(one.lastSeenMs, other.lastSeenMs),
    countedSinceMs: Math.min(one.countedSinceMs, other.countedSinceMs),
  };
}
