// What a subscription may have of the network: its own terms over those of its plan.
import type { NetworkTerms, PlanRecord, SubscriptionRecord } from '../subscribers/records.ts';

const noTerms: NetworkTerms = {
  ipv4PoolId: null,
  ipv6PoolId: null,
  delegatedPoolId: null,
  sessionLimit: 0,
  macLimit: 0,
  macMode: 'lock',
};

export function termsOf(
  plan: Pick<PlanRecord, 'network'>,
  subscription: Pick<SubscriptionRecord, 'network'>,
): NetworkTerms {
  const given = plan.network ?? noTerms;
  const own = subscription.network;
  if (!own) return given;
  return {
    ipv4PoolId: own.ipv4PoolId ?? given.ipv4PoolId,
    ipv6PoolId: own.ipv6PoolId ?? given.ipv6PoolId,
    delegatedPoolId: own.delegatedPoolId ?? given.delegatedPoolId,
    sessionLimit: own.sessionLimit ?? given.sessionLimit,
    macLimit: own.macLimit ?? given.macLimit,
    macMode: own.macMode ?? given.macMode,
  };
}
