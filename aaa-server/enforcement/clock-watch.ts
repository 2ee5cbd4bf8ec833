// Notices that the wall clock was set: what seems due then was not foreseen by anybody.
import type { Timer } from './timer.ts';

export type ClockWatch = {
  /** False for a day after the wall clock moved against the monotonic one by more than five minutes. */
  steady(): boolean;
};

const toleratedMs = 5 * 60_000;
const doubtMs = 24 * 3600_000;

export function createClockWatch(
  timer: Pick<Timer, 'nowMs' | 'monotonicMs'>,
  onJump: (byMs: number) => void,
): ClockWatch {
  let offsetMs = timer.nowMs() - timer.monotonicMs();
  let doubtUntilMs = Number.NEGATIVE_INFINITY;
  return {
    steady() {
      const monotonicMs = timer.monotonicMs();
      const byMs = timer.nowMs() - monotonicMs - offsetMs;
      if (Math.abs(byMs) > toleratedMs) {
        doubtUntilMs = monotonicMs + doubtMs;
        onJump(byMs);
      }
      // What the clock is slewed by in between adds up to nothing.
      offsetMs += byMs;
      return monotonicMs >= doubtUntilMs;
    },
  };
}
