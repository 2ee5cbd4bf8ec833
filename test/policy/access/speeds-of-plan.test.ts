// Every speed of a tariff, for access servers that know speeds by name.
import fc from 'fast-check';
import t from 'tap';
import { decideAccess } from '#policy/access/decide.ts';
import { noSilence } from '#policy/access/expiry.ts';
import { formatOutcome } from '#policy/access/outcome.ts';
import { speedsOfPlan, throttlesOfPlan } from '#policy/access/speeds-of-plan.ts';
import { decideFup } from '#policy/fup/decide.ts';
import type { FupRule } from '#policy/fup/rules.ts';
import type { Speed } from '#policy/speed.ts';

const texts = (speeds: readonly Speed[]) =>
  speeds.map(({ upBps, downBps }) => `${upBps / 1e6}/${downBps / 1e6}`).sort();
const rule = (thresholdBytes: number, effect: FupRule['effect']): FupRule => ({
  window: 'day',
  direction: 'total',
  thresholdBytes,
  effect,
});
const speed = { upBps: 10e6, downBps: 50e6 };

t.test(
  'a tariff gives its own speed, those of its rules, and the lower of each direction where several are in force',
  async (t) => {
    t.strictSame(texts(speedsOfPlan({ speed, fupRules: [], suspendAction: 'reject' })), ['10/50']);
    const fupRules = [
      rule(1e9, { kind: 'speed', upBps: 2e6, downBps: 40e6 }),
      rule(2e9, { kind: 'speed', upBps: 8e6, downBps: 4e6 }),
      rule(3e9, { kind: 'block' }),
    ];
    t.strictSame(texts(speedsOfPlan({ speed, fupRules, suspendAction: 'reject' })), ['10/50', '2/4', '2/40', '8/4']);
  },
);

t.test('a suspended subscriber who stays online has a speed too', async (t) => {
  t.strictSame(texts(speedsOfPlan({ speed, fupRules: [], suspendAction: 'throttle' })), ['1/5', '10/50']);
});

t.test('the throttles of a tariff are its slower speeds with each reason for them', async (t) => {
  const fupRules = [rule(1e9, { kind: 'speed', upBps: 2e6, downBps: 4e6 })];
  const told = (suspendAction: 'reject' | 'throttle') =>
    throttlesOfPlan({ speed, fupRules, suspendAction }).map(formatOutcome).sort();
  t.strictSame(told('reject'), ['throttle:2000000/4000000:fup']);
  t.strictSame(told('throttle'), [
    'throttle:2000000/4000000:customer_blocked',
    'throttle:2000000/4000000:expired',
    'throttle:2000000/4000000:fup',
    'throttle:2000000/4000000:hold_non_payment',
  ]);
});

t.test('whatever the access table decides, its speed is among them', async () => {
  const bps = fc.integer({ min: 1000, max: 100_000_000 });
  const effect: fc.Arbitrary<FupRule['effect']> = fc.oneof(
    fc.record({ kind: fc.constant('speed' as const), upBps: bps, downBps: bps }),
    fc.record({ kind: fc.constant('reduce' as const), percent: fc.integer({ min: 1, max: 99 }) }),
  );
  const rules = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), effect), { maxLength: 6 });
  fc.assert(
    fc.property(rules, fc.integer({ min: 0, max: 10 }), fc.boolean(), (list, used, expired) => {
      const fupRules = list.map(([threshold, effect]) => rule(threshold, effect));
      const plan = { speed, fupRules, suspendAction: 'throttle' as const, graceMs: 0 };
      const count = { upBytes: used, downBytes: 0 };
      const usage = { day: count, week: count, month: count, all: count };
      const nowMs = Date.UTC(2026, 10, 20);
      const fup = decideFup(plan, usage, nowMs, { timeZone: 'UTC', weekStart: 1, anchorDay: 1 });
      const subscription = {
        customerStatus: 'active',
        status: 'active',
        holds: [],
        paidUntilMs: expired ? nowMs - 1 : null,
      } as const;
      const { outcome } = decideAccess({ plan, subscription, fup, feed: noSilence }, nowMs);
      return 'speed' in outcome && texts(speedsOfPlan(plan)).includes(texts([outcome.speed])[0] ?? '');
    }),
  );
});
