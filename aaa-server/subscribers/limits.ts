// How much may vanish from the snapshot before an operator must confirm it.
import { type CountedKind, countedKinds, type Removed, type Tally } from './snapshot.ts';

const windowMs = 10 * 60_000;
const freeRemovals = 50;
const removableShare = 0.1;
const keptShare = 0.9;

export type Loss = {
  /** 0: all tenants together. */
  readonly tenantId: number;
  /** Records the reload would not have any more. */
  readonly count: number;
};

/** Those removals that still count against the limit. */
export function recentRemovals(removed: readonly Removed[], nowMs: number): Removed[] {
  return removed.filter(({ atMs }) => Math.abs(nowMs - atMs) < windowMs);
}

/** Whether `count` more may go at once: at most max(50, 10 %) of a tenant's records within 10 minutes. */
export function mayRemove(tally: Tally, recent: readonly Removed[], count: number): boolean {
  const before = recent.reduce((sum, removed) => sum + removed.count, 0);
  const records = tally.tenant + tally.plan + tally.nas + tally.subscription + before;
  return before + count <= Math.max(freeRemovals, Math.floor(records * removableShare));
}

/** What a reload would lose too much of: below 90 % of the records overall, or of a kind of a tenant that has more than 50 of it. */
export function reloadLosses(old: ReadonlyMap<number, Tally>, fresh: ReadonlyMap<number, Tally>): Loss[] {
  const losses: Loss[] = [];
  let before = 0;
  let after = 0;
  for (const [tenantId, tally] of old) {
    const now = fresh.get(tenantId);
    let missing = 0;
    let tooMany = false;
    for (const kind of countedKinds) {
      const [had, has] = [tally[kind], now?.[kind satisfies CountedKind] ?? 0];
      // Staff who are gone are out at once (copy.ts), so they are no loss, unless all of several are.
      if (kind === 'device_user' && (!now || had < 2 || has > 0)) continue;
      if (kind === 'device_user') tooMany = true;
      before += had;
      after += has;
      missing += Math.max(0, had - has);
      if (had > freeRemovals && has < had * keptShare) tooMany = true;
    }
    if (tooMany) losses.push({ tenantId, count: missing });
  }
  return losses.length === 0 && after < before * keptShare ? [{ tenantId: 0, count: before - after }] : losses;
}
