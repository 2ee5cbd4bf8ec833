// Reads what the guard of the subscriber snapshot holds back, as far as a caller may settle it.
import type { Caller } from '../api.ts';
import type { FeedGuard, HeldRemovals } from './client.ts';

const allTenants = 0;

/** What is held of the caller's tenant, and for a super admin what concerns all tenants together. */
export async function heldFor(feedGuard: FeedGuard, caller: Caller): Promise<readonly HeldRemovals[]> {
  const held = await feedGuard.held();
  return held.filter(
    ({ tenantId }) => tenantId === caller.tenantId || (tenantId === allTenants && caller.role === 'super_admin'),
  );
}

export function showHeld({ tenantId, kind, count, since }: HeldRemovals) {
  return { kind, all_tenants: tenantId === allTenants, count, since };
}
