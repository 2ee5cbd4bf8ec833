// The rule of the blast-radius brake: how many subscribers may be made stricter unseen, and which changes count.
import type { Outcome } from '../access/outcome.ts';
import type { Speed } from '../speed.ts';

/** Changes are counted over this long. */
export const brakeWindowMs = 10 * 60_000;
const least = 50;
const share = 0.03;
const forecastAheadMs = 24 * 3600_000;
const forecastStaleMs = 48 * 3600_000;

/** The most subscribers that may become stricter within the window without a confirmation: max(50, 3 % of those online). */
export function brakeLimit(online: number): number {
  return Math.max(least, Math.floor(online * share));
}

/** Whether `to` gives less than `from`: a lower speed in either direction, the garden after service, no access after any. */
export function isStricter(from: Outcome, to: Outcome): boolean {
  const before = speedOf(from);
  const after = speedOf(to);
  if (before && after) return after.upBps < before.upBps || after.downBps < before.downBps;
  return rank(to) > rank(from);
}

/**
 * An expiry that an operator could see coming: `paid_until` stood for 24 h before it took effect. One that should have
 * taken effect more than two days ago was not foreseen either: a clock jumped or a grace was cut.
 */
export function isForecast(
  outcome: Outcome,
  expiry: { readonly paidUntilMs: number | null; readonly paidUntilSetAtMs: number; readonly graceMs: number },
  nowMs: number,
): boolean {
  if (outcome.kind === 'accept' || outcome.reason !== 'expired' || expiry.paidUntilMs === null) return false;
  const effectiveMs = expiry.paidUntilMs + expiry.graceMs;
  return effectiveMs - expiry.paidUntilSetAtMs >= forecastAheadMs && nowMs - effectiveMs <= forecastStaleMs;
}

function speedOf(outcome: Outcome): Speed | undefined {
  return outcome.kind === 'accept' || outcome.kind === 'throttle' ? outcome.speed : undefined;
}

function rank(outcome: Outcome): number {
  switch (outcome.kind) {
    case 'accept':
    case 'throttle':
      return 0;
    case 'walled_garden':
      return 1;
    case 'reject':
      return 2;
  }
  outcome satisfies never;
  return 2;
}
