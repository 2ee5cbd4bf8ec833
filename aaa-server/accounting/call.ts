// Makes the ledger call of a record: the windows, thresholds and facts of its subscription, tenant and NAS at apply time.
import type { NasRecord, SnapshotReader } from '#aaa-server/subscribers/records.ts';
import type { FupRule } from '#policy/fup/rules.ts';
import { thresholdsOf } from '#policy/fup/thresholds.ts';
import type { AccountingCall, AccountingRecord, LanePosition, Threshold } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';

export type CallMaker = {
  /** False until the snapshot is complete: windows and thresholds of an empty one would be wrong. */
  ready(): boolean;
  /** `sinceMs`: with every window since then, as the ledger asked. */
  make(lane: LanePosition, record: AccountingRecord, sinceMs?: number): AccountingCall;
};

export type CallSnapshot = Pick<
  SnapshotReader,
  'complete' | 'tenant' | 'plan' | 'subscription' | 'nasGeneration' | 'nasList'
>;

// Of a tenant or subscription that is gone: its late records still count, in plain UTC windows.
const fallbackTenant = { timeZone: 'UTC', weekStart: 1 };
const fallbackAnchorDay = 1;
const noThresholds: readonly Threshold[] = [];

export function createCallMaker(snapshot: CallSnapshot): CallMaker {
  const thresholds = new WeakMap<readonly FupRule[], readonly Threshold[]>();
  let generation = -1;
  let nasById = new Map<number, NasRecord>();
  const nas = (id: number) => {
    const current = snapshot.nasGeneration();
    if (current !== generation) {
      nasById = new Map(snapshot.nasList().map((record) => [record.id, record]));
      generation = current;
    }
    return nasById.get(id);
  };

  /** A plan is the same object until the snapshot changes. */
  function thresholdsOfPlan(rules: readonly FupRule[]): readonly Threshold[] {
    const known = thresholds.get(rules);
    if (known) return known;
    const made = thresholdsOf(rules);
    thresholds.set(rules, made);
    return made;
  }

  return {
    ready: () => snapshot.complete(),
    make(lane, record, sinceMs) {
      const { timeZone, weekStart } = snapshot.tenant(record.tenantId) ?? fallbackTenant;
      const subscription = record.subscriptionId
        ? snapshot.subscription(record.tenantId, record.subscriptionId)
        : undefined;
      const plan = subscription && snapshot.plan(record.tenantId, subscription.planId);
      const anchorDay = subscription?.anchorDay ?? fallbackAnchorDay;
      return {
        lane,
        record,
        windows: usageWindows(record.eventAtMs, timeZone, weekStart, anchorDay, sinceMs),
        thresholds: plan ? thresholdsOfPlan(plan.fupRules) : noThresholds,
        planPeakBps: plan ? Math.max(plan.speed.upBps, plan.speed.downBps) : 0,
        adoptedAtMs: nas(record.nasId)?.adoptedAtMs ?? null,
        meter: subscription?.meter ?? 'radius',
        meterSinceMs: subscription?.meterSinceMs ?? null,
      };
    },
  };
}
