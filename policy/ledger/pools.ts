// Pools of addresses in Redis beside the logins: sessions confirm and end leases, nodes keep reserves, people look. Rules: ops/docs/aaa/addresses.md.
import type { Cluster, Redis } from 'ioredis';
import type { Pool } from '../network/pool.ts';
import { createFunctionCaller } from './call.ts';
import { keys } from './keys.ts';
import { rangesText, type SeenSequences, settleMs } from './login.ts';

/** A session has the unit, or has it no more. */
export type UnitNote = {
  readonly unit: string;
  /** 0: nobody's. */
  readonly subscriptionId: number;
  readonly sessionKey: string;
  readonly incarnation: number;
  /** Instant of the event. */
  readonly atMs: number;
  /** lost: nobody said that it ended, but it is not to be found. */
  readonly open: boolean | 'lost';
};

/** A unit whose session is to be looked at: nothing was heard that ends it. */
export type DueUnit = Omit<UnitNote, 'open'>;

export const leaseStates = ['held', 'live', 'reserve', 'free'] as const;
export type LeaseState = (typeof leaseStates)[number];

export type Lease = {
  readonly unit: string;
  /** held: a login was given it. live: a session has it. reserve: a node may give it while Redis is away. free: it was used. */
  readonly state: LeaseState;
  readonly sinceMs: number;
  /** Who has it, or had it last; 0 for a reserve. */
  readonly subscriptionId: number;
  readonly sessionKey: string;
};

export type PoolUse = {
  /** Held, live or in a reserve. */
  readonly used: number;
  /** Logins that found nothing free, ever. */
  readonly exhausted: number;
  /** Sessions that came up with an address that another one had. */
  readonly conflicts: number;
  /** How often the store was found to have gone back in time. */
  readonly recoveries: number;
  readonly byRange: ReadonlyMap<number, number>;
};

export type HandedOut = { readonly unit: string; readonly subscriptionId: number; readonly holder: string };

/** After this long the session of a live unit is looked at, whatever was heard. */
export const checkMs = 30 * 60_000;
/** So long a reserve stands without being renewed. */
export const reserveMs = 24 * 3_600_000;

export function createPoolLedger(redis: Redis | Cluster, seen: SeenSequences = new Map()) {
  const { call } = createFunctionCaller(redis, () => {});
  const onPool = (name: string, poolId: number, args: readonly (string | number)[]) =>
    call(name, [keys.pool(poolId)], [poolId, ...args]);

  return {
    /** Returns how many notes changed something; those that tell nothing new are ignored. */
    async note(pool: Pool, notes: readonly UnitNote[], nowMs: number): Promise<number> {
      const texts = notes.flatMap(({ unit, subscriptionId, sessionKey, incarnation, atMs, open }) => [
        ...[unit, subscriptionId, sessionKey, incarnation, atMs, open === 'lost' ? open : Number(open)],
      ]);
      return (await onPool('pool_note', pool.id, [nowMs, checkMs, pool.coolDownMs, ...texts])) as number;
    },

    /** Live units to be looked at; each comes again after `againMs` unless it is noted as ended. */
    async due(pool: Pool, nowMs: number, againMs: number, count: number): Promise<DueUnit[]> {
      const found = (await onPool('pool_due', pool.id, [nowMs, againMs, count])) as string[];
      return Array.from({ length: found.length / 5 }, (_, index) => {
        const [unit = '', sub = '', inc = '', sessionKey = '', at = ''] = found.slice(5 * index, 5 * index + 5);
        return { unit, subscriptionId: Number(sub), incarnation: Number(inc), sessionKey, atMs: Number(at) };
      });
    },

    /** Ends holds and reserves whose time is over. `unsettled`: sessions are still being brought back, a recovery goes on. */
    async tend(pool: Pool, nowMs: number, count: number, unsettled = false): Promise<void> {
      await onPool('pool_tend', pool.id, [nowMs, pool.coolDownMs, count, unsettled ? settleMs : 0]);
    },

    /** Renews the reserve of `owner` and adds `want` units to it. @returns every unit of it */
    async reserve(pool: Pool, owner: string, want: number, nowMs: number): Promise<string[]> {
      const times = [nowMs, owner, nowMs + reserveMs, want, pool.coolDownMs, settleMs];
      const known = seen.get(pool.id) ?? 0;
      const answer = await onPool('pool_block', pool.id, [...times, known, rangesText(pool, nowMs)]);
      const [sequence, ...units] = answer as [number, ...string[]];
      seen.set(pool.id, Math.max(known, sequence));
      return units;
    },

    /** Which of these ranges were not looked through yet. */
    async unseen(poolId: number, rangeIds: readonly number[]): Promise<number[]> {
      if (rangeIds.length === 0) return [];
      const found = await redis.hmget(keys.pool(poolId), ...rangeIds.map((id) => `w:${id}`));
      return rangeIds.filter((_, index) => found[index] === null);
    },

    /** Every session that has a unit of these ranges is noted: they may be leased from. */
    async seen(poolId: number, rangeIds: readonly number[]): Promise<void> {
      await redis.hset(keys.pool(poolId), ...rangeIds.flatMap((id) => [`w:${id}`, 1]));
    },

    /** What was handed out of the reserve of `owner` while Redis was away. */
    async settle(
      pool: Pool,
      owner: string,
      handed: readonly HandedOut[],
      nowMs: number,
      holdMs: number,
    ): Promise<number> {
      const texts = handed.flatMap(({ unit, subscriptionId, holder }) => [unit, subscriptionId, holder]);
      return (await onPool('pool_settle', pool.id, [nowMs, owner, holdMs, ...texts])) as number;
    },

    /** Frees a unit for everybody, whoever has it; false when nobody had. */
    async free(poolId: number, unit: string, nowMs: number): Promise<boolean> {
      return (await onPool('pool_free', poolId, [unit, nowMs])) === 1;
    },
  };
}

