// Error codes of speeds that access servers know by name.
export const speedPolicyErrors = {
  speed_policy_unknown: { status: 404, title: 'There is no such speed policy' },
  speed_policy_taken: {
    status: 409,
    title: 'This speed has a policy already, for the same vendor or NAS',
    constraint: 'speed_policy_speed',
  },
  speed_policy_missing: {
    status: 422,
    title:
      'An access server would need the name of a policy that nobody gave; `problems` lists vendor and speed of each',
  },
} as const;
