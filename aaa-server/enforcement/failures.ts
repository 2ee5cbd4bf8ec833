// Work that failed and comes again: counted each time, logged once a minute for each step.
import type { EnforcementMetrics } from './metrics.ts';
import type { Timer } from './timer.ts';

export type Failures = (step: string, error: unknown, message: string) => void;

const silenceMs = 60_000;

export function createFailures(options: {
  log: { warn(fields: object, message: string): void };
  metrics: Pick<EnforcementMetrics, 'failures'>;
  timer: Pick<Timer, 'monotonicMs'>;
}): Failures {
  const loggedAtMs = new Map<string, number>();
  return (step, error, message) => {
    options.metrics.failures.inc({ step });
    const nowMs = options.timer.monotonicMs();
    if (nowMs - (loggedAtMs.get(step) ?? Number.NEGATIVE_INFINITY) < silenceMs) return;
    loggedAtMs.set(step, nowMs);
    options.log.warn({ err: error, step }, message);
  };
}
