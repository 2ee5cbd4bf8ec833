// Error codes of tenants.
export const tenantErrors = {
  tenant_required: { status: 400, title: 'Say by X-Tenant in which tenant to act' },
  tenant_unknown: { status: 404, title: 'There is no such tenant' },
  tenant_slug_taken: { status: 409, title: 'A tenant with this slug exists', constraint: 'tenant_slug_key' },
  email_taken: { status: 409, title: 'A user with this e-mail exists', constraint: 'app_user_email' },
} as const;
