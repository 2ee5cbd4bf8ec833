// Counts open sessions as an evaluation sees them: silent ones, by access server, and by what they should have.
import type { Outcome } from '#policy/access/outcome.ts';
import type { SessionNeed } from './assess.ts';

export type SessionCounts = {
  /** Have not reported for long. */
  readonly silent: number;
  /** By NAS id, silent ones included. */
  readonly byNas: ReadonlyMap<number, number>;
  readonly byOutcome: ReadonlyMap<Outcome['kind'], number>;
};

export function countSessions(sessions: readonly SessionNeed[]): SessionCounts {
  return {
    silent: sessions.filter(({ life }) => life === 'silent').length,
    byNas: summed(sessions.map(({ session }) => [session.nasId, 1])),
    byOutcome: summed(sessions.map(({ outcome }) => [outcome.kind, 1])),
  };
}

export function sumSessions(counts: readonly SessionCounts[]): SessionCounts {
  return {
    silent: counts.reduce((total, { silent }) => total + silent, 0),
    byNas: summed(counts.flatMap(({ byNas }) => [...byNas])),
    byOutcome: summed(counts.flatMap(({ byOutcome }) => [...byOutcome])),
  };
}

function summed<K>(entries: readonly (readonly [K, number])[]): Map<K, number> {
  const sums = new Map<K, number>();
  for (const [key, count] of entries) sums.set(key, (sums.get(key) ?? 0) + count);
  return sums;
}
