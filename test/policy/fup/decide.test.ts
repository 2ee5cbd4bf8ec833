// Fair-use rules: when they are in force, what they leave of the speed, how they are read and published.
import fc from 'fast-check';
import t from 'tap';
import { decideFup, type FupDecision } from '#policy/fup/decide.ts';
import { lowestFupSpeed, speedUnder } from '#policy/fup/effect.ts';
import { parseFupRules } from '#policy/fup/parse.ts';
import { fupFromProfile, fupToProfile } from '#policy/fup/profile.ts';
import { type FupEffect, type FupRule, usageDirections, usageWindows } from '#policy/fup/rules.ts';
import { thresholdsOf } from '#policy/fup/thresholds.ts';
import { noUsage, type Usage } from '#policy/fup/usage.ts';
import type { Speed } from '#policy/speed.ts';
import type { Calendar } from '#policy/time.ts';
import { runs } from '#test/support/effort.ts';

const speed: Speed = { upBps: 20_000_000, downBps: 100_000_000 };
const calendar: Calendar = { timeZone: 'Europe/Berlin', weekStart: 1, anchorDay: 10 };
const ms = (text: string) => Date.parse(text);
/** A Friday, 13:00 in Berlin. */
const now = ms('2026-11-20T12:00:00Z');
const midnight = ms('2026-11-20T23:00:00Z');
const monday = ms('2026-11-22T23:00:00Z');
const monthEnd = ms('2026-12-09T23:00:00Z');

const to = (upBps: number, downBps: number): FupEffect => ({ kind: 'speed', upBps, downBps });
const daily = (thresholdBytes: number, effect: FupEffect): FupRule => ({
  window: 'day',
  direction: 'total',
  thresholdBytes,
  effect,
});
const used = (downBytes: number, upBytes = 0): Usage => {
  const count = { upBytes, downBytes };
  return { day: count, week: count, month: count, all: count };
};
const decide = (fupRules: readonly FupRule[], usage: Usage, atMs = now) =>
  decideFup({ speed, fupRules }, usage, atMs, calendar);

t.test('usage exactly at the threshold is throttled, a byte less is not', async (t) => {
  const rules = [daily(10e9, to(2_000_000, 2_000_000))];
  t.strictSame(decide(rules, used(6e9, 4e9 - 1)), { kind: 'none', untilMs: null });
  t.strictSame(decide(rules, used(6e9, 4e9)), {
    kind: 'speed',
    speed: { upBps: 2_000_000, downBps: 2_000_000 },
    ruleIndex: 0,
    untilMs: midnight,
  });
});

t.test('a rule counts its own direction and window, until that window ends', async (t) => {
  const usage: Usage = {
    ...noUsage,
    day: { upBytes: 1, downBytes: 2 },
    week: { upBytes: 10, downBytes: 20 },
    month: { upBytes: 100, downBytes: 200 },
  };
  const rule = (window: FupRule['window'], direction: FupRule['direction'], thresholdBytes: number) =>
    decide([{ window, direction, thresholdBytes, effect: { kind: 'block' } }], usage);
  t.strictSame(rule('day', 'up', 1), { kind: 'block', ruleIndex: 0, untilMs: midnight });
  t.strictSame(rule('week', 'down', 20), { kind: 'block', ruleIndex: 0, untilMs: monday });
  t.strictSame(rule('month', 'total', 300), { kind: 'block', ruleIndex: 0, untilMs: monthEnd });
  for (const [window, direction, bytes] of [
    ['day', 'up', 2],
    ['week', 'down', 21],
    ['month', 'total', 301],
  ] as const) {
    t.equal(rule(window, direction, bytes).kind, 'none');
  }
});

t.test('of several rules the lowest speed of each direction is in force, and a block above all', async (t) => {
  const rules = [daily(1, to(8_000_000, 30_000_000)), daily(1, to(9_000_000, 10_000_000))];
  t.strictSame(decide(rules, used(1)), {
    kind: 'speed',
    speed: { upBps: 8_000_000, downBps: 10_000_000 },
    ruleIndex: 1,
    untilMs: midnight,
  });
  t.strictSame(decide([...rules, daily(1, { kind: 'block' })], used(1)), {
    kind: 'block',
    ruleIndex: 2,
    untilMs: midnight,
  });
});

