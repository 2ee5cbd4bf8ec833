// The outbox as a part of aaa-server's main thread: its shipper, its metrics and what /readyz tells of it.
import path from 'node:path';
import type { ReadyCheck } from '#ops/runtime/admin.ts';
import { type Clock, systemClock } from '#ops/runtime/clock.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import { createClickHouseStore } from '#ops/spool/clickhouse-store.ts';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import type { DataFolder } from '#ops/stores/data-folder.ts';
import { onRedis } from '#ops/stores/on-redis.ts';
import type { RedisLink } from '#ops/stores/redis-link.ts';
import { entriesInStreams, oldestInStreams } from '#policy/ledger/history-lag.ts';
import { createOutbox } from '#policy/ledger/outbox.ts';
import { createShippers } from '#policy/ledger/shippers.ts';
import { createOutboxAlarms } from './alarms.ts';
import { createOutboxMetrics } from './metrics.ts';
import { createShipper, type Shipper } from './shipper.ts';

export type OutboxDeps = {
  folder: DataFolder;
  redis: RedisLink;
  /** Undefined when none is configured. */
  clickhouse: ClickHouseClient | undefined;
  limitBytes: number;
  registry: Registry;
  log: Logger;
  clock?: Clock;
  onFatal(error: unknown): void;
};

export type OutboxPart = Part & { readonly ready: ReadyCheck };

/** Where the batches lie. */
export function outboxFolder(dataFolder: string): string {
  return path.join(dataFolder, 'outbox');
}

export function createOutboxPart(deps: OutboxDeps): OutboxPart {
  const { folder, redis, clickhouse, limitBytes, registry, log, clock = systemClock } = deps;
  const store = clickhouse && createClickHouseStore(clickhouse);
  const spool = () => part.current()?.spool();
  const asked = async <T>(question: (client: NonNullable<ReturnType<RedisLink['current']>>) => Promise<T>) => {
    const client = redis.current();
    // A scrape while Redis is away has no such value.
    return client && question(client).catch(() => undefined);
  };
  const metrics = createOutboxMetrics(registry, {
    spoolBytes: () => spool()?.bytes() ?? 0,
    rejectedBatches: () => spool()?.rejected() ?? 0,
    streamEntries: () => asked(entriesInStreams),
    async oldestMs() {
      const instants = [await asked(oldestInStreams), spool()?.oldestMs()];
      return instants.reduce((oldest, ms) => (ms === undefined ? oldest : Math.min(oldest ?? ms, ms)), undefined);
    },
    nowMs: () => clock.nowMs(),
  });
  const alarms = createOutboxAlarms({ metrics, log, clock });
  const part = onRedis<Shipper>(
    'outbox',
    redis,
    (client) =>
      createShipper({
        ...{ redis: client, outbox: createOutbox(client, folder.uuid), node: folder.uuid },
        shippers: createShippers(client, folder.uuid),
        ...{ folder: outboxFolder(folder.path), store, limitBytes, metrics, alarms, log, clock },
      }),
    deps.onFatal,
  );
  return {
    ...part,
    async stop() {
      await part.stop();
      await clickhouse?.close();
    },
    ready: {
      name: 'usage history',
      advisory: true,
      check: () => {
        const shipper = part.current();
        return shipper ? shipper.trouble() : 'Redis has not answered yet';
      },
    },
  };
}
