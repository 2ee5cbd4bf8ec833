// Error codes of the catalog.
export const serviceErrors = {
  service_unknown: { status: 404, title: 'There is no such service in the catalog' },
  service_inactive: { status: 409, title: 'The service is not sold any more' },
  service_name_taken: {
    status: 409,
    title: 'A service with this name exists',
    constraint: 'service_tenant_id_name_key',
  },
  use_subscription_path: {
    status: 404,
    title: 'A number under /services is a catalog id; what was asked lives under /subscriptions',
  },
} as const;
