// Static addresses and prefixes of subscriptions.
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Tx } from '../database/connect.ts';
import { canonicalPrefix } from '../database/prefix.ts';
import { invalid, Problem } from '../problem.ts';
import type { AddressBody } from './contract.ts';
import { addressAssignment } from './schema.ts';

export async function assignAddress(tx: Tx, subscriptionId: number, body: AddressBody, path = ''): Promise<void> {
  const { kind } = body;
  const prefix = await canonicalPrefix(tx, body.prefix, `${path}/prefix`);
  const isV6 = prefix.includes(':');
  if (isV6 !== (kind === 'ipv6_prefix' || kind === 'delegated_prefix'))
    throw invalid(`${path}/prefix`, `is of the wrong family for ${kind}`);
  if (kind === 'ipv4' && !prefix.endsWith('/32')) throw invalid(`${path}/prefix`, 'must be one address');
  await tx.insert(addressAssignment).values({ tenantId: tx.scope.tenantId, subscriptionId, kind, prefix });
}

export async function releaseAddress(tx: Tx, subscriptionId: number, addressId: number): Promise<void> {
  const released = await tx
    .update(addressAssignment)
    .set({ releasedAt: sql`now()` })
    .where(
      and(
        eq(addressAssignment.id, addressId),
        eq(addressAssignment.subscriptionId, subscriptionId),
        isNull(addressAssignment.releasedAt),
      ),
    )
    .returning({ id: addressAssignment.id });
  if (released.length === 0) throw new Problem('address_unknown', `the subscription has no address ${addressId}`);
}
