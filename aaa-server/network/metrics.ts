// What logins ask of the ledger, and how full the pools of addresses are.
import { Counter, Gauge, Histogram, type Registry } from '#ops/runtime/metrics.ts';
import type { PoolUse } from '#policy/ledger/pools.ts';
import type { Pool } from '#policy/network/pool.ts';

export type GateMetrics = ReturnType<typeof createGateMetrics>;

/** Of one worker. */
export function createGateMetrics(registry: Registry) {
  const registers = [registry];
  // Counted once per login, where a look-up of labels would cost more than the rest of it.
  const results = { granted: 0, session_limit: 0, mac: 0, away: 0 };
  new Counter({
    name: 'lastmile_login_asked_total',
    help: 'Logins that asked the ledger, by result; away = it did not answer in time and the login went on without it',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset();
      for (const [result, count] of Object.entries(results)) this.inc({ result }, count);
    },
  });
  const reserve = new Counter({
    name: 'lastmile_pool_reserve_total',
    help: 'Addresses wanted while the ledger was away: given from the reserve, or none left in it',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['given', 'empty']) reserve.inc({ result }, 0);
  return {
    asked(result: keyof typeof results): void {
      results[result]++;
    },
    reserve,
    seconds: new Histogram({
      name: 'lastmile_login_asked_seconds',
      help: 'How long the ledger took to answer a login',
      buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1],
      registers,
    }),
    reserved: new Gauge({
      name: 'lastmile_pool_reserved',
      help: 'Addresses that the workers have at hand for when the ledger is away',
      registers,
    }),
    exhausted: new Counter({
      name: 'lastmile_pool_exhausted_total',
      help: 'Logins that found no free address in a pool and its fallbacks',
      labelNames: ['pool'],
      registers,
    }),
  };
}

export type PoolMetrics = ReturnType<typeof createPoolMetrics>;

/** Of the main thread, which looks at the pools. */
export function createPoolMetrics(registry: Registry) {
  const registers = [registry];
  const labelNames = ['pool', 'tenant'] as const;
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `lastmile_pool_${name}`, help, labelNames, registers });
  const units = gauge('units', 'Addresses or prefixes of a pool that can be leased');
  const used = gauge('used_units', 'Of those: held for a login, with a session, or in a reserve');
  const conflicts = gauge('conflicts', 'Sessions that came up with an address of the pool that another one had, ever');
  const recoveries = gauge('recoveries', 'How often Redis was found to have gone back in time, ever');
  return {
    notes: new Counter({
      name: 'lastmile_pool_notes_total',
      help: 'What sessions told of addresses of pools',
      registers,
    }),
    released: new Counter({
      name: 'lastmile_pool_stale_total',
      help: 'Addresses taken back because their session is over or silent and nobody said so',
      registers,
    }),
    show(pool: Pool, use: PoolUse): void {
      const labels = { pool: pool.name, tenant: String(pool.tenantId) };
      const open = pool.ranges.filter(({ draining }) => !draining);
      units.set(
        labels,
        open.reduce((sum, { size }) => sum + size, 0),
      );
      used.set(
        labels,
        open.reduce((sum, { id }) => sum + (use.byRange.get(id) ?? 0), 0),
      );
      conflicts.set(labels, use.conflicts);
      recoveries.set(labels, use.recoveries);
    },
    forget(): void {
      for (const metric of [units, used, conflicts, recoveries]) metric.reset();
    },
  };
}
