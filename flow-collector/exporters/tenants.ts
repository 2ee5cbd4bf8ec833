// The tenant of a sender that is no exporter yet: that of the access servers at its address, when they are all of one.
import { type IpAddress, maskTo, parsePrefix } from '#ops/runtime/ip.ts';
import type { TenantPrefix } from './settings.ts';

export type TenantLookup = (address: IpAddress) => number | undefined;

/** The longest prefix decides. */
export function createTenantLookup(prefixes: readonly TenantPrefix[]): TenantLookup {
  const levels = new Map<string, { bits: number; length: number; tenants: Map<bigint, number | undefined> }>();
  for (const { tenantId, prefix } of prefixes) {
    const parsed = parsePrefix(prefix);
    if (!parsed) continue;
    const { bits, length, value } = parsed;
    const level = levels.get(`${bits}/${length}`) ?? { bits, length, tenants: new Map() };
    levels.set(`${bits}/${length}`, level);
    const isFirst = !level.tenants.has(value);
    level.tenants.set(value, isFirst || level.tenants.get(value) === tenantId ? tenantId : undefined);
  }
  const ordered = [...levels.values()].sort((a, b) => b.length - a.length);
  return (address) => {
    for (const { bits, length, tenants } of ordered) {
      if (bits !== address.bits) continue;
      const value = maskTo(address, length);
      if (tenants.has(value)) return tenants.get(value);
    }
    return undefined;
  };
}