t.test('a rule never makes a subscriber faster than the tariff', async (t) => {
  t.equal(decide([daily(1, to(50_000_000, 200_000_000))], used(1)).kind, 'none');
  const half = decide([daily(1, to(50_000_000, 50_000_000))], used(1));
  t.strictSame(half.kind === 'speed' && half.speed, { upBps: 20_000_000, downBps: 50_000_000 });
});

t.test('a reduction takes its percent off both directions and leaves at least 1 kbps', async (t) => {
  t.strictSame(speedUnder({ kind: 'reduce', percent: 25 }, speed), { upBps: 15_000_000, downBps: 75_000_000 });
  const slow = { upBps: 5000, downBps: 64_000 };
  t.strictSame(speedUnder({ kind: 'reduce', percent: 99 }, slow), { upBps: 1000, downBps: 1000 });
  t.strictSame(speedUnder({ kind: 'reduce', percent: 99 }, { upBps: 500, downBps: 200_000 }), {
    upBps: 500,
    downBps: 2000,
  });
  t.equal(speedUnder({ kind: 'block' }, speed), null);
});

t.test('a rule with a time span holds only inside it', async (t) => {
  const evening = { weekdays: [1, 2, 3, 4, 5], fromMinute: 18 * 60, toMinute: 22 * 60 };
  const rules = [{ ...daily(10e9, to(1_000_000, 1_000_000)), active: evening }];
  const opens = ms('2026-11-20T17:00:00Z');
  const closes = ms('2026-11-20T21:00:00Z');
  t.strictSame(decide(rules, used(10e9)), { kind: 'none', untilMs: opens }, 'opens with usage already above');
  t.strictSame(decide(rules, used(1e9)), { kind: 'none', untilMs: null }, 'usage below: nothing to wait for');
  const inside = decide(rules, used(10e9), opens);
  t.strictSame([inside.kind, inside.untilMs], ['speed', closes]);
  t.strictSame(
    decide(rules, used(10e9), closes),
    { kind: 'none', untilMs: null },
    'the day ends before it opens again',
  );
});

t.test('when the evening ends the rule of the whole day is still in force', async (t) => {
  const evening = { weekdays: [5], fromMinute: 18 * 60, toMinute: 22 * 60 };
  const rules = [daily(10e9, to(2_000_000, 2_000_000)), { ...daily(10e9, to(1_000_000, 1_000_000)), active: evening }];
  const steps: [number, FupDecision][] = [];
  for (let at: number | null = now; at !== null && steps.length < 5; ) {
    const usage: Usage = at < midnight ? used(10e9) : noUsage;
    const found: FupDecision = decide(rules, usage, at);
    steps.push([at, found]);
    at = found.untilMs;
  }
  t.strictSame(
    steps.map(([at, found]) => [new Date(at).toISOString(), found.kind === 'speed' ? found.speed.downBps : found.kind]),
    [
      ['2026-11-20T12:00:00.000Z', 2_000_000],
      ['2026-11-20T17:00:00.000Z', 1_000_000],
      ['2026-11-20T21:00:00.000Z', 2_000_000],
      ['2026-11-20T23:00:00.000Z', 'none'],
    ],
  );
});

t.test('a quota of the month outlasts that of the day', async (t) => {
  const rules: FupRule[] = [
    daily(10e9, to(1_000_000, 1_000_000)),
    { window: 'month', direction: 'total', thresholdBytes: 100e9, effect: to(1_000_000, 1_000_000) },
  ];
  const found = decide(rules, { ...used(10e9), month: { upBytes: 0, downBytes: 100e9 } });
  t.equal(found.untilMs, monthEnd, 'the same speed goes on when the day ends');
});

