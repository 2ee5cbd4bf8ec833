// Asks the ledger what a login needs, within its budget; where Redis is away limits fail open and addresses come from the reserve.
import { createBreaker } from '#ops/lanes/breaker.ts';
import type { Clock } from '#ops/runtime/clock.ts';
import { createPatience } from '#ops/runtime/patience.ts';
import type { LoginAsk, LoginGrant, LoginLedger } from '#policy/ledger/login.ts';
import type { Pool } from '#policy/network/pool.ts';
import { addressOfUnit } from '#policy/network/units.ts';
import type { AddressRecord } from '../subscribers/records.ts';
import type { GateMetrics } from './metrics.ts';
import type { LoginNeed } from './need.ts';
import type { Reserves } from './reserve.ts';

export const gateRefusals = ['session_limit', 'mac_not_allowed', 'pool_exhausted'] as const;
export type GateRefusal = (typeof gateRefusals)[number];

export type GateAnswer =
  | { readonly kind: 'go'; readonly addresses: readonly AddressRecord[] }
  | { readonly kind: 'refused'; readonly reason: GateRefusal }
  /** Nobody can say whether an address is free: no answer, and the access server asks the next one. */
  | { readonly kind: 'unavailable' };

/** `unsure`: a pool could not be asked, or recovers; it may have had something. */
type Found = { address: AddressRecord | null; unsure: boolean };

export type LoginGate = { ask(need: LoginNeed): Promise<GateAnswer> };

export type LoginGateOptions = {
  /** Throws while there is no connection yet. */
  ledger(): LoginLedger;
  readonly reserves: Reserves;
  readonly clock: Clock;
  readonly metrics: GateMetrics;
  /** A login waits so long for Redis, and no longer. */
  readonly budgetMs: number;
  readonly random?: () => number;
};

