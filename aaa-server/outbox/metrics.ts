// What the shipper of the outbox counts.
import { Counter, Gauge, type Registry } from '#ops/runtime/metrics.ts';

export type OutboxMetrics = ReturnType<typeof createOutboxMetrics>;

/** What is only known when asked; undefined while Redis or the disk is away. */
export type OutboxState = {
  spoolBytes(): number;
  rejectedBatches(): number;
  /** Instant of the oldest row that is not in ClickHouse. */
  oldestMs(): Promise<number | undefined>;
  streamEntries(): Promise<number | undefined>;
  nowMs(): number;
};

export function createOutboxMetrics(registry: Registry, state: OutboxState) {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter<T>({ name: `lastmile_outbox_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, read: () => Promise<number | undefined> | number) =>
    new Gauge({
      name: `lastmile_outbox_${name}`,
      help,
      registers,
      async collect() {
        const value = await read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });

  gauge('spool_bytes', 'Bytes on disk that wait for ClickHouse', () => state.spoolBytes());
  gauge('rejected_batches', 'Batches that ClickHouse refused, in outbox/rejected', () => state.rejectedBatches());
  gauge('stream_entries', 'Entries of the ledger that are on no disk of a shipper yet', () => state.streamEntries());
  gauge('oldest_seconds', 'Age of the oldest row that is not in ClickHouse', async () => {
    const oldestMs = await state.oldestMs();
    return oldestMs === undefined ? 0 : Math.max(0, state.nowMs() - oldestMs) / 1000;
  });
  return {
    shipped: counter('entries_shipped_total', 'Rows that ClickHouse has taken'),
    failures: counter('insert_failures_total', 'Inserts that failed and are repeated, by error', ['error']),
    alarms: counter('alarms_total', 'Things an operator must look at, by reason', ['reason']),
  };
}
