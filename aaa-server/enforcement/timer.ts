// Clock and timers in one injected thing, so that tests can move minutes in no time.
import { type Clock, systemClock } from '#ops/runtime/clock.ts';

export type Timer = Clock & {
  /** Runs `action` once after `delayMs` unless cancelled by the returned function. */
  after(delayMs: number, action: () => void): () => void;
};

export const systemTimer: Timer = {
  ...systemClock,
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};
