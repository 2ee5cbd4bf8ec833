// Reads address pools from the database, and how full they are and who has what from the ledger.
import { asc, eq, inArray, sql } from 'drizzle-orm';
import type { Static } from 'typebox';
import type { Lease, PoolUse } from '#policy/ledger/pools.ts';
import type { Pool } from '#policy/network/pool.ts';
import { addressOfUnit, createUnitIndex } from '#policy/network/units.ts';
import type { Conn, TenantScope } from '../database/connect.ts';
import { inOrder, pageOf } from '../database/list.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { read } from '../database/read.ts';
import type { Deps } from '../deps.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { Problem } from '../problem.ts';
import { type LeaseQuery, type LeaseReply, type LeasesReply, type PoolReply, poolList } from './contract.ts';
import { addressPool, addressPoolRange } from './schema.ts';

type Row = typeof addressPool.$inferSelect;
type Range = typeof addressPoolRange.$inferSelect;
export type StoredPool = { readonly row: Row; readonly ranges: readonly Range[] };

export async function listPools(
  { db, network }: Pick<Deps, 'db' | 'network'>,
  scope: TenantScope,
  query: ListQuery,
): Promise<{ data: PoolReply[]; pagination: Pagination }> {
  const { pools, pagination } = await read(db, scope, (conn) => poolPage(conn, query));
  const uses = await fromLedger(() => Promise.all(pools.map(({ row }) => network.poolUse(row.id))));
  return { data: pools.map((pool, index) => showPool(pool, uses[index] ?? null)), pagination };
}

export async function poolWithUse(
  { db, network }: Pick<Deps, 'db' | 'network'>,
  scope: TenantScope,
  id: number,
): Promise<PoolReply> {
  const pool = await read(db, scope, (conn) => poolOf(conn, id));
  return showPool(pool, await fromLedger(() => network.poolUse(id)));
}

export async function poolOf(conn: Pick<Conn, 'select'>, id: number): Promise<StoredPool> {
  const [row] = await conn.select().from(addressPool).where(eq(addressPool.id, id));
  if (!row) throw new Problem('pool_unknown', `there is no address pool ${id}`);
  return { row, ranges: await rangesOf(conn, [id]) };
}

export async function listLeases(
  { db, network }: Pick<Deps, 'db' | 'network'>,
  scope: TenantScope,
  id: number,
  { per_page = 100, cursor = '0', state }: Static<typeof LeaseQuery>,
): Promise<Static<typeof LeasesReply>> {
  const pool = networkPool(await read(db, scope, (conn) => poolOf(conn, id)));
  const { leases, nextCursor } = await fromLedger(() => network.leases(id, cursor, per_page));
  const wanted = state === undefined ? leases : leases.filter((lease) => lease.state === state);
  return { data: wanted.flatMap((lease) => showLease(pool, lease)), next_cursor: nextCursor };
}

/** The unit that the address or prefix is. */
export function unitOf(pool: StoredPool, address: string): string {
  const found = createUnitIndex([networkPool(pool)]).find(pool.row.family, address);
  if (!found) throw new Problem('lease_unknown', `${address} is no address of the pool`);
  return found.unit;
}

export function showPool({ row, ranges }: StoredPool, use: PoolUse | null): PoolReply {
  return {
    id: row.id,
    name: row.name,
    family: row.family,
    unit_length: row.unitLength,
    priority: row.priority,
    fallback_id: row.fallbackId,
    nas_id: row.nasId,
    on_exhausted: row.onExhausted,
    cool_down_s: row.coolDownS,
    reserve: row.reserve,
    ranges: ranges.map(({ id, first, last, size, draining }) => ({
      ...{ id, first, last, size, draining },
      used: use ? (use.byRange.get(id) ?? 0) : null,
    })),
    size: ranges.reduce((sum, { size, draining }) => sum + (draining ? 0 : size), 0),
    usage: use && {
      used: use.used,
      exhausted: use.exhausted,
      conflicts: use.conflicts,
      recoveries: use.recoveries,
    },
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

async function poolPage(conn: Conn, query: ListQuery): Promise<{ pools: StoredPool[]; pagination: Pagination }> {
  const words = query.search;
  const search =
    words === undefined
      ? undefined
      : {
          matches: sql`position(lower(${words}::text) in lower(${addressPool.name})) > 0`,
          exact: sql`${addressPool.name} = ${words}::text`,
        };
  const { ids, pagination } = await pageOf(conn, poolList, query, search);
  if (ids.length === 0) return { pools: [], pagination };
  const rows = inOrder(ids, await conn.select().from(addressPool).where(inArray(addressPool.id, ids)));
  const ranges = Map.groupBy(await rangesOf(conn, ids), ({ poolId }) => poolId);
  return { pools: rows.map((row) => ({ row, ranges: ranges.get(row.id) ?? [] })), pagination };
}

function rangesOf(conn: Pick<Conn, 'select'>, poolIds: readonly number[]): Promise<Range[]> {
  return conn
    .select()
    .from(addressPoolRange)
    .where(inArray(addressPoolRange.poolId, [...poolIds]))
    .orderBy(asc(addressPoolRange.id));
}

/** As the edge knows it. */
function networkPool({ row, ranges }: StoredPool): Pool {
  const { coolDownS, createdAt: _, updatedAt: __, ...same } = row;
  return { ...same, coolDownMs: coolDownS * 1000, ranges };
}

function showLease(pool: Pool, lease: Lease): LeaseReply[] {
  const address = addressOfUnit(pool, lease.unit);
  if (address === undefined) return [];
  return [
    {
      address,
      state: lease.state,
      since: new Date(lease.sinceMs).toISOString(),
      subscription_id: lease.subscriptionId === 0 ? null : lease.subscriptionId,
    },
  ];
}
