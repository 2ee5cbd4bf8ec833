// What a subscription should get now, by the same table that answers its logins, with usage from the ledger.
import type { PlanRecord, SnapshotReader, SubscriptionRecord } from '#aaa-server/subscribers/records.ts';
import { decideAccess } from '#policy/access/decide.ts';
import { decideFup } from '#policy/fup/decide.ts';
import { fupToProfile } from '#policy/fup/profile.ts';
import { noUsage, type Usage } from '#policy/fup/usage.ts';
import type { Calendar } from '#policy/time.ts';
import type { Decision } from './assess.ts';

export type DecideOptions = {
  snapshot: Pick<SnapshotReader, 'tenant' | 'feedAliveAtMs'>;
  /** Counters of the windows that contain the instant. */
  usage(tenantId: number, subscriptionId: number, nowMs: number, calendar: Calendar): Promise<Usage>;
  feedSilenceMs: number;
  feedSilenceGraceMs: number;
};

export function createDecide({ snapshot, usage, feedSilenceMs, feedSilenceGraceMs }: DecideOptions) {
  return async (subscription: SubscriptionRecord, plan: PlanRecord, nowMs: number): Promise<Decision> => {
    const { tenantId, id, anchorDay } = subscription;
    const { timeZone = 'UTC', weekStart = 1 } = snapshot.tenant(tenantId) ?? {};
    const calendar = { timeZone, weekStart, anchorDay };
    const counted = plan.fupRules.length > 0 ? await usage(tenantId, id, nowMs, calendar) : noUsage;
    const fup = decideFup(plan, counted, nowMs, calendar);
    const feed = {
      silentSinceMs: snapshot.feedAliveAtMs() || null,
      toleratedMs: feedSilenceMs,
      extraGraceMs: feedSilenceGraceMs,
    };
    const { outcome, untilMs } = decideAccess({ plan, subscription, fup, feed }, nowMs);
    return { outcome, untilMs, fup: fupToProfile(fup) };
  };
}
