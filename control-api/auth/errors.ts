// Error codes of signing in and of permissions.
export const authErrors = {
  unauthenticated: { status: 401, title: 'The access token is missing, expired or unknown' },
  login_failed: { status: 401, title: 'Tenant, identifier and password do not fit together' },
  refresh_failed: { status: 401, title: 'The refresh token is expired, unknown or was used before' },
  forbidden: { status: 403, title: 'The role does not have the permission of this operation' },
  tenant_forbidden: { status: 403, title: 'X-Tenant names another tenant than the user belongs to' },
} as const;
