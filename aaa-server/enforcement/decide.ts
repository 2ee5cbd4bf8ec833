// What a subscription should get now, by the same table that answers its logins, with usage from the ledger.
import type { PlanRecord, SnapshotReader, SubscriptionRecord, TenantRecord } from '#aaa-server/subscribers/records.ts';
import { type Evaluation, evaluateOutcome } from '#policy/access/evaluate.ts';
import { noUsage, type Usage } from '#policy/fup/usage.ts';
import { type Calendar, calendarOf } from '#policy/time.ts';

export type Decide = (
  tenant: TenantRecord,
  plan: PlanRecord,
  subscription: SubscriptionRecord,
  nowMs: number,
) => Promise<Evaluation>;

export type DecideOptions = {
  snapshot: Pick<SnapshotReader, 'feedAliveAtMs'>;
  /** Counters of the windows that contain the instant. */
  usage(tenantId: number, subscriptionId: number, nowMs: number, calendar: Calendar): Promise<Usage>;
  feedSilenceMs: number;
  feedSilenceGraceMs: number;
};

export function createDecide({ snapshot, usage, feedSilenceMs, feedSilenceGraceMs }: DecideOptions): Decide {
  return async (tenant, plan, subscription, nowMs) => {
    const calendar = calendarOf(tenant, subscription);
    const counted = plan.fupRules.length > 0 ? await usage(tenant.id, subscription.id, nowMs, calendar) : noUsage;
    const feed = {
      silentSinceMs: snapshot.feedAliveAtMs() || null,
      toleratedMs: feedSilenceMs,
      extraGraceMs: feedSilenceGraceMs,
    };
    return evaluateOutcome({ tenant, plan, subscription }, { usage: counted }, feed, nowMs);
  };
}
