// Calls that may take so long and no longer. One timer for all that are under way: one for each would cost more than what is waited for.
import type { Clock } from './clock.ts';

/** How late somebody may hear that it took too long. */
const lookEveryMs = 5;

type Waiting = { readonly untilMs: number; giveUp(): void; at: number };

/** The returned function settles as `call` does, or rejects once the monotonic clock shows `untilMs`. */
export function createPatience(
  clock: Pick<Clock, 'monotonicMs'>,
  tooLate: string,
): <T>(call: Promise<T>, untilMs: number) => Promise<T> {
  // Not a Set: the tables one outgrew or emptied keep what was in them, and each the next one, until the whole heap is searched.
  const waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    const nowMs = clock.monotonicMs();
    for (const one of waiting.filter(({ untilMs }) => untilMs <= nowMs)) {
      remove(one);
      one.giveUp();
    }
    if (waiting.length > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  /** The last one takes its place. */
  function remove(one: Waiting): void {
    const last = waiting.at(-1);
    if (!last || waiting[one.at] !== one) return;
    waiting[one.at] = last;
    last.at = one.at;
    waiting.pop();
  }

  return (call, untilMs) =>
    new Promise((resolve, reject) => {
      const one = { untilMs, giveUp: () => reject(new Error(tooLate)), at: waiting.length };
      waiting.push(one);
      timer ??= setInterval(look, lookEveryMs);
      call.then(
        (answer) => {
          remove(one);
          resolve(answer);
        },
        (error) => {
          remove(one);
          reject(error);
        },
      );
    });
}
