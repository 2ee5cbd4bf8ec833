// How often one subscriber may be disconnected: a login that brings back what a Disconnect was to end must not go round for ever.
import { memberOf, type Subscriber } from '#policy/ledger/enforcement.ts';
import type { Timer } from './timer.ts';

export type Disconnects = {
  /** Takes one of the subscriber's disconnects; false when there is none left for now. The same session again costs nothing. */
  take(who: Subscriber, session: string): boolean;
};

const burst = 4;
const eachMs = 15 * 60_000;
const rememberLimit = 100_000;

type Entry = { left: number; filledAtMs: number; session: string };

export function createDisconnects(timer: Pick<Timer, 'monotonicMs'>): Disconnects {
  const entries = new Map<string, Entry>();

  const leftAt = (entry: Entry, nowMs: number) => Math.min(burst, entry.left + (nowMs - entry.filledAtMs) / eachMs);

  function forgetFull(nowMs: number): void {
    for (const [member, entry] of entries) if (leftAt(entry, nowMs) >= burst) entries.delete(member);
  }

  return {
    take(who, session) {
      const nowMs = timer.monotonicMs();
      const member = memberOf(who);
      const entry = entries.get(member) ?? { left: burst, filledAtMs: nowMs, session: '' };
      if (entry.session === session) return true;
      const left = leftAt(entry, nowMs);
      if (left < 1) return false;
      if (entries.size >= rememberLimit) forgetFull(nowMs);
      entries.set(member, { left: left - 1, filledAtMs: nowMs, session });
      return true;
    },
  };
}
