// The fair-use state as it is published with a subscription's profile, so that a login knows it without counting.
import type { Speed } from '../speed.ts';

export type FupProfile = {
  /** Speed after FUP; null when no FUP rule is in force. */
  readonly fupSpeed: Speed | null;
  readonly fupBlocked: boolean;
  /** When the state changes by time alone; with nothing in force, when a time span opens. Null: never. */
  readonly fupUntilMs: number | null;
};

/** What a login may know of the fair-use state. */
export type FupState =
  | { readonly kind: 'none'; readonly untilMs: number | null }
  | { readonly kind: 'speed'; readonly speed: Speed; readonly untilMs: number | null }
  | { readonly kind: 'block'; readonly untilMs: number | null };

export function fupToProfile(decision: FupState): FupProfile {
  return {
    fupSpeed: decision.kind === 'speed' ? decision.speed : null,
    fupBlocked: decision.kind === 'block',
    fupUntilMs: decision.untilMs,
  };
}

/**
 * The state at `nowMs`. From `fupUntilMs` on it counts as none: at the end of a window that is exactly right. At the edge of a
 * time span another rule may be in force on the same usage (or one begins to be); that is known only with the counters, so the
 * wheel evaluates the subscription at this very instant and publishes the new state. Between the two a login may get the tariff's speed, and the
 * CoA of that evaluation corrects it.
 */
export function fupFromProfile(profile: FupProfile, nowMs: number): FupState {
  const { fupSpeed, fupBlocked, fupUntilMs: untilMs } = profile;
  if (untilMs !== null && nowMs >= untilMs) return { kind: 'none', untilMs: null };
  if (fupBlocked) return { kind: 'block', untilMs };
  return fupSpeed ? { kind: 'speed', speed: fupSpeed, untilMs } : { kind: 'none', untilMs };
}
