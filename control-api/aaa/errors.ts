// Error codes of the operator tools of AAA.
export const aaaErrors = {
  nas_not_found: { status: 404, title: 'No access server of this tenant has this id, address, NAS-Identifier or name' },
  nas_not_named: {
    status: 400,
    title: 'The tenant has several access servers, or several of that name: say which by its id',
  },
  span_too_long: { status: 400, title: 'The span of a statistic must end after it begins and be 31 days at most' },
} as const;
