// Makes and changes address pools; ranges come, drain and go. What they are lies in the database, who has which address does not.
import { and, eq, sql } from 'drizzle-orm';
import type { PoolUse } from '#policy/ledger/pools.ts';
import { formatIp, parseIp } from '#policy/network/address.ts';
import type { Tx } from '../database/connect.ts';
import { canonicalPrefix } from '../database/prefix.ts';
import { invalid, Problem } from '../problem.ts';
import type { PoolBody, PoolChange, PoolReply, RangeBody } from './contract.ts';
import { poolOf, showPool } from './queries.ts';
import { addressPool, addressPoolRange } from './schema.ts';

/** 2^32 units are more than any table of live leases should hold. */
const mostUnits = 2n ** 32n;

export async function createPool(tx: Tx, body: PoolBody): Promise<PoolReply> {
  const { name, family } = body;
  const unitLength = body.unit_length ?? (family === 'ipv4' ? 32 : family === 'ipv6_prefix' ? 64 : 56);
  if (family === 'ipv4' && unitLength !== 32) throw invalid('/unit_length', 'is 32 for IPv4');
  const values = { tenantId: tx.scope.tenantId, name, family, unitLength, ...columnsOf(body) };
  const [made] = await tx.insert(addressPool).values(values).returning();
  if (!made) throw new Error('the pool was not inserted');
  for (const [index, range] of (body.ranges ?? []).entries()) {
    await addRange(tx, made, range, `/ranges/${index}`);
  }
  tx.audit('address_pool', made.id, body);
  return showPool(await poolOf(tx, made.id), null);
}

export async function changePool(tx: Tx, id: number, change: PoolChange): Promise<PoolReply> {
  if (Object.keys(change).length === 0) throw invalid('', 'names nothing to change');
  if (change.fallback_id === id) throw invalid('/fallback_id', 'names the pool itself');
  const [changed] = await tx
    .update(addressPool)
    .set({
      ...(change.name === undefined ? {} : { name: change.name }),
      ...columnsOf(change),
      updatedAt: sql`now()`,
    })
    .where(eq(addressPool.id, id))
    .returning();
  if (!changed) throw new Problem('pool_unknown', `there is no address pool ${id}`);
  tx.audit('address_pool', id, change);
  return showPool(await poolOf(tx, id), null);
}

/** A pool that nobody uses. `use` was read before: what is leased in between stays with its session and is noted by nobody. */
export async function removePool(tx: Tx, id: number, use: PoolUse): Promise<void> {
  await poolOf(tx, id);
  if (use.used > 0) throw new Problem('pool_in_use', `${use.used} of its addresses are leased: drain its ranges first`);
  const users = await tx.execute<{ what: string }>(
    sql`SELECT 'a tariff' AS what FROM tariff WHERE ${id}::bigint IN (ipv4_pool_id, ipv6_pool_id, delegated_pool_id)
      UNION ALL SELECT 'a subscription' FROM subscription WHERE ${id}::bigint IN (ipv4_pool_id, ipv6_pool_id, delegated_pool_id)
      UNION ALL SELECT 'another pool' FROM address_pool WHERE fallback_id = ${id}::bigint LIMIT 1`,
  );
  const [user] = users.rows;
  if (user) throw new Problem('pool_in_use', `${user.what} names it`);
  const [removed] = await tx.delete(addressPool).where(eq(addressPool.id, id)).returning({ name: addressPool.name });
  if (!removed) throw new Problem('pool_unknown', `there is no address pool ${id}`);
  tx.audit('address_pool', id, removed);
}

export async function growPool(tx: Tx, id: number, body: RangeBody): Promise<PoolReply> {
  const { row } = await poolOf(tx, id);
  await addRange(tx, row, body, '');
  tx.audit('address_pool', id, body);
  return showPool(await poolOf(tx, id), null);
}

