// What each role may do.

export const roles = ['super_admin', 'admin', 'operator', 'viewer'] as const;
export type Role = (typeof roles)[number];

const reading = [
  'customers:read',
  'services:read',
  'subscriptions:read',
  'nas:read',
  'pools:read',
  'proxy:read',
  'sessions:read',
  'usage:read',
  'enforcement:read',
  'exporters:read',
  'aaa:read',
  'system:read',
] as const;
const operating = ['customers:write', 'subscriptions:write'] as const;
const administering = [
  'services:write',
  'nas:write',
  'pools:write',
  'proxy:write',
  'device_users:read',
  'device_users:write',
  'enforcement:write',
  'exporters:write',
  'aaa:test',
  'feed_guard:read',
  'feed_guard:write',
] as const;
const owning = ['tenants:read', 'tenants:write', 'exporters:assign', 'nas:assign'] as const;

export const permissions = [...reading, ...operating, ...administering, ...owning] as const;
export type Permission = (typeof permissions)[number];

const granted: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  viewer: new Set(reading),
  operator: new Set([...reading, ...operating]),
  admin: new Set([...reading, ...operating, ...administering]),
  super_admin: new Set(permissions),
};

export function permits(role: Role, permission: Permission): boolean {
  return granted[role].has(permission);
}
