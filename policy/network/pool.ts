// Pools of addresses: what they are made of, and which of them a login may draw from.

export const poolFamilies = ['ipv4', 'ipv6_prefix', 'delegated_prefix'] as const;
export type PoolFamily = (typeof poolFamilies)[number];

export const exhaustedAnswers = ['reject', 'nas'] as const;
/** What a login gets when no address is free: a reject, or an Accept without one (the access server has pools of its own). */
export type ExhaustedAnswer = (typeof exhaustedAnswers)[number];

/** Equal units side by side: addresses, or prefixes of the pool's length. */
export type PoolRange = {
  readonly id: number;
  /** Address of the first unit, e.g. `100.64.0.1` or `2001:db8::`. */
  readonly first: string;
  /** How many units, < 2^48. */
  readonly size: number;
  /** Nothing new is leased from it; what is leased stays until it ends. */
  readonly draining: boolean;
  /** Absent: long ago. */
  readonly createdAtMs?: number;
};

/** So long a range counts as new: sessions may have its addresses from elsewhere, which the ledger looks for first. */
const newForMs = 24 * 3_600_000;

export function isNewRange({ createdAtMs }: PoolRange, nowMs: number): boolean {
  return createdAtMs !== undefined && nowMs - createdAtMs < newForMs;
}

export type Pool = {
  readonly tenantId: number;
  readonly id: number;
  readonly name: string;
  readonly family: PoolFamily;
  /** Lower goes first among pools of an access server. */
  readonly priority: number;
  /** Asked when this one has nothing free. */
  readonly fallbackId: number | null;
  /** Only logins at this access server; null: at every one. */
  readonly nasId: number | null;
  readonly onExhausted: ExhaustedAnswer;
  /** Length of a unit as a prefix: 32 for IPv4, e.g. 64 or 56. */
  readonly unitLength: number;
  /** How long an address that was released is kept from other subscriptions. */
  readonly coolDownMs: number;
  /** How many units each worker keeps in reserve for when Redis is away. */
  readonly reserve: number;
  readonly ranges: readonly PoolRange[];
};

/** A chain of fallbacks longer than this is cut; a circle ends anyway. */
const longestChain = 8;

/**
 * The pools to be asked one after the other: the wanted one and its fallbacks, without those of another access server. When none of
 * them serves this access server, its own pools of the family, by priority.
 */
export function poolsFor(
  pools: readonly Pool[],
  wanted: { readonly poolId: number; readonly family: PoolFamily; readonly nasId: number },
): Pool[] {
  const serves = (pool: Pool) => pool.family === wanted.family && (pool.nasId === null || pool.nasId === wanted.nasId);
  const chain: Pool[] = [];
  let next: number | null = wanted.poolId;
  while (next !== null && chain.length < longestChain) {
    const pool: Pool | undefined = pools.find(({ id }) => id === next);
    if (!pool || chain.includes(pool)) break;
    chain.push(pool);
    next = pool.fallbackId;
  }
  const served = chain.filter(serves);
  if (served.length > 0) return served;
  return pools
    .filter((pool) => pool.nasId !== null && serves(pool))
    .sort((a, b) => a.priority - b.priority || a.id - b.id)
    .slice(0, longestChain);
}
