// Addresses that a worker keeps in reserve, to hand out while Redis is away. A reserve dies with its worker: nothing of it is given twice.
import { hash } from 'node:crypto';
import type { Clock } from '#ops/runtime/clock.ts';
import { type HandedOut, type PoolLedger, reserveMs } from '#policy/ledger/pools.ts';
import type { Pool } from '#policy/network/pool.ts';

export type Reserves = {
  /** The pool is in use here: from the next round on there is a reserve of it. */
  wanted(pool: Pool): void;
  /** A unit for the login, the same for the same holder; undefined when nothing is left. */
  take(pool: Pool, subscriptionId: number, holder: string, holdMs: number): string | undefined;
  /** Tells what was handed out, renews and fills up. */
  renew(): Promise<void>;
  /** Units at hand. */
  size(): number;
};

/** `holdMs`: so long it waits for its session once the ledger knows. */
type Handed = HandedOut & { readonly holdMs: number };
type Reserve = { pool: Pool; free: string[]; handed: Map<string, Handed>; renewedAtMs: number };

/** The ledger forgets it later: clocks may differ, and a reply be late. */
const trustMs = reserveMs / 2;
const mostPools = 1000;

/** @param owner different for every start of every worker */
export function createReserves(
  ledger: () => Pick<PoolLedger, 'reserve' | 'settle'>,
  owner: string,
  clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
): Reserves {
  const reserves = new Map<number, Reserve>();

  async function renewOne(reserve: Reserve): Promise<void> {
    const { pool } = reserve;
    const told = [...reserve.handed.values()];
    const longestMs = Math.max(...told.map(({ holdMs }) => holdMs));
    if (told.length > 0) await ledger().settle(pool, owner, told, clock.nowMs(), longestMs);
    for (const { holder } of told) reserve.handed.delete(holder);
    const renewedAtMs = clock.monotonicMs();
    const units = await ledger().reserve(pool, owner, Math.max(0, pool.reserve - reserve.free.length), clock.nowMs());
    // What was handed out meanwhile is in the answer still; what the ledger does not know is not ours any more.
    const out = new Set([...reserve.handed.values(), ...told].map(({ unit }) => unit));
    reserve.free = units.filter((unit) => !out.has(unit));
    reserve.renewedAtMs = renewedAtMs;
  }

  return {
    wanted(pool) {
      const known = reserves.get(pool.id);
      if (known) known.pool = pool;
      else if (pool.reserve > 0 && reserves.size < mostPools) {
        reserves.set(pool.id, { pool, free: [], handed: new Map(), renewedAtMs: Number.NEGATIVE_INFINITY });
      }
    },
    take(pool, subscriptionId, holder, holdMs) {
      const reserve = reserves.get(pool.id);
      if (!reserve || clock.monotonicMs() - reserve.renewedAtMs > trustMs) return undefined;
      const before = reserve.handed.get(holder);
      if (before) return before.unit;
      const unit = reserve.free.pop();
      if (unit !== undefined) reserve.handed.set(holder, { unit, subscriptionId, holder, holdMs });
      return unit;
    },
    async renew() {
      for (const reserve of reserves.values()) await renewOne(reserve);
    },
    size: () => [...reserves.values()].reduce((sum, { free }) => sum + free.length, 0),
  };
}

/** Names the reserve of one start of a worker. */
export function reserveOwner(node: string, start: string): string {
  return hash('sha256', `${node}\n${start}`).slice(0, 20);
}
