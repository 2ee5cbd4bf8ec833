// What the guard holds back, and the operator's confirmation by count.
import type { Feed } from './feed.ts';
import type { Store } from './store.ts';

export type GuardHold = {
  readonly id: string;
  /** 0: all tenants together. */
  readonly tenantId: number;
  /** removals: subscriptions, credentials, NASes or plans that the source deleted; reload: records a full copy would lose. */
  readonly kind: 'removals' | 'reload';
  readonly count: number;
  readonly since: Date;
};

export type GuardAnswer =
  | { readonly ok: true; readonly released: number }
  /** Nothing of this tenant is held. */
  | { readonly ok: false; readonly reason: 'unknown' }
  /** The count is not what is held now: nothing was released. */
  | { readonly ok: false; readonly reason: 'count_differs'; readonly count: number };

export type Guard = {
  list(): GuardHold[];
  /** Releases what is held of the tenant, if that is exactly `count`. */
  confirm(tenantId: number, count: number): Promise<GuardAnswer>;
};

export function createGuard(store: Store, feed: Feed): Guard {
  function list(): GuardHold[] {
    const snapshot = store.current();
    const removals = [...(snapshot?.tallies().keys() ?? [])].flatMap((tenantId): GuardHold[] => {
      const held = snapshot?.held(tenantId) ?? [];
      if (held.length === 0) return [];
      const since = new Date(Math.min(...held.map(({ sinceMs }) => sinceMs)));
      return [{ id: `removals:${tenantId}`, tenantId, kind: 'removals', count: held.length, since }];
    });
    const reloads = feed.reloadLosses().map(
      ({ tenantId, count, sinceMs }): GuardHold => ({
        id: `reload:${tenantId}`,
        tenantId,
        kind: 'reload',
        count,
        since: new Date(sinceMs),
      }),
    );
    return [...removals, ...reloads];
  }

  return {
    list,
    async confirm(tenantId, count) {
      const holds = list().filter((hold) => hold.tenantId === tenantId);
      const hold = holds.find((candidate) => candidate.count === count);
      if (hold?.kind === 'removals') {
        const released = await feed.release(tenantId, count);
        return released === count ? { ok: true, released } : { ok: false, reason: 'count_differs', count: released };
      }
      if (hold) {
        feed.confirmReload({ tenantId, count });
        return { ok: true, released: count };
      }
      const [first] = holds;
      return first ? { ok: false, reason: 'count_differs', count: first.count } : { ok: false, reason: 'unknown' };
    },
  };
}
