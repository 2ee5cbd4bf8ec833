// Whose subscribers EAP-TLS may prove: a name in a certificate says nothing about its tenant, so the authority belongs to one of them.
import type { SnapshotReader } from '../../subscribers/records.ts';

export type Tenants = Pick<SnapshotReader, 'tenant' | 'onlyTenant'>;

/** @param slug of the tenant whose certificates the authority signs; empty: the only tenant, nobody's as soon as there are two */
export function isTlsTenant(tenants: Tenants, slug: string, tenantId: number): boolean {
  return slug === '' ? tenants.onlyTenant() === tenantId : tenants.tenant(tenantId)?.slug === slug;
}
