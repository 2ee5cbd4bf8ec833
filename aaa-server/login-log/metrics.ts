// What the auth log wrote, and what it did not.
import { Counter, Gauge, type Registry } from '#ops/runtime/metrics.ts';

export type LoginLogMetrics = ReturnType<typeof createLoginLogMetrics>;

/** Why rows that were made never got there. */
export const loginLogDrops = ['memory_full', 'refused', 'stopped'] as const;

export function createLoginLogMetrics(registry: Registry, waitingRows: () => number) {
  const registers = [registry];
  const leftOut = new Counter({
    name: 'lastmile_login_log_left_out_total',
    help: 'Logins that were too many of their second for the auth log, by result; rejects are in it as a number',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['accept', 'reject']) leftOut.inc({ result }, 0);
  const dropped = new Counter({
    name: 'lastmile_login_log_dropped_total',
    help: 'Rows of the auth log that did not get into ClickHouse, by reason',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of loginLogDrops) dropped.inc({ reason }, 0);
  new Gauge({
    name: 'lastmile_login_log_waiting_rows',
    help: 'Rows of the auth log that wait in memory for ClickHouse',
    registers,
    collect() {
      this.set(waitingRows());
    },
  });
  return {
    leftOut,
    dropped,
    written: new Counter({
      name: 'lastmile_login_log_rows_total',
      help: 'Rows of the auth log that ClickHouse has taken',
      registers,
    }),
  };
}
