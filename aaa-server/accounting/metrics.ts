// What accounting counts: records kept and refused, groups on disk, lanes, what the ledger answered, the backlog.
import { Counter, Gauge, Histogram, type Registry } from '#ops/runtime/metrics.ts';

export type AccountingMetrics = ReturnType<typeof createAccountingMetrics>;

export function createAccountingMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter<T>({ name: `lastmile_${name}`, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge<T>({ name: `lastmile_${name}`, help, labelNames, registers });
  const seconds = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5];
  const histogram = (name: string, help: string) =>
    new Histogram({ name: `lastmile_${name}`, help, buckets: seconds, registers });

  return {
    appended: counter('accounting_appended_total', 'Accounting records on disk and answered'),
    refused: counter('accounting_refused_total', 'Accounting records not kept and not answered, by reason', ['reason']),
    commit: histogram('accounting_commit_seconds', 'From the append of a record to the end of its fdatasync'),
    results: counter('accounting_results_total', 'What the ledger answered to a record', ['result']),
    flags: counter('accounting_flags_total', 'Peculiarities the ledger noted on a record', ['flag']),
    failures: counter('accounting_failures_total', 'Calls of the ledger that failed and are repeated, by error', [
      'error',
    ]),
    rewinds: counter('accounting_rewinds_total', 'Lanes set back to what the ledger has, by reason', ['reason']),
    paused: gauge('accounting_paused', '1 while the ledger is away and records only go to disk', ['wal']),
    stoppedLanes: gauge('accounting_stopped_lanes', 'Lanes that wait at a record the ledger did not take', ['wal']),
    backlog: gauge('accounting_backlog_bytes', 'Bytes of the log that are not counted yet', ['wal']),
    damaged: counter('accounting_damaged_total', 'Places of the log that could not be read, by kind', ['kind']),
    alarms: counter('accounting_alarms_total', 'Things an operator must look at, by reason', ['reason']),
    diskUsed: gauge('accounting_disk_used_ratio', 'Used share of the file system that holds the log'),
  };
}
