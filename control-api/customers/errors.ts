// Error codes of customers.
export const customerErrors = {
  customer_unknown: { status: 404, title: 'There is no such customer' },
  account_number_taken: {
    status: 409,
    title: 'Another customer has this account number',
    constraint: 'customer_tenant_id_account_number_key',
  },
} as const;
