// What an operator must look at in the outbox: each is counted when it begins and told once until it is over, or after an hour again.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { OutboxMetrics } from './metrics.ts';

const sentences = {
  no_clickhouse: 'CLICKHOUSE_URL is empty: usage history is not shipped, it waits on disk up to OUTBOX_SPOOL_BYTES',
  spool_full: 'OUTBOX_SPOOL_BYTES wait on disk: usage history now stays in Redis; bring ClickHouse back',
  redis_filling: 'usage history that cannot go to disk fills Redis: bring ClickHouse back before it refuses writes',
  disk_refuses: 'usage history cannot be written to disk: it stays in Redis',
  batch_refused: 'ClickHouse refuses a batch of usage history: it was put aside, look into outbox/rejected',
  batch_unreadable: 'a batch of usage history cannot be read: it was put aside, look into outbox/rejected',
  entry_unreadable: 'entries of the outbox cannot be read: they stay in Redis for a newer version of aaa-server',
} as const;

export type OutboxAlarm = keyof typeof sentences;

export type Alarms = {
  raise(reason: OutboxAlarm, fields: Readonly<Record<string, unknown>>): void;
  clear(reason: OutboxAlarm): void;
};

const againMs = 3_600_000;
/** These are about a thing of its own each time. */
const everyTime: readonly OutboxAlarm[] = ['batch_refused', 'batch_unreadable'];

export function createOutboxAlarms(deps: {
  metrics: Pick<OutboxMetrics, 'alarms'>;
  log: Logger;
  clock: Clock;
}): Alarms {
  const raised = new Map<OutboxAlarm, number>();
  return {
    raise(reason, fields) {
      const nowMs = deps.clock.monotonicMs();
      const atMs = raised.get(reason);
      if (atMs !== undefined && nowMs - atMs < againMs && !everyTime.includes(reason)) return;
      raised.set(reason, nowMs);
      deps.metrics.alarms.inc({ reason });
      deps.log.error(fields, sentences[reason]);
    },
    clear: (reason) => raised.delete(reason),
  };
}
