// What happens to flows on their way to ClickHouse.
import { Counter, Gauge, Histogram, type Registry } from '#ops/runtime/metrics.ts';
import type { Spool } from '#ops/spool/spool.ts';

export type RowMetrics = ReturnType<typeof createRowMetrics>;

export function createRowMetrics(registry: Registry, spool: () => Spool | undefined, nowMs: () => number) {
  const registers = [registry];
  new Gauge({
    name: 'lastmile_flow_spool_bytes',
    help: 'Bytes of flows that wait on disk for ClickHouse',
    registers,
    collect() {
      this.set(spool()?.bytes() ?? 0);
    },
  });
  new Gauge({
    name: 'lastmile_flow_spool_oldest_seconds',
    help: 'Age of the oldest flow that waits on disk for ClickHouse',
    registers,
    collect() {
      const oldestMs = spool()?.oldestMs();
      this.set(oldestMs === undefined ? 0 : Math.max(0, nowMs() - oldestMs) / 1000);
    },
  });
  return {
    written: new Counter({
      name: 'lastmile_flow_rows_written_total',
      help: 'Flows that ClickHouse has taken',
      registers,
    }),
    insertSeconds: new Histogram({
      name: 'lastmile_flow_insert_seconds',
      help: 'Time a batch of flows takes ClickHouse',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    failures: new Counter({
      name: 'lastmile_flow_insert_failures_total',
      help: 'Inserts that failed and are repeated, by error',
      labelNames: ['error'],
      registers,
    }),
    alarms: new Counter({
      name: 'lastmile_flow_alarms_total',
      help: 'Things an operator must look at, by reason',
      labelNames: ['reason'],
      registers,
    }),
  };
}