export type PoolLedger = ReturnType<typeof createPoolLedger>;

export async function readPoolUse(redis: Redis | Cluster, poolId: number): Promise<PoolUse> {
  const fields = await redis.hgetall(keys.pool(poolId));
  const number = (name: string) => Number(fields[name] ?? 0);
  const byRange = new Map<number, number>();
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith('n:')) byRange.set(Number(name.slice(2)), Number(value));
  }
  const used = [...byRange.values()].reduce((sum, count) => sum + count, 0);
  return {
    ...{ used, exhausted: number('exhausted'), conflicts: number('conflicts') },
    ...{ recoveries: number('recoveries'), byRange },
  };
}

export type LeasePage = { readonly leases: readonly Lease[]; readonly nextCursor: string | null };

/** Leases of a pool in no order, about `count` at a time. One that changes meanwhile may come twice. */
export async function listLeases(
  redis: Redis | Cluster,
  poolId: number,
  cursor: string,
  count: number,
): Promise<LeasePage> {
  const [next, fields] = await redis.hscan(`${keys.pool(poolId)}:u`, cursor, 'COUNT', count);
  const leases: Lease[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const lease = leaseOf(fields[i] ?? '', fields[i + 1] ?? '');
    if (lease) leases.push(lease);
  }
  return { leases, nextCursor: next === '0' ? null : next };
}

/** Null when the unit was never used. */
export async function readLease(redis: Redis | Cluster, poolId: number, unit: string): Promise<Lease | null> {
  const text = await redis.hget(`${keys.pool(poolId)}:u`, unit);
  return text === null ? null : (leaseOf(unit, text) ?? null);
}

const states: Readonly<Record<string, LeaseState>> = { h: 'held', l: 'live', b: 'reserve', f: 'free' };

/** `<state>|<instant>|<subscription>|<holder>|<incarnation>|<session key>` of lua/leases.lua. */
function leaseOf(unit: string, text: string): Lease | undefined {
  const [code = '', at = '', sub = '', _holder, _incarnation, ...session] = text.split('|');
  const state = states[code];
  if (!state) return undefined;
  return { unit, state, sinceMs: Number(at), subscriptionId: Number(sub), sessionKey: session.join('|') };
}
