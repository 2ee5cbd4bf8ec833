// A moment in which no login of several rounds is under way, for a process that gives way to its successor.
import { setTimeout as delay } from 'node:timers/promises';

/** Resolves when nobody converses, with nothing in between, or after `patienceMs`: those that still do begin again. */
export async function quietMoment(
  conversing: () => number | Promise<number>,
  { patienceMs, everyMs }: { readonly patienceMs: number; readonly everyMs: number },
  monotonicMs: () => number,
): Promise<void> {
  const deadline = monotonicMs() + patienceMs;
  while ((await conversing()) > 0 && monotonicMs() < deadline) await delay(everyMs);
}
