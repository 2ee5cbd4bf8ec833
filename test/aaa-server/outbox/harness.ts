// A ledger whose outbox fills, a ClickHouse, and shippers between them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { createOutboxAlarms } from '#aaa-server/outbox/alarms.ts';
import { everyPartition, gather } from '#aaa-server/outbox/gather.ts';
import { createOutboxMetrics } from '#aaa-server/outbox/metrics.ts';
import { insertAccounting } from '#aaa-server/outbox/row.ts';
import { createShipper, type ShipperOptions } from '#aaa-server/outbox/shipper.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { createRegistry } from '#ops/runtime/metrics.ts';
import { createClickHouseStore } from '#ops/spool/clickhouse-store.ts';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import { connectRedis, type RedisClient } from '#ops/stores/redis.ts';
import { keys } from '#policy/ledger/keys.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { createOutbox } from '#policy/ledger/outbox.ts';
import { decodeEntry } from '#policy/ledger/outbox-entry.ts';
import { createShippers } from '#policy/ledger/shippers.ts';
import { plainCalls, recordOf } from '../accounting/records.ts';

type Test = { teardown(handler: () => unknown): unknown };

export function folderForTest(t: Test): string {
  const root = mkdtempSync(path.join(tmpdir(), 'lastmile-outbox-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

export async function redisClient(t: Test, url: string): Promise<RedisClient> {
  const client = await connectRedis({ url, name: 'test', commandTimeoutMs: 10_000 });
  t.teardown(() => client.disconnect());
  return client;
}

/** Applies interims of ever growing sessions; `walId` tells the tests apart. */
export async function createSource(redis: RedisClient, walId: string, subscriptions = 40) {
  const ledger = createLedger(redis);
  await ledger.load();
  const lanes = new Map<number, number>();
  const totals = new Map<number, number>();
  let position = 0;
  return {
    ledger,
    /** Records applied so far. */
    count: () => position,
    totals,
    /** Wave after wave, one record of each subscriber: those of a partition that come at once share an entry. */
    async apply(records: number): Promise<void> {
      for (let left = records; left > 0; left -= subscriptions) await applyAtOnce(Math.min(left, subscriptions));
    },
  };

  async function applyAtOnce(records: number): Promise<void> {
    const calls = Array.from({ length: records }, () => {
      const id = 1 + (position % subscriptions);
      position++;
      const total = (totals.get(id) ?? 0) + 1000 + position;
      totals.set(id, total);
      const nowMs = Date.now();
      const record = recordOf(id, {
        ...{
          sessionId: `${walId}-${id}`,
          upOctets: total,
          sessionTimeS: null,
          eventAtMs: nowMs,
          receivedAtMs: nowMs,
        },
        classUuid: Buffer.from(`${walId}${id}`).toString('hex').padStart(32, '0').slice(-32),
      });
      const previous = lanes.get(record.partition) ?? 0;
      lanes.set(record.partition, position);
      return ledger.apply(plainCalls.make({ walId, previous, position, generation: 1 }, record));
    });
    const wrong = (await Promise.all(calls)).filter(({ kind }) => kind !== 'applied');
    if (wrong.length > 0) throw new Error(`not applied: ${JSON.stringify(wrong[0])}`);
  }
}

export type Source = Awaited<ReturnType<typeof createSource>>;

type Changes = Partial<Omit<ShipperOptions, 'metrics' | 'alarms' | 'log'>>;

/** Not started. */
export function shipperFor(
  redis: RedisClient,
  clickhouse: ClickHouseClient | undefined,
  folder: string,
  changes: Changes = {},
) {
  const { node = 'node-a' } = changes;
  const registry = createRegistry('test');
  const metrics = createOutboxMetrics(registry, {
    ...{ spoolBytes: () => 0, rejectedBatches: () => 0, nowMs: () => Date.now() },
    ...{ oldestMs: async () => undefined, streamEntries: async () => undefined },
  });
  const log = createLogger('test', process.env.TEST_LOG ?? 'silent');
  const shipper = createShipper({
    ...{
      redis,
      outbox: createOutbox(redis, node),
      shippers: createShippers(redis, node, 3000),
      node,
      folder,
      limitBytes: 2 ** 30,
      everyMs: 20,
      log,
    },
    ...{ store: clickhouse && createClickHouseStore(clickhouse), metrics },
    alarms: createOutboxAlarms({ metrics, log, clock: systemClock }),
    ...changes,
  });
  return { shipper, metrics, registry };
}

/** Rows of the WAL: all there are, those that count, and their bytes. */
export async function rowsOf(clickhouse: ClickHouseClient, walId: string) {
  const result = await clickhouse.query({
    query: `SELECT (SELECT count() FROM accounting WHERE wal = {wal:String}) AS all, count() AS once, sum(up_delta) AS bytes
      FROM accounting FINAL WHERE wal = {wal:String}`,
    query_params: { wal: walId },
    format: 'JSONEachRow',
  });
  const [row] = await result.json<{ all: string; once: string; bytes: string }>();
  return { all: Number(row?.all), once: Number(row?.once), bytes: Number(row?.bytes) };
}

/** Rows that no shipper has taken out of Redis yet. */
export async function rowsInStreams(redis: RedisClient): Promise<number> {
  const rows = everyPartition.map(async (partition) => {
    const entries = await redis.xrangeBuffer(keys.accounted(partition), '-', '+');
    return entries.flatMap(([id, fields]) => decodeEntry(String(id), partition, fields[1]) ?? []).length;
  });
  return (await Promise.all(rows)).reduce((sum, count) => sum + count, 0);
}

export function sumOf(totals: ReadonlyMap<number, number>): number {
  return [...totals.values()].reduce((sum, total) => sum + total, 0);
}

/** Everything in the outbox into ClickHouse, as the shipper writes it. */
export async function shipAll(redis: RedisClient, clickhouse: ClickHouseClient): Promise<void> {
  const outbox = createOutbox(redis, 'test');
  const { rows, body, receipt, failures } = await gather(everyPartition, outbox.read, 1e6, () => false);
  if (failures.length > 0) throw failures[0];
  if (rows === 0) return;
  const { stream } = await clickhouse.exec({
    query: insertAccounting,
    values: Readable.from([body]),
    http_headers: { 'Content-Encoding': 'gzip' },
  });
  for await (const _ of stream);
  for (const [partition, ids] of receipt) await outbox.done(partition, ids);
}
