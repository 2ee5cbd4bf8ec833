// Calls that may take so long and no longer. One timer for all that are under way: one for each would cost more than what is waited for.
import type { Clock } from './clock.ts';

/** How late somebody may hear that it took too long. */
const lookEveryMs = 5;

type Waiting = { readonly untilMs: number; giveUp(): void };

/** The returned function settles as `call` does, or rejects once the monotonic clock shows `untilMs`. */
export function createPatience(
  clock: Pick<Clock, 'monotonicMs'>,
  tooLate: string,
): <T>(call: Promise<T>, untilMs: number) => Promise<T> {
  const waiting = new Set<Waiting>();
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    const nowMs = clock.monotonicMs();
    for (const one of waiting) {
      if (one.untilMs > nowMs) continue;
      waiting.delete(one);
      one.giveUp();
    }
    if (waiting.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return (call, untilMs) =>
    new Promise((resolve, reject) => {
      const one = { untilMs, giveUp: () => reject(new Error(tooLate)) };
      waiting.add(one);
      timer ??= setInterval(look, lookEveryMs);
      call.then(
        (answer) => {
          waiting.delete(one);
          resolve(answer);
        },
        (error) => {
          waiting.delete(one);
          reject(error);
        },
      );
    });
}
