// What an operator must look at: counted always, logged and passed on once a minute for the same thing.
import type { Logger } from '#ops/runtime/log.ts';
import type { EnforcementMetrics } from './metrics.ts';
import type { Timer } from './timer.ts';

export type Alarm = {
  readonly reason: string;
  readonly about: string;
  readonly detail: Readonly<Record<string, unknown>>;
};

export type Alarms = { raise(reason: string, about: string, detail: Readonly<Record<string, unknown>>): void };

const silenceMs = 60_000;

export function createAlarms(options: {
  log: Logger;
  metrics: EnforcementMetrics;
  timer: Timer;
  onAlarm?: ((alarm: Alarm) => void) | undefined;
}): Alarms {
  const raised = new Map<string, number>();
  return {
    raise(reason, about, detail) {
      options.metrics.alarms.inc({ reason });
      const nowMs = options.timer.monotonicMs();
      for (const [key, atMs] of raised) if (nowMs - atMs >= silenceMs) raised.delete(key);
      const key = `${reason} ${about}`;
      if (raised.has(key)) return;
      raised.set(key, nowMs);
      options.log.warn({ reason, about, ...detail }, 'enforcement alarm');
      options.onAlarm?.({ reason, about, detail });
    },
  };
}
