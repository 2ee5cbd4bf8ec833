// When a subscription expires: paid_until plus the tariff's grace, plus an extra one while the change feed is silent.

/**
 * While nothing can be heard from PostgreSQL a payment cannot be either. `silentSinceMs`: the last sign of life of the feed (null:
 * unknown or not relevant). After more than `toleratedMs` of silence an expiry since then waits for `extraGraceMs` more.
 */
export type FeedSilence = {
  readonly silentSinceMs: number | null;
  readonly toleratedMs: number;
  readonly extraGraceMs: number;
};

export const noSilence: FeedSilence = { silentSinceMs: null, toleratedMs: 0, extraGraceMs: 0 };

/** `untilMs`: the next instant at which `expired` may change by time alone. */
export type PaidPeriod = { readonly expired: boolean; readonly untilMs: number | null };

/** Paid and granted until then, leaving silence aside; null: for ever. */
export function expiryOf(paidUntilMs: number | null, graceMs: number): number | null {
  return paidUntilMs === null ? null : paidUntilMs + graceMs;
}

/** Expired once `paid_until` + grace has passed (not at that very millisecond). An expiry before the silence began gets no extra grace. */
export function paidPeriod(
  paidUntilMs: number | null,
  graceMs: number,
  { silentSinceMs, toleratedMs, extraGraceMs }: FeedSilence,
  nowMs: number,
): PaidPeriod {
  const expiryMs = expiryOf(paidUntilMs, graceMs);
  if (expiryMs === null) return { expired: false, untilMs: null };
  if (nowMs <= expiryMs) return { expired: false, untilMs: expiryMs + 1 };
  if (silentSinceMs === null || expiryMs < silentSinceMs) return { expired: true, untilMs: null };
  const servedFromMs = silentSinceMs + toleratedMs + 1;
  const endMs = expiryMs + extraGraceMs + 1;
  if (servedFromMs >= endMs || nowMs >= endMs) return { expired: true, untilMs: null };
  return nowMs < servedFromMs ? { expired: true, untilMs: servedFromMs } : { expired: false, untilMs: endMs };
}