export async function drainRange(tx: Tx, id: number, rangeId: number, draining: boolean): Promise<PoolReply> {
  const [changed] = await tx
    .update(addressPoolRange)
    .set({ draining })
    .where(and(eq(addressPoolRange.id, rangeId), eq(addressPoolRange.poolId, id)))
    .returning({ id: addressPoolRange.id });
  if (!changed) throw new Problem('pool_range_unknown', `pool ${id} has no range ${rangeId}`);
  tx.audit('address_pool', id, { range_id: rangeId, draining });
  return showPool(await poolOf(tx, id), null);
}

/** Only what was drained goes: the edge gives nothing of it any more. */
export async function removeRange(tx: Tx, id: number, rangeId: number, use: PoolUse): Promise<void> {
  const [removed] = await tx
    .delete(addressPoolRange)
    .where(and(eq(addressPoolRange.id, rangeId), eq(addressPoolRange.poolId, id)))
    .returning();
  if (!removed) throw new Problem('pool_range_unknown', `pool ${id} has no range ${rangeId}`);
  if (!removed.draining) throw new Problem('pool_in_use', 'drain the range first');
  const used = use.byRange.get(rangeId) ?? 0;
  if (used > 0) throw new Problem('pool_in_use', `${used} of its addresses are leased`);
  tx.audit('address_pool', id, { range_id: rangeId, first: removed.first, last: removed.last });
}

async function addRange(tx: Tx, pool: typeof addressPool.$inferSelect, body: RangeBody, path: string): Promise<void> {
  const { first, last, size } = await spanOf(tx, pool, body, path);
  await tx.insert(addressPoolRange).values({ tenantId: tx.scope.tenantId, poolId: pool.id, first, last, size });
}

async function spanOf(
  tx: Tx,
  { family, unitLength }: typeof addressPool.$inferSelect,
  body: RangeBody,
  path: string,
): Promise<{ first: string; last: string; size: number }> {
  if ('first' in body) {
    const [first, last] = [parseIp(body.first), parseIp(body.last)];
    if (family !== 'ipv4') throw invalid(`${path}/first`, 'only IPv4 ranges have a first and a last; name a prefix');
    if (first?.bits !== 32) throw invalid(`${path}/first`, 'must be an IPv4 address');
    if (last?.bits !== 32 || last.value < first.value)
      throw invalid(`${path}/last`, 'must be an IPv4 address behind first');
    return { first: formatIp(first), last: formatIp(last), size: Number(last.value - first.value + 1n) };
  }
  const prefix = await canonicalPrefix(tx, body.prefix, `${path}/prefix`);
  const [text = '', lengthText] = prefix.split('/');
  const first = parseIp(text);
  const length = Number(lengthText);
  if (!first || (first.bits === 32) !== (family === 'ipv4'))
    throw invalid(`${path}/prefix`, `is of the wrong family for ${family}`);
  if (length > unitLength) throw invalid(`${path}/prefix`, `is longer than /${unitLength}, which a session gets`);
  const units = 1n << BigInt(unitLength - length);
  if (units > mostUnits) throw invalid(`${path}/prefix`, `has more than 2^32 prefixes of /${unitLength}`);
  const last = { bits: first.bits, value: first.value + (1n << BigInt(first.bits - length)) - 1n };
  return { first: formatIp(first), last: formatIp(last), size: Number(units) };
}

function columnsOf(body: Omit<PoolChange, 'name'>) {
  return {
    ...(body.priority === undefined ? {} : { priority: body.priority }),
    ...(body.fallback_id === undefined ? {} : { fallbackId: body.fallback_id }),
    ...(body.nas_id === undefined ? {} : { nasId: body.nas_id }),
    ...(body.on_exhausted === undefined ? {} : { onExhausted: body.on_exhausted }),
    ...(body.cool_down_s === undefined ? {} : { coolDownS: body.cool_down_s }),
    ...(body.reserve === undefined ? {} : { reserve: body.reserve }),
  };
}
