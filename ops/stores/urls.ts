// The URLs of the login roles: the owner's URL with another name and a password derived from the key ring.
import type { Keyring } from '#ops/runtime/keyring.ts';

export const loginRoles = ['lastmile_app', 'lastmile_feed'] as const;
export type LoginRole = (typeof loginRoles)[number];

export function rolePassword(role: LoginRole, keyring: Keyring): string {
  return keyring.derive(`database-role:${role}`).toString('hex');
}

export function roleUrl(databaseUrl: string, role: LoginRole, keyring: Keyring): string {
  const url = new URL(databaseUrl);
  url.username = role;
  url.password = rolePassword(role, keyring);
  return url.href;
}
