// Limits the requests per second to each access server; what comes too fast waits in a bounded queue.
import type { Timer } from '../timer.ts';

export type Pacer = {
  /** True when the turn has come; false when the queue is full, the signal aborted or the pacer stopped. */
  turn(key: string, ratePerS: number, signal: AbortSignal): Promise<boolean>;
  waiting(): number;
  stop(): void;
};

type Waiter = { readonly signal: AbortSignal; settle(granted: boolean): void };
type Lane = { tokens: number; filledAtMs: number; ratePerS: number; queue: Waiter[]; cancel: (() => void) | null };

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
    while (lane.queue.length > 0) {
      if (lane.queue[0]?.signal.aborted) {
        lane.queue.shift()?.settle(false);
        continue;
      }
      // Rounding of the clock must not make a token of 0.9999 wait for ever.
      if (lane.tokens < 0.999) break;
      lane.tokens -= 1;
      lane.queue.shift()?.settle(true);
    }
    if (lane.queue.length > 0) {
      lane.cancel = timer.after(Math.max(1, ((1 - lane.tokens) / lane.ratePerS) * 1000), () => serve(lane));
    }
  }

  return {
    turn(key, ratePerS, signal) {
      let lane = lanes.get(key);
      if (!lane) {
        lane = { tokens: 1, filledAtMs: timer.monotonicMs(), ratePerS, queue: [], cancel: null };
        lane.tokens = burst(lane);
        lanes.set(key, lane);
      }
      lane.ratePerS = ratePerS;
      if (stopped || signal.aborted || lane.queue.length >= queueLimit) return Promise.resolve(false);
      const waiting = lane;
      return new Promise((resolve) => {
        waiting.queue.push({ signal, settle: resolve });
        if (!waiting.cancel) serve(waiting);
      });
    },
    waiting: () => [...lanes.values()].reduce((sum, lane) => sum + lane.queue.length, 0),
    stop() {
      stopped = true;
      for (const lane of lanes.values()) {
        lane.cancel?.();
        for (const waiter of lane.queue.splice(0)) waiter.settle(false);
      }
    },
  };
}
