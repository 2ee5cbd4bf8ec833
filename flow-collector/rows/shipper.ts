// Brings the batches of the workers to ClickHouse: each is on disk with its token before the first try, and is tried until it arrived.
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { type BatchStore, createDrain, type Drain } from '#ops/spool/drain.ts';
import { openSpool, type Spool } from '#ops/spool/spool.ts';
import { type Counters, counterPlaces, type RowDrop } from '../counters.ts';
import type { RowBatch } from './batches.ts';
import type { RowMetrics } from './metrics.ts';
import { insertFlows, rowBytes } from './row.ts';

export type ShipperOptions = {
  folder: string;
  /** Without one no flows are kept. */
  store: BatchStore | undefined;
  /** So many bytes may wait on disk. */
  limitBytes: number;
  counters: Counters;
  metrics: Pick<RowMetrics, 'written' | 'insertSeconds' | 'failures' | 'alarms'>;
  log: Logger;
};

export type Shipper = Part & {
  /** `settled` is called when the batch is on disk, or dropped and counted: the sender may use its buffer again. */
  take(batch: RowBatch, settled: () => void): void;
  spool(): Spool | undefined;
  /** Why ClickHouse takes no rows at present; null while it does. */
  trouble(): string | null;
};

/** Below this share of the limit the disk takes rows again. */
const calmShare = 0.95;

export function createShipper(options: ShipperOptions): Shipper {
  const { folder, store, limitBytes, counters, metrics, log } = options;
  let spool: Spool | undefined;
  let drain: Drain | undefined;
  /** Bytes on their way to the disk. */
  let writing = 0;
  let full = false;
  let refusing = false;
  const writes = new Set<Promise<void>>();

  function drop(reason: RowDrop, rows: number): void {
    counters.add(counterPlaces.offset('rowsDropped', reason), rows);
  }

  function hasRoom(into: Spool, bytes: number): boolean {
    const used = into.bytes() + writing;
    const fits = used + bytes <= (full ? calmShare * limitBytes : limitBytes);
    if (!fits && !full) {
      metrics.alarms.inc({ reason: 'spool_full' });
      log.error(
        { bytes: used, limitBytes },
        'FLOW_SPOOL_BYTES wait on disk: flows are dropped until ClickHouse is back',
      );
    }
    if (fits && full) log.info('flows are kept again');
    full = !fits;
    return fits;
  }

  async function keep(into: Spool, { name, buffer, rows, oldestMs }: RowBatch): Promise<void> {
    const body = Buffer.from(buffer, 0, rows * rowBytes);
    const facts = { token: name, into: insertFlows, rows, oldestMs, encoding: 'identity' as const };
    writing += body.length;
    try {
      const stored = await into.add({ ...facts, receipt: Buffer.alloc(0), body });
      drain?.offer(stored);
      refusing = false;
    } catch (error) {
      drop('disk_refuses', rows);
      metrics.alarms.inc({ reason: 'disk_refuses' });
      if (!refusing) log.error({ err: error, folder }, 'flows cannot be written to disk: they are dropped');
      refusing = true;
    } finally {
      writing -= body.length;
    }
  }

  async function timed(insert: () => Promise<void>): Promise<void> {
    const from = performance.now();
    await insert();
    metrics.insertSeconds.observe((performance.now() - from) / 1000);
  }

  return {
    name: 'flows to clickhouse',
    spool: () => spool,
    trouble: () => drain?.trouble() ?? null,
    take(batch, settled) {
      const { rows } = batch;
      if (!spool || !drain) {
        drop('no_clickhouse', rows);
        return settled();
      }
      if (!hasRoom(spool, rows * rowBytes)) {
        drop('spool_full', rows);
        return settled();
      }
      const write = keep(spool, batch).then(settled);
      writes.add(write);
      void write.finally(() => writes.delete(write));
    },
    async start() {
      if (!store) return log.warn('CLICKHOUSE_URL is empty: flows are counted, and not stored');
      // What is in memory when the process is killed is lost anyway: waiting for the disk would save a second of flows at most.
      spool = await openSpool(
        folder,
        (error) => log.error({ err: error }, 'a batch of flows cannot be read: it was put aside'),
        'process',
      );
      drain = createDrain({
        spool,
        store: { ...store, insert: (batch, signal) => timed(() => store.insert(batch, signal)) },
        log,
        onInserted: ({ rows }) => metrics.written.inc(rows),
        onFailure: (error) => metrics.failures.inc({ error }),
        onRefused({ file, rows }, error) {
          drop('refused', rows);
          metrics.alarms.inc({ reason: 'batch_refused' });
          log.error({ err: error, file, rows }, 'ClickHouse refuses a batch of flows: it was put aside');
        },
      });
      for (const batch of spool.batches()) drain.offer(batch);
      drain.start();
    },
    async stop() {
      await Promise.all(writes);
      await drain?.stop();
      spool?.close();
      spool = undefined;
      drain = undefined;
    },
  };
}
