// What a subscription should get now, by the same table that answers its logins, with the counters of the ledger.
import type { PlanRecord, SnapshotReader, SubscriptionRecord, TenantRecord } from '#aaa-server/subscribers/records.ts';
import { type Evaluation, evaluateOutcome } from '#policy/access/evaluate.ts';
import type { Usage } from '#policy/fup/usage.ts';

/** `usage`: of the windows that contain the instant. */
export type Decide = (
  tenant: TenantRecord,
  plan: PlanRecord,
  subscription: SubscriptionRecord,
  usage: Usage,
  nowMs: number,
) => Evaluation;

export type DecideOptions = {
  snapshot: Pick<SnapshotReader, 'feedAliveAtMs'>;
  feedSilenceMs: number;
  feedSilenceGraceMs: number;
};

export function createDecide({ snapshot, feedSilenceMs, feedSilenceGraceMs }: DecideOptions): Decide {
  return (tenant, plan, subscription, usage, nowMs) => {
    const feed = {
      silentSinceMs: snapshot.feedAliveAtMs() || null,
      toleratedMs: feedSilenceMs,
      extraGraceMs: feedSilenceGraceMs,
    };
    return evaluateOutcome({ tenant, plan, subscription }, { usage }, feed, nowMs);
  };
}
