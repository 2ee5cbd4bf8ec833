// Error codes of address pools.
export const poolErrors = {
  pool_unknown: { status: 404, title: 'There is no such address pool' },
  pool_range_unknown: { status: 404, title: 'The pool has no such range' },
  pool_name_taken: { status: 409, title: 'A pool with this name exists', constraint: 'address_pool_name' },
  pool_fallback_refused: {
    status: 409,
    title: 'A pool falls back to another one of its own family',
    constraint: 'address_pool_fallback',
  },
  pool_range_overlaps: {
    status: 409,
    title: 'A pool has some of these addresses already',
    constraint: 'address_pool_range_overlap',
  },
  pool_range_assigned: {
    status: 409,
    title: 'Some of these addresses are assigned to subscriptions',
    constraint: 'address_pool_range_assigned',
  },
  address_in_pool: { status: 409, title: 'The address belongs to a pool', constraint: 'address_assignment_pool' },
  pool_in_use: { status: 409, title: 'Sessions, tariffs or other pools still use it' },
  lease_unknown: { status: 404, title: 'Nobody has this address of the pool' },
} as const;