const effect: fc.Arbitrary<FupEffect> = fc.oneof(
  fc.record({
    kind: fc.constant('speed' as const),
    upBps: fc.integer({ min: 1000, max: 40_000_000 }),
    downBps: fc.integer({ min: 1000, max: 200_000_000 }),
  }),
  fc.record({ kind: fc.constant('reduce' as const), percent: fc.integer({ min: 1, max: 99 }) }),
  fc.constant({ kind: 'block' as const }),
);
const rule: fc.Arbitrary<FupRule> = fc
  .record({
    window: fc.constantFrom(...usageWindows),
    direction: fc.constantFrom(...usageDirections),
    thresholdBytes: fc.integer({ min: 1, max: 100 }),
    effect,
    active: fc.option(
      fc.record({
        weekdays: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        fromMinute: fc.integer({ min: 0, max: 1440 }),
        toMinute: fc.integer({ min: 0, max: 1440 }),
      }),
    ),
  })
  .map(({ active, ...rest }) => (active ? { ...rest, active } : rest));
const count = fc.record({ upBytes: fc.integer({ min: 0, max: 80 }), downBytes: fc.integer({ min: 0, max: 80 }) });
const usage: fc.Arbitrary<Usage> = fc.record({ day: count, week: count, month: count, all: count });
const rules = fc.array(rule, { maxLength: 5 });
const instant = fc.integer({ min: ms('2026-01-01T00:00:00Z'), max: ms('2028-01-01T00:00:00Z') });

function speedOf(decision: FupDecision): Speed {
  if (decision.kind === 'block') return { upBps: 0, downBps: 0 };
  return decision.kind === 'speed' ? decision.speed : speed;
}

t.test('more usage never gives a faster speed', async () => {
  fc.assert(
    fc.property(rules, usage, usage, instant, (rules, less, added, at) => {
      const sum = (a: Usage['day'], b: Usage['day']) => ({
        upBytes: a.upBytes + b.upBytes,
        downBytes: a.downBytes + b.downBytes,
      });
      const more: Usage = {
        day: sum(less.day, added.day),
        week: sum(less.week, added.week),
        month: sum(less.month, added.month),
        all: less.all,
      };
      const before = speedOf(decide(rules, less, at));
      const after = speedOf(decide(rules, more, at));
      return after.upBps <= before.upBps && after.downBps <= before.downBps;
    }),
    { numRuns: runs(500) },
  );
});

t.test('the order of the rules does not matter', async () => {
  const shuffled = rules.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, usage, instant, ([one, other], usage, at) => {
      const a = decide(one, usage, at);
      const b = decide(other, usage, at);
      return a.kind === b.kind && a.untilMs === b.untilMs && speedOf(a).upBps === speedOf(b).upBps;
    }),
    { numRuns: runs(500) },
  );
});

t.test('until its end the decision stays, and there it changes', async () => {
  fc.assert(
    fc.property(rules, usage, instant, fc.double({ min: 0, max: 1, noNaN: true }), (rules, usage, at, point) => {
      const first = decide(rules, usage, at);
      if (first.untilMs === null) return true;
      // Days are the shortest windows: within one of them the usage stays as it is.
      const dayEnd = decide([daily(1, { kind: 'block' })], used(1), at).untilMs ?? 0;
      const last = Math.min(first.untilMs, dayEnd) - 1;
      const between = decide(rules, usage, Math.floor(at + point * (last - at)));
      const same =
        between.untilMs === first.untilMs && JSON.stringify(speedOf(between)) === JSON.stringify(speedOf(first));
      if (first.untilMs >= dayEnd) return same;
      const then = decide(rules, usage, first.untilMs);
      return same && JSON.stringify(speedOf(then)) !== JSON.stringify(speedOf(first));
    }),
    { numRuns: runs(500) },
  );
});

t.test('the published state says the same until it ends', async () => {
  fc.assert(
    fc.property(rules, usage, instant, (rules, usage, at) => {
      const decided = decide(rules, usage, at);
      const profile = fupToProfile(decided);
      const read = fupFromProfile(profile, at);
      const later = decided.untilMs === null ? null : fupFromProfile(profile, decided.untilMs);
      const same =
        read.kind === decided.kind &&
        read.untilMs === decided.untilMs &&
        (read.kind !== 'speed' || JSON.stringify(read.speed) === JSON.stringify(speedOf(decided)));
      return same && (later === null || later.kind === 'none');
    }),
    { numRuns: runs(500) },
  );
});