export function createLoginGate(options: LoginGateOptions): LoginGate {
  const { clock, reserves, metrics, budgetMs } = options;
  const breaker = createBreaker(options.random);
  let closedUntilMs = Number.NEGATIVE_INFINITY;

  const within = createPatience(clock, 'the ledger took too long');

  /** Null: Redis is away, or too slow. */
  function attempt(
    need: LoginNeed,
    pools: readonly Pool[],
    deadlineMs: number,
    isFirst: boolean,
  ): Promise<LoginGrant | null> {
    const startedMs = clock.monotonicMs();
    if (startedMs < closedUntilMs) return away;
    const answered = (grant: LoginGrant) => {
      metrics.seconds.observe((clock.monotonicMs() - startedMs) / 1000);
      breaker.succeeded();
      return grant;
    };
    const failed = () => {
      // Counted; the breaker's owner sees it by /readyz and the alarm for Redis.
      metrics.asked('away');
      // Of the calls that were under way together the first failure counts.
      if (startedMs >= closedUntilMs) closedUntilMs = clock.monotonicMs() + breaker.failed();
      return null;
    };
    let call: Promise<LoginGrant>;
    try {
      call = options.ledger().ask(askOf(need, pools, isFirst));
    } catch {
      return Promise.resolve(failed());
    }
    return within(call, deadlineMs).then(answered, failed);
  }

  /** As to its session and its device a login is let in once. */
  function askOf(need: LoginNeed, pools: readonly Pool[], isFirst: boolean): LoginAsk {
    const { tenantId, subscriptionId, place, oneSession, poolHoldMs, holder } = need;
    const { limit, mac } = isFirst ? need : noLimits;
    const drawn = pools.map((pool) => ({ pool, holder }));
    return { nowMs: clock.nowMs(), tenantId, subscriptionId, place, oneSession, poolHoldMs, limit, mac, pools: drawn };
  }

  /** What the first pools gave. */
  function drawn(need: LoginNeed, grant: LoginGrant & { kind: 'granted' }): Found[] {
    return need.pools.map(({ pools }, index) => ({
      address: addressIn(pools[0], grant.units[index] ?? null),
      unsure: grant.recovering[index] ?? false,
    }));
  }

  /** Down the chains of fallbacks, as long as something is missing. */
  async function fallBack(need: LoginNeed, found: Found[], deadlineMs: number): Promise<GateAnswer> {
    for (let step = 1; !isComplete(found); step++) {
      const missing = need.pools.flatMap((wanted, index) => {
        const pool = wanted.pools[step];
        const before = found[index];
        return before && !before.address && pool ? [{ before, pool }] : [];
      });
      if (missing.length === 0) break;
      const pools = missing.map(({ pool }) => pool);
      const next = await attempt(need, pools, deadlineMs, false);
      for (const [at, { before, pool }] of missing.entries()) {
        const answered = next?.kind === 'granted' ? next : null;
        before.address = answered ? addressIn(pool, answered.units[at] ?? null) : fromReserve(need, pool);
        if (!answered || answered.recovering[at]) before.unsure = true;
      }
    }
    return answer(need, found);
  }

  function fromReserve({ subscriptionId, holder, poolHoldMs }: LoginNeed, pool: Pool): AddressRecord | null {
    const address = addressIn(pool, reserves.take(pool, subscriptionId, holder, poolHoldMs) ?? null);
    metrics.reserve.inc({ result: address ? 'given' : 'empty' });
    return address;
  }

  function answer(need: LoginNeed, found: readonly Found[]): GateAnswer {
    let unavailable = false;
    let exhausted = false;
    for (const [index, { pools }] of need.pools.entries()) {
      const { address = null, unsure = true } = found[index] ?? {};
      if (address) continue;
      if (!unsure) metrics.exhausted.inc({ pool: pools[0]?.name ?? '' });
      if (pools[0]?.onExhausted !== 'reject') continue;
      if (unsure) unavailable = true;
      else exhausted = true;
    }
    if (exhausted) return { kind: 'refused', reason: 'pool_exhausted' };
    if (unavailable) return { kind: 'unavailable' };
    const addresses: AddressRecord[] = [];
    for (const { address } of found) if (address) addresses.push(address);
    return { kind: 'go', addresses };
  }

  /** Sessions are not counted then, and a device is only refused when the mirror knows that there is no place for it. */
  function withoutRedis(need: LoginNeed): GateAnswer {
    if (need.mac?.mode === 'lock' && need.macsFull) return { kind: 'refused', reason: 'mac_not_allowed' };
    const found = need.pools.map(({ pools }) => ({
      address: firstOf(pools, (pool) => fromReserve(need, pool)),
      unsure: true,
    }));
    return answer(need, found);
  }

  return {
    ask(need) {
      const deadlineMs = clock.monotonicMs() + budgetMs;
      const first: Pool[] = [];
      for (const { pools } of need.pools) {
        for (const pool of pools) reserves.wanted(pool);
        if (pools[0]) first.push(pools[0]);
      }
      return attempt(need, first, deadlineMs, true).then((grant) => {
        if (!grant) return withoutRedis(need);
        if (grant.kind === 'refused') {
          metrics.asked(grant.by);
          return { kind: 'refused', reason: grant.by === 'mac' ? 'mac_not_allowed' : 'session_limit' };
        }
        metrics.asked('granted');
        const found = drawn(need, grant);
        return isComplete(found) ? answer(need, found) : fallBack(need, found, deadlineMs);
      });
    },
  };
}

const away = Promise.resolve(null);
const isComplete = (found: readonly Found[]) => found.every(({ address }) => address);

const noLimits: Pick<LoginNeed, 'limit' | 'mac'> = {};

function addressIn(pool: Pool | undefined, unit: string | null): AddressRecord | null {
  const text = pool && unit !== null ? addressOfUnit(pool, unit) : undefined;
  if (!pool || text === undefined) return null;
  return { kind: pool.family, prefix: pool.family === 'ipv4' ? `${text}/32` : text };
}

function firstOf<T, R>(list: readonly T[], find: (item: T) => R | null): R | null {
  for (const item of list) {
    const found = find(item);
    if (found !== null) return found;
  }
  return null;
}
