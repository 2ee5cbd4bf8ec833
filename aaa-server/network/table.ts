// The pools of each tenant as a worker knows them, made anew when one of them changes.
import type { Pool } from '#policy/network/pool.ts';
import type { SnapshotReader } from '../subscribers/records.ts';

export type PoolTable = { of(tenantId: number): readonly Pool[] };

const none: readonly Pool[] = [];

export function createPoolTable(snapshot: Pick<SnapshotReader, 'poolList' | 'nasGeneration'>): PoolTable {
  let generation = Number.NaN;
  let byTenant = new Map<number, Pool[]>();
  return {
    of(tenantId) {
      const now = snapshot.nasGeneration();
      if (now !== generation) {
        generation = now;
        byTenant = Map.groupBy(snapshot.poolList(), (pool) => pool.tenantId);
      }
      return byTenant.get(tenantId) ?? none;
    },
  };
}
