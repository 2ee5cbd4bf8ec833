// The outcome table: customer × subscription × holds × expiry × fair use → what the subscriber gets, and until when that stands.
import type { FupState } from '../fup/profile.ts';
import type { FupRule } from '../fup/rules.ts';
import { type Speed, slowerOf } from '../speed.ts';
import { type FeedSilence, paidPeriod } from './expiry.ts';
import { type Outcome, type RestrictReason, rejectReasons } from './outcome.ts';
import { suspendedSpeed } from './suspended-speed.ts';

export type SuspendAction = 'walled_garden' | 'throttle' | 'reject';
export type HoldReason = 'non_payment' | 'fraud' | 'abuse' | 'customer_request' | 'admin';
/** A hold whose `untilMs` has come counts as lifted. */
export type Hold = { readonly reason: HoldReason; readonly untilMs: number | null };

/** What the table asks of a tariff. */
export type AccessPlan = {
  readonly speed: Speed;
  readonly fupRules: readonly FupRule[];
  readonly suspendAction: SuspendAction;
  readonly graceMs: number;
};

/** What the table asks of a subscription. */
export type AccessSubscription = {
  readonly customerStatus: 'lead' | 'new' | 'active' | 'blocked' | 'disabled';
  readonly status: 'pending' | 'active' | 'paused' | 'disabled' | 'terminated';
  readonly holds: readonly Hold[];
  /** Null: never expires. */
  readonly paidUntilMs: number | null;
};

export type AccessInput = {
  readonly plan: AccessPlan;
  readonly subscription: AccessSubscription;
  readonly fup: FupState;
  readonly feed: FeedSilence;
};

/** `untilMs`: the next instant at which the answer may change by time alone; null when only a change of the records can. */
export type AccessDecision = { readonly outcome: Outcome; readonly untilMs: number | null };

type Restriction = Exclude<Outcome, { readonly kind: 'accept' }>;

/**
 * Of all reasons to restrict the strictest wins; of equally strict ones the first of `rejectReasons`. Throttles add up to the
 * lower speed of each direction. A new customer is served like an active one; a lead is not a customer yet.
 */
export function decideAccess({ plan, subscription, fup, feed }: AccessInput, nowMs: number): AccessDecision {
  const status = statusReason(subscription);
  if (status) return { outcome: { kind: 'reject', reason: status }, untilMs: null };

  const period = paidPeriod(subscription.paidUntilMs, plan.graceMs, feed, nowMs);
  const reasons: RestrictReason[] = [];
  let untilMs = earlier(period.untilMs, fup.untilMs);
  if (subscription.customerStatus === 'blocked') reasons.push('customer_blocked');
  for (const hold of subscription.holds) {
    if (hold.untilMs !== null && hold.untilMs <= nowMs) continue;
    reasons.push(`hold_${hold.reason}`);
    untilMs = earlier(untilMs, hold.untilMs);
  }
  if (period.expired) reasons.push('expired');
  if (fup.kind === 'block') reasons.push('fup_blocked');
  if (reasons.length > 1) reasons.sort((a, b) => rejectReasons.indexOf(a) - rejectReasons.indexOf(b));

  const restrictions = reasons.map((reason) => restrictionFor(reason, plan));
  if (fup.kind === 'speed') restrictions.push({ kind: 'throttle', speed: fup.speed, reason: 'fup' });
  return { outcome: strictest(restrictions, plan.speed), untilMs };
}

/** What a tariff does with a subscriber who has this reason against them. */
function restrictionFor(reason: RestrictReason, plan: AccessPlan): Restriction {
  switch (reason) {
    // Money is owed: the tariff says how that feels.
    case 'customer_blocked':
    case 'hold_non_payment':
    case 'expired':
      if (plan.suspendAction === 'throttle') return { kind: 'throttle', speed: suspendedSpeed(plan), reason };
      return { kind: plan.suspendAction, reason };
    // Service has to stop: slower service is no answer to a virus, a used-up cap or the wish to be suspended; the portal is.
    case 'hold_abuse':
    case 'hold_customer_request':
    case 'hold_admin':
    case 'fup_blocked':
      return { kind: plan.suspendAction === 'walled_garden' ? 'walled_garden' : 'reject', reason };
    // Nobody entitled is at the other end.
    case 'hold_fraud':
    case 'customer_lead':
    case 'customer_disabled':
    case 'subscription_pending':
    case 'subscription_paused':
    case 'subscription_disabled':
    case 'subscription_terminated':
      return { kind: 'reject', reason };
  }
  return reason satisfies never;
}

/** Reasons that stand above everything else and do not pass with time. */
function statusReason({ customerStatus, status }: AccessSubscription): RestrictReason | null {
  if (customerStatus === 'lead' || customerStatus === 'disabled') return `customer_${customerStatus}`;
  return status === 'active' ? null : `subscription_${status}`;
}

function strictest(restrictions: readonly Restriction[], full: Speed): Outcome {
  const [first] = restrictions;
  if (!first) return { kind: 'accept', speed: full };
  for (const kind of ['reject', 'walled_garden'] as const) {
    const found = restrictions.find((restriction) => restriction.kind === kind);
    if (found) return found;
  }
  const speeds = restrictions.map((restriction) => ('speed' in restriction ? restriction.speed : full));
  return { kind: 'throttle', speed: speeds.reduce(slowerOf, full), reason: first.reason };
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
