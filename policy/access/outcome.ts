// What the access table answers, and the text form in which it is stored and compared.
import type { Speed } from '../speed.ts';

export const rejectReasons = [
  'customer_lead',
  'customer_blocked',
  'customer_disabled',
  'subscription_pending',
  'subscription_paused',
  'subscription_disabled',
  'subscription_terminated',
  'hold_non_payment',
  'hold_fraud',
  'hold_abuse',
  'hold_customer_request',
  'hold_admin',
  'expired',
  'fup_blocked',
] as const;
export type RestrictReason = (typeof rejectReasons)[number];

/**
 * accept: the tariff's speed. throttle: online with a lower speed, because of `reason` ('fup' = a fair-use rule).
 * walled_garden: online, but only to the portal. reject: no access.
 */
export type Outcome =
  | { readonly kind: 'accept'; readonly speed: Speed }
  | { readonly kind: 'throttle'; readonly speed: Speed; readonly reason: 'fup' | RestrictReason }
  | { readonly kind: 'walled_garden'; readonly reason: RestrictReason }
  | { readonly kind: 'reject'; readonly reason: RestrictReason };

export const outcomeKinds = ['accept', 'throttle', 'walled_garden', 'reject'] as const satisfies Outcome['kind'][];

/** `accept:5000000/20000000`, `throttle:2000000/2000000:fup`, `walled_garden:expired`, `reject:hold_admin` — up before down, in bps. */
export function formatOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'accept':
      return `accept:${outcome.speed.upBps}/${outcome.speed.downBps}`;
    case 'throttle':
      return `throttle:${outcome.speed.upBps}/${outcome.speed.downBps}:${outcome.reason}`;
    default:
      return `${outcome.kind}:${outcome.reason}`;
  }
}

/** The inverse of {@link formatOutcome}; undefined for any other text. */
export function parseOutcome(text: string): Outcome | undefined {
  const [kind, first = '', second = ''] = text.split(':');
  const [up, down] = first.split('/').map(Number);
  const speed = up !== undefined && down !== undefined && up > 0 && down > 0 ? { upBps: up, downBps: down } : undefined;
  const reason = (text: string) => rejectReasons.find((known) => known === text);
  if (kind === 'accept' && speed) return { kind, speed };
  if (kind === 'throttle' && speed) {
    const known = second === 'fup' ? 'fup' : reason(second);
    return known && { kind, speed, reason: known };
  }
  const known = reason(first);
  if (kind === 'walled_garden') return known && { kind, reason: known };
  if (kind === 'reject') return known && { kind, reason: known };
  return undefined;
}
