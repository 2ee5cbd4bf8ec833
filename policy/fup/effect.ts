// The speed that a fair-use rule leaves of a tariff's speed.
import { isSameSpeed, type Speed, slowerOf } from '../speed.ts';
import type { FupEffect, FupRule } from './rules.ts';

/** What fair use asks of a tariff. */
export type FupPlan = { readonly speed: Speed; readonly fupRules: readonly FupRule[] };

const leastBps = 1000;

/** Never faster than the tariff, never below 1 kbps; null for a block. */
export function speedUnder(effect: FupEffect, tariff: Speed): Speed | null {
  switch (effect.kind) {
    case 'speed':
      return slowerOf(tariff, effect);
    case 'reduce': {
      const reduced = (bps: number) => Math.max(leastBps, Math.floor((bps * (100 - effect.percent)) / 100));
      return slowerOf(tariff, { upBps: reduced(tariff.upBps), downBps: reduced(tariff.downBps) });
    }
    case 'block':
      return null;
  }
  return effect satisfies never;
}

/** The lowest speed the tariff's rules can lead to, each direction by itself; null when none is below the tariff's own. */
export function lowestFupSpeed(plan: FupPlan): Speed | null {
  const lowest = plan.fupRules
    .map((rule) => speedUnder(rule.effect, plan.speed))
    .filter((speed) => speed !== null)
    .reduce(slowerOf, plan.speed);
  return isSameSpeed(lowest, plan.speed) ? null : lowest;
}
