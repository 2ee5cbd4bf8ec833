// Which stored status of a subscription may follow which. Terminated is the end and is reached by its own command.

export const subscriptionStatuses = ['pending', 'active', 'paused', 'disabled', 'terminated'] as const;
export type SubscriptionStatus = (typeof subscriptionStatuses)[number];

const followers: Readonly<Record<SubscriptionStatus, readonly SubscriptionStatus[]>> = {
  pending: ['active', 'disabled', 'terminated'],
  active: ['paused', 'disabled', 'terminated'],
  paused: ['active', 'disabled', 'terminated'],
  disabled: ['active', 'terminated'],
  terminated: [],
};

/** Whether a subscription in `from` may be put into `to`; staying is always allowed. */
export function mayFollow(from: SubscriptionStatus, to: SubscriptionStatus): boolean {
  return from === to || followers[from].includes(to);
}
