// The speed of a suspended subscriber who stays online.
import { type FupPlan, lowestFupSpeed } from '../fup/effect.ts';
import type { Speed } from '../speed.ts';

const leastBps = 64_000;

/** The tariff's lowest FUP speed, else a tenth of its own but not below 64 kbps. */
export function suspendedSpeed(plan: FupPlan): Speed {
  const tenth = (bps: number) => Math.min(bps, Math.max(leastBps, Math.floor(bps / 10)));
  return lowestFupSpeed(plan) ?? { upBps: tenth(plan.speed.upBps), downBps: tenth(plan.speed.downBps) };
}
