// Error codes of subscriptions.
export const subscriptionErrors = {
  subscription_unknown: { status: 404, title: 'There is no such subscription' },
  subscription_terminated: { status: 409, title: 'The subscription is terminated; nothing of it changes any more' },
  status_refused: { status: 409, title: 'This status cannot follow the present one' },
  hold_not_standing: { status: 409, title: 'The subscription has no such hold' },
  user_name_taken: {
    status: 409,
    title: 'Another subscription has this user name',
    constraint: 'credential_tenant_id_realm_user_name_key',
  },
  address_unknown: { status: 404, title: 'The subscription has no such address' },
  address_in_use: {
    status: 409,
    title: 'The address overlaps one that is assigned',
    constraint: 'address_assignment_overlap',
  },
} as const;
