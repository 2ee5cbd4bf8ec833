// What a log and its lanes count: records kept and refused, groups on disk, what the ledger answered, the backlog.
import { Counter, Gauge, Histogram, type Registry } from '#ops/runtime/metrics.ts';
import type { ApplyResult } from '#policy/ledger/types.ts';

const answers = ['applied', 'duplicate', 'gap', 'need_windows', 'quarantined'] as const satisfies ApplyResult['kind'][];

const alarmReasons = ['wal_damaged', 'wal_behind_ledger', 'ledger_older_than_wal', 'lane_stopped', 'disk_filling'];

export type LogMetrics = ReturnType<typeof createLogMetrics>;

/** Every name begins with `lastmile_<subject>_`, e.g. accounting. */
export function createLogMetrics(registry: Registry, subject: string) {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter<T>({ name: `lastmile_${subject}_${name}`, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge<T>({ name: `lastmile_${subject}_${name}`, help, labelNames, registers });
  const seconds = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5];
  const histogram = (name: string, help: string) =>
    new Histogram({ name: `lastmile_${subject}_${name}`, help, buckets: seconds, registers });

  const results = counter('results_total', 'What the ledger answered to a record', ['result']);
  // A series that begins with its first event hides it from a rate.
  for (const result of answers) results.inc({ result }, 0);
  const alarms = counter('alarms_total', 'Things an operator must look at, by reason', ['reason']);
  for (const reason of alarmReasons) alarms.inc({ reason }, 0);

  return {
    appended: counter('appended_total', 'Records on disk, and acknowledged where their sender waits for it'),
    refused: counter('refused_total', 'Records not kept and not acknowledged, by reason', ['reason']),
    commit: histogram(
      'commit_seconds',
      'From the append of the first of a group of records to the end of their fdatasync',
    ),
    results,
    flags: counter('flags_total', 'Peculiarities the ledger noted on a record', ['flag']),
    failures: counter('failures_total', 'Calls of the ledger that failed and are repeated, by error', ['error']),
    rewinds: counter('rewinds_total', 'Lanes set back to what the ledger has, by reason', ['reason']),
    paused: gauge('paused', '1 while the ledger is away and records only go to disk', ['wal']),
    stoppedLanes: gauge('stopped_lanes', 'Lanes that wait at a record the ledger did not take', ['wal']),
    backlog: gauge('backlog_bytes', 'Bytes of the log that are not counted yet', ['wal']),
    damaged: counter('damaged_total', 'Places of the log that could not be read, by kind', ['kind']),
    alarms,
    diskUsed: gauge('disk_used_ratio', 'Used share of the file system that holds the log'),
  };
}
