// Error codes of subscriptions.
export const subscriptionErrors = {
  subscription_unknown: { status: 404, title: 'There is no such subscription' },
  subscription_terminated: { status: 409, title: 'The subscription is terminated; nothing of it changes any more' },
  status_refused: { status: 409, title: 'This status cannot follow the present one' },
  meter_since_refused: {
    status: 409,
    title: 'A meter begins to count at a full quarter of an hour (UTC) that is at least 15 minutes ahead',
    constraint: 'subscription_meter_ahead',
  },
  meter_switched_lately: {
    status: 409,
    title: 'One switch of the meter in 24 hours, and none while one is ahead',
    constraint: 'subscription_meter_once',
  },
  hold_not_standing: { status: 409, title: 'The subscription has no such hold' },
  user_name_taken: {
    status: 409,
    title: 'Another subscription has this user name, MAC address or line',
    constraint: 'credential_tenant_id_realm_user_name_key',
  },
  credential_unknown: { status: 404, title: 'The subscription has no such credential' },
  password_scheme_unavailable: { status: 409, title: 'This system cannot check passwords of this scheme' },
  address_unknown: { status: 404, title: 'The subscription has no such address' },
  address_in_use: {
    status: 409,
    title: 'The address overlaps one that is assigned',
    constraint: 'address_assignment_overlap',
  },
} as const;
