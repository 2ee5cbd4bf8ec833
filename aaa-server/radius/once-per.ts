// Lets a message through once per span of time: what may happen with every packet must not fill the log.
import type { Clock } from '#ops/runtime/clock.ts';

const maxMessages = 1000;

/** A function that tells whether `message` may be said now. */
export function createOncePer(ms: number, clock: Pick<Clock, 'monotonicMs'>): (message: string) => boolean {
  const saidAtMs = new Map<string, number>();
  return (message) => {
    const nowMs = clock.monotonicMs();
    const last = saidAtMs.get(message);
    if (last !== undefined && nowMs - last < ms) return false;
    if (saidAtMs.size >= maxMessages) saidAtMs.clear();
    saidAtMs.set(message, nowMs);
    return true;
  };
}
