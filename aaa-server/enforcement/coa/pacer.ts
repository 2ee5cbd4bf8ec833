// Limits the requests to each access server, per second and at once; what comes too fast waits in a bounded queue.
import type { Timer } from '../timer.ts';

export type Pacer = {
  /**
   * True when the turn has come, to be ended by `done`; false when the queue is full, the signal aborted or the pacer stopped.
   * What is urgent goes before all that is not.
   */
  turn(key: string, ratePerS: number, signal: AbortSignal, urgent?: boolean): Promise<boolean>;
  done(key: string): void;
  waiting(): number;
  stop(): void;
};

type Waiter = { readonly signal: AbortSignal; settle(granted: boolean): void };
type Lane = {
  tokens: number;
  filledAtMs: number;
  ratePerS: number;
  readonly urgent: Waiter[];
  readonly queue: Waiter[];
  open: number;
  cancel: (() => void) | null;
};

/** One silent access server must not use up the identifiers of all. */
const mostOpen = 256;

export function createPacer(options: { timer: Timer; queueLimit: number }): Pacer {
  const { timer, queueLimit } = options;
  const lanes = new Map<string, Lane>();
  let stopped = false;

  /** A tenth of a second may go at once. */
  const burst = (lane: Lane) => Math.max(1, lane.ratePerS / 10);

  function fill(lane: Lane): void {
    const nowMs = timer.monotonicMs();
    lane.tokens = Math.min(burst(lane), lane.tokens + ((nowMs - lane.filledAtMs) / 1000) * lane.ratePerS);
    lane.filledAtMs = nowMs;
  }

  function serve(lane: Lane): void {
    lane.cancel = null;
    fill(lane);
    const next = () => (lane.urgent.length > 0 ? lane.urgent : lane.queue);
    while (next().length > 0) {
      if (next()[0]?.signal.aborted) {
        next().shift()?.settle(false);
        continue;
      }
      // Rounding of the clock must not make a token of 0.9999 wait for ever.
      if (lane.tokens < 0.999 || lane.open >= mostOpen) break;
      lane.tokens -= 1;
      lane.open += 1;
      next().shift()?.settle(true);
    }
    if (next().length > 0 && lane.open < mostOpen) {
      lane.cancel = timer.after(Math.max(1, ((1 - lane.tokens) / lane.ratePerS) * 1000), () => serve(lane));
    }
  }

  return {
    turn(key, ratePerS, signal, urgent = false) {
      let lane = lanes.get(key);
      if (!lane) {
        lane = { tokens: 1, filledAtMs: timer.monotonicMs(), ratePerS, urgent: [], queue: [], open: 0, cancel: null };
        lane.tokens = burst(lane);
        lanes.set(key, lane);
      }
      lane.ratePerS = ratePerS;
      const waiting = lane;
      const queue = urgent ? waiting.urgent : waiting.queue;
      if (stopped || signal.aborted || queue.length >= queueLimit) return Promise.resolve(false);
      return new Promise((resolve) => {
        queue.push({ signal, settle: resolve });
        if (!waiting.cancel) serve(waiting);
      });
    },
    done(key) {
      const lane = lanes.get(key);
      if (!lane) return;
      lane.open -= 1;
      if (!lane.cancel && !stopped) serve(lane);
    },
    waiting: () => [...lanes.values()].reduce((sum, lane) => sum + lane.urgent.length + lane.queue.length, 0),
    stop() {
      stopped = true;
      for (const lane of lanes.values()) {
        lane.cancel?.();
        for (const waiter of [...lane.urgent.splice(0), ...lane.queue.splice(0)]) waiter.settle(false);
      }
    },
  };
}