t.test('the lowest speed of a tariff is that of its strictest rules', async (t) => {
  const rules = [daily(1, to(1_000_000, 50_000_000)), daily(2, { kind: 'reduce', percent: 90 })];
  t.strictSame(lowestFupSpeed({ speed, fupRules: rules }), { upBps: 1_000_000, downBps: 10_000_000 });
  t.equal(lowestFupSpeed({ speed, fupRules: [] }), null);
  t.equal(lowestFupSpeed({ speed, fupRules: [daily(1, { kind: 'block' }), daily(1, to(1e9, 1e9))] }), null);
});

t.test('each threshold is told to the ledger once', async (t) => {
  const rules: FupRule[] = [
    daily(10e9, to(1_000_000, 1_000_000)),
    { ...daily(10e9, { kind: 'block' }), active: { weekdays: [6], fromMinute: 0, toMinute: 60 } },
    { ...daily(10e9, { kind: 'block' }), direction: 'up' },
    { ...daily(10e9, { kind: 'block' }), window: 'month' },
  ];
  t.strictSame(thresholdsOf(rules), [
    { window: 'day', direction: 'total', bytes: 10e9 },
    { window: 'day', direction: 'up', bytes: 10e9 },
    { window: 'month', direction: 'total', bytes: 10e9 },
  ]);
});

t.test('rules are read back as they were written', async () => {
  fc.assert(
    fc.property(rules, (rules) => {
      const parsed = parseFupRules(JSON.parse(JSON.stringify(rules)));
      return parsed.ok && JSON.stringify(parsed.rules) === JSON.stringify(rules);
    }),
    { numRuns: runs(200) },
  );
});

t.test('all problems of bad rules are told at once, with their places', async (t) => {
  const good = daily(1, { kind: 'block' });
  const problems = (json: unknown) => {
    const parsed = parseFupRules(json);
    return parsed.ok ? [] : parsed.problems.map(({ path }) => path);
  };
  t.strictSame(problems([]), []);
  t.strictSame(problems(null), ['']);
  t.strictSame(problems({}), ['']);
  t.strictSame(problems(Array(21).fill(good)), ['']);
  t.strictSame(problems([good, 7, null, []]), ['/1', '/2', '/3']);
  t.strictSame(problems([{ ...good, effect: [] }, {}]), [
    ...['/0/effect', '/1/window', '/1/direction', '/1/thresholdBytes', '/1/effect'],
  ]);
  t.strictSame(problems([{ ...good, window: 'year', direction: 'both', thresholdBytes: 0.5, note: '' }]), [
    '/0/note',
    '/0/window',
    '/0/direction',
    '/0/thresholdBytes',
  ]);
  for (const thresholdBytes of [0, -1, '10', Number.NaN, 2 ** 53, null]) {
    t.strictSame(problems([{ ...good, thresholdBytes }]), ['/0/thresholdBytes'], String(thresholdBytes));
  }
  const effects: [unknown, string[]][] = [
    [{ kind: 'faster' }, ['/0/effect/kind']],
    [{ kind: 'speed', upBps: 999, downBps: 1e14 }, ['/0/effect/upBps', '/0/effect/downBps']],
    [{ kind: 'speed', upBps: 1000 }, ['/0/effect/downBps']],
    [{ kind: 'reduce', percent: 100 }, ['/0/effect/percent']],
    [{ kind: 'block', percent: 10 }, ['/0/effect/percent']],
  ];
  for (const [effect, expected] of effects) t.strictSame(problems([{ ...good, effect }]), expected);
  const spans: [unknown, string[]][] = [
    [{ weekdays: [], fromMinute: 0, toMinute: 60 }, ['/0/active/weekdays']],
    [{ weekdays: [1, 1], fromMinute: 0, toMinute: 60 }, ['/0/active/weekdays']],
    [{ weekdays: [8], fromMinute: 0, toMinute: 60 }, ['/0/active/weekdays']],
    [{ weekdays: [1], fromMinute: -1, toMinute: 1441 }, ['/0/active/fromMinute', '/0/active/toMinute']],
    [null, ['/0/active']],
  ];
  for (const [active, expected] of spans) t.strictSame(problems([{ ...good, active }]), expected);
});

t.test('any JSON at all is read or refused, never an exception', async () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      (json) => typeof parseFupRules(json).ok === 'boolean' && typeof parseFupRules([json]).ok === 'boolean',
    ),
  );
});
