// The facts that an outcome follows from, and which of them decided.
import { expiryOf } from '#policy/access/expiry.ts';
import { formatOutcome, type Outcome } from '#policy/access/outcome.ts';
import type { Authorization } from '../auth/authorize.ts';
import type { ProfileRecord } from '../subscribers/records.ts';

export const factNames = [
  'tariff',
  'customer_status',
  'subscription_status',
  'hold',
  'paid_until',
  'fair_use',
  'brake',
  'mirror',
  'feed',
  'nas',
  'device_user',
] as const;
export type FactName = (typeof factNames)[number];
export type Fact = { readonly fact: FactName; readonly value: string; readonly decides: boolean };

export type FactsInput = {
  readonly found: Authorization;
  readonly profile: ProfileRecord | undefined;
  /** The last instant at which the mirror was known to be complete; null: it is. */
  readonly mirrorSilentSinceMs: number | null;
  readonly feedSilentSinceMs: number | null;
  readonly feedToleratedMs: number;
  readonly nowMs: number;
};

export function factsOf(input: FactsInput): Fact[] {
  const { found, profile, nowMs } = input;
  const { plan, subscription, decided, outcome } = found;
  const why = reasonOf(decided);
  const held = profile?.heldOutcome ?? null;
  const isHeld = held !== null && held !== formatOutcome(decided) && standsBehind(held, outcome);
  const fact = (name: FactName, value: string, decides: boolean): Fact => ({ fact: name, value, decides });
  const expiryMs = expiryOf(subscription.paidUntilMs, plan.graceMs);
  const holds = subscription.holds.filter(({ untilMs }) => untilMs === null || untilMs > nowMs);
  const mirrorSilent = isSilent(input.mirrorSilentSinceMs, plan.interimIntervalS * 1000, nowMs);
  const feedSilent = isSilent(input.feedSilentSinceMs, input.feedToleratedMs, nowMs);
  const list: Fact[] = [
    fact(
      'tariff',
      `tariff ${plan.id}: ${plan.speed.downBps} bps down, ${plan.speed.upBps} bps up`,
      decided.kind === 'accept',
    ),
    fact('customer_status', subscription.customerStatus, why?.startsWith('customer_') === true),
    fact('subscription_status', subscription.status, why?.startsWith('subscription_') === true),
    ...holds.map((hold) =>
      fact(
        'hold',
        `${hold.reason} since ${instant(hold.sinceMs)} ${until(hold.untilMs)}`,
        why === `hold_${hold.reason}`,
      ),
    ),
    fact('paid_until', paidText(subscription.paidUntilMs, expiryMs, nowMs), why === 'expired'),
  ];
  if (profile?.fupSpeed || profile?.fupBlocked || why === 'fup' || why === 'fup_blocked') {
    list.push(fact('fair_use', fairUseText(profile, why, nowMs), why === 'fup' || why === 'fup_blocked'));
  }
  if (mirrorSilent) {
    const text =
      'what enforcement decided has not been heard for longer than an interim interval: the lowest fair-use speed stands in';
    list.push(fact('mirror', text, why === 'fup'));
  }
  if (feedSilent) {
    const text = 'nothing has been heard of PostgreSQL for long: expiries since then get the extra grace';
    list.push(fact('feed', text, expiryMs !== null && expiryMs < nowMs && why !== 'expired'));
  }
  if (held !== null) list.push(fact('brake', `the brake holds a change back, so far the outcome is ${held}`, isHeld));
  if (decided.kind === 'walled_garden' && outcome.kind === 'reject') {
    list.push(fact('nas', 'the walled garden of this vendor is not verified, so it becomes a reject', true));
  }
  return list;
}

function reasonOf(outcome: Outcome): string | null {
  return outcome.kind === 'accept' ? null : outcome.reason;
}

/** A garden that became a reject is still what was held. */
function standsBehind(held: string, outcome: Outcome): boolean {
  return held === formatOutcome(outcome) || (outcome.kind === 'reject' && held === `walled_garden:${outcome.reason}`);
}

function isSilent(sinceMs: number | null, toleratedMs: number, nowMs: number): boolean {
  return sinceMs !== null && nowMs - sinceMs > toleratedMs;
}

function paidText(paidUntilMs: number | null, expiryMs: number | null, nowMs: number): string {
  if (paidUntilMs === null || expiryMs === null) return 'never expires';
  const grace = expiryMs > paidUntilMs ? `, with the grace of the tariff ${instant(expiryMs)}` : '';
  return `${instant(paidUntilMs)}${grace}: ${expiryMs < nowMs ? 'over' : 'not over'}`;
}

function fairUseText(profile: ProfileRecord | undefined, why: string | null, nowMs: number): string {
  if (!profile || (profile.fupUntilMs !== null && profile.fupUntilMs <= nowMs))
    return why === 'fup' ? 'not known' : 'over';
  if (profile.fupBlocked) return `the included data is used up ${until(profile.fupUntilMs)}`;
  if (!profile.fupSpeed) return 'no rule is in force';
  return `${profile.fupSpeed.downBps} bps down, ${profile.fupSpeed.upBps} bps up ${until(profile.fupUntilMs)}`;
}

function until(ms: number | null): string {
  return ms === null ? 'without an end' : `until ${instant(ms)}`;
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
