// Every speed that a subscriber of a tariff may be given: what an access server must be able to tell.
import { speedUnder } from '../fup/effect.ts';
import { isSameSpeed, type Speed, slowerOf } from '../speed.ts';
import type { AccessPlan } from './decide.ts';
import type { Outcome } from './outcome.ts';
import { suspendedSpeed } from './suspended-speed.ts';

type SpeedPlan = Pick<AccessPlan, 'speed' | 'fupRules' | 'suspendAction'>;

/** The tariff's own, what its fair-use rules leave alone and together, and that of a suspended subscriber who stays online. */
export function speedsOfPlan(plan: SpeedPlan): Speed[] {
  const found = new Map<string, Speed>();
  const note = (speed: Speed) => found.set(`${speed.upBps}/${speed.downBps}`, speed);
  note(plan.speed);
  const lower = plan.fupRules.flatMap((rule) => speedUnder(rule.effect, plan.speed) ?? []);
  if (plan.suspendAction === 'throttle') lower.push(suspendedSpeed(plan));
  // Restrictions add up to the lower of each direction: one pass over what is there so far finds every combination.
  for (const speed of lower) for (const other of [...found.values()]) note(slowerOf(other, speed));
  return [...found.values()];
}

/** Every outcome of the tariff that is slower than the tariff: to recognize what a login was answered. */
export function throttlesOfPlan(plan: SpeedPlan): Outcome[] {
  const owing = ['customer_blocked', 'hold_non_payment', 'expired'] as const;
  const reasons = ['fup' as const, ...(plan.suspendAction === 'throttle' ? owing : [])];
  return speedsOfPlan(plan)
    .filter((speed) => !isSameSpeed(speed, plan.speed))
    .flatMap((speed) => reasons.map((reason): Outcome => ({ kind: 'throttle', speed, reason })));
}
