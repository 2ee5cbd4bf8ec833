// What the answers to the calls of one lane mean: how far it came, and whether it goes back or waits. Pure; rules: ops/docs/ledger.md.
import type { ApplyResult } from '#policy/ledger/types.ts';

/** The record a lane waits at: the ledger gave no answer, or wants more windows first. */
export type Head<R> = {
  readonly position: number;
  readonly record: R;
  /** Set when the ledger asked for every window since then. */
  readonly sinceMs?: number;
  readonly attempts: number;
  readonly retryAtMs: number;
};

export type Lane<R> = {
  readonly partition: number;
  /** Position of the last record known to be in the ledger. */
  applied: number;
  /** Position of the last record that was sent, answered or not: the next call's `previous`. */
  sent: number;
  /** Grows when the lane is set back or begins to wait: what was sent before is refused by the ledger or sent again. */
  turn: number;
  head: Head<R> | undefined;
  /** The ledger has nothing of it left, and the log no longer reaches back to its beginning: what followed would be counted wrongly. */
  lost: boolean;
};

/** The lane goes on behind `applied`, whatever was sent meanwhile. */
export function setBack<R>(lane: Lane<R>, applied: number): void {
  lane.applied = applied;
  lane.sent = applied;
  lane.turn++;
}

export type Sent<R> = {
  readonly record: R;
  readonly previous: number;
  readonly position: number;
  readonly sinceMs?: number;
};
export type Answer = ApplyResult | { readonly kind: 'failed'; readonly error: unknown };

export type Settled<R> = {
  readonly applied: number;
  /** The lane must be read again from behind `applied`. */
  readonly rewind: boolean;
  /** The lane waits at this record. */
  readonly waits?: { readonly at: Sent<R>; readonly sinceMs?: number; readonly error?: unknown };
};

/**
 * Reads the answers of calls that were sent in order without waiting for each other: the first one that is no success decides. Later ones
 * of the lane were refused because of it, or ran when it did run although its answer was lost; then they answer `duplicate` the next time.
 */
export function settle<R>(sent: readonly Sent<R>[], answers: readonly Answer[]): Settled<R> {
  let applied = sent[0]?.previous ?? 0;
  for (const [index, at] of sent.entries()) {
    const answer = answers[index] ?? { kind: 'failed', error: new Error('no answer') };
    switch (answer.kind) {
      case 'applied':
      case 'duplicate':
      case 'quarantined':
        applied = at.position;
        break;
      case 'gap':
        // An answer that contradicts itself must not send the lane round in circles.
        if (answer.stored !== at.previous) return { applied: answer.stored, rewind: true };
        return { applied, rewind: false, waits: { at, error: new Error('the ledger refuses the position it has') } };
      case 'need_windows':
        if (at.sinceMs === undefined || answer.sinceMs < at.sinceMs) {
          return { applied, rewind: false, waits: { at, sinceMs: answer.sinceMs } };
        }
        return { applied, rewind: false, waits: { at, error: new Error('the ledger asks for windows it was given') } };
      case 'failed':
        return { applied, rewind: false, waits: { at, error: answer.error } };
      default:
        answer satisfies never;
    }
  }
  return { applied, rewind: false };
}
