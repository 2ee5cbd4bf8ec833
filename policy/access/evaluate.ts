// What one subscription should get now: fair use and the access table together, the same at login and at enforcement.
import { decideFup } from '../fup/decide.ts';
import { type FupProfile, type FupState, fupFromProfile, fupToProfile } from '../fup/profile.ts';
import type { Usage } from '../fup/usage.ts';
import { calendarOf } from '../time.ts';
import { type AccessDecision, type AccessPlan, type AccessSubscription, decideAccess } from './decide.ts';
import type { FeedSilence } from './expiry.ts';

export type EvaluatedSubscriber = {
  readonly tenant: { readonly timeZone: string; readonly weekStart: number };
  readonly plan: AccessPlan;
  readonly subscription: AccessSubscription & { readonly anchorDay: number };
};

/** Enforcement knows the counters of the windows that contain the instant; a login knows what was last published (undefined: nothing). */
export type FupKnowledge = { readonly usage: Usage } | { readonly profile: FupProfile | undefined };

/** `fup` is the part of the profile to publish. */
export type Evaluation = AccessDecision & { readonly fup: FupProfile };

export function evaluateOutcome(
  { tenant, plan, subscription }: EvaluatedSubscriber,
  known: FupKnowledge,
  feed: FeedSilence,
  nowMs: number,
): Evaluation {
  const fup: FupState =
    'usage' in known
      ? decideFup(plan, known.usage, nowMs, calendarOf(tenant, subscription))
      : known.profile
        ? fupFromProfile(known.profile, nowMs)
        : { kind: 'none', untilMs: null };
  return { ...decideAccess({ plan, subscription, fup, feed }, nowMs), fup: fupToProfile(fup) };
}
