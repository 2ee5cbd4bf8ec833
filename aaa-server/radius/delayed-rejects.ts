// Holds Access-Rejects back for a moment without blocking anything, to slow down guessing: a bounded queue and one timer.

export type DelayedRejects = {
  /** Runs `send` after the delay; at once when the delay is 0 or the queue is full (returns false then). */
  add(send: () => void): boolean;
  /** Runs everything that waits, now. */
  flush(): void;
  waiting(): number;
};

export type DelayedRejectsOptions = {
  readonly delayMs: number;
  readonly capacity?: number;
  monotonicMs(): number;
  /** setTimeout, or a fake one. */
  later(callback: () => void, ms: number): void;
};

export function createDelayedRejects(options: DelayedRejectsOptions): DelayedRejects {
  const { delayMs, capacity = 32_768, monotonicMs, later } = options;
  let queue: { readonly dueMs: number; readonly send: () => void }[] = [];
  let head = 0;
  let timerSet = false;

  function run(untilMs: number): void {
    for (let item = queue[head]; item && item.dueMs <= untilMs; item = queue[head]) {
      head++;
      item.send();
    }
    if (head > 1024 || head === queue.length) {
      queue = queue.slice(head);
      head = 0;
    }
  }

  function setTimer(): void {
    const first = queue[head];
    if (timerSet || !first) return;
    timerSet = true;
    later(
      () => {
        timerSet = false;
        run(monotonicMs());
        setTimer();
      },
      Math.max(1, first.dueMs - monotonicMs()),
    );
  }

  return {
    add(send) {
      if (delayMs === 0 || queue.length - head >= capacity) {
        send();
        return delayMs === 0;
      }
      // All wait equally long, so the queue is in the order in which they are due.
      queue.push({ dueMs: monotonicMs() + delayMs, send });
      setTimer();
      return true;
    },
    flush: () => run(Number.POSITIVE_INFINITY),
    waiting: () => queue.length - head,
  };
}
