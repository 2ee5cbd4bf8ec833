// The outcome table, every cell of it: what a subscriber gets for each combination of reasons, and until when.
import fc from 'fast-check';
import t from 'tap';
import { type AccessInput, type AccessPlan, decideAccess, type Hold } from '#policy/access/decide.ts';
import { evaluateOutcome } from '#policy/access/evaluate.ts';
import { type FeedSilence, noSilence } from '#policy/access/expiry.ts';
import { forNas } from '#policy/access/for-nas.ts';
import { formatOutcome, type Outcome, parseOutcome, rejectReasons } from '#policy/access/outcome.ts';
import { outcomeSentence, reasonSentences } from '#policy/access/sentences.ts';
import { suspendedSpeed } from '#policy/access/suspended-speed.ts';
import { isStricter } from '#policy/enforcement/brake-rule.ts';
import type { FupState } from '#policy/fup/profile.ts';
import { noUsage } from '#policy/fup/usage.ts';
import { runs } from '#test/support/effort.ts';

const now = Date.parse('2026-11-21T12:00:00Z');
const hour = 3_600_000;
const day = 24 * hour;

const plan: AccessPlan = {
  speed: { upBps: 20_000_000, downBps: 100_000_000 },
  fupRules: [
    {
      window: 'day',
      direction: 'total',
      thresholdBytes: 10e9,
      effect: { kind: 'speed', upBps: 2_000_000, downBps: 4_000_000 },
    },
  ],
  suspendAction: 'walled_garden',
  graceMs: 2 * hour,
};

const customerStatuses = ['lead', 'new', 'active', 'blocked', 'disabled'] as const;
const statuses = ['pending', 'active', 'paused', 'disabled', 'terminated'] as const;
const holdReasons = ['non_payment', 'fraud', 'abuse', 'customer_request', 'admin'] as const;
const actions = ['walled_garden', 'throttle', 'reject'] as const;
const paid = { never: null, ahead: now + day, 'in grace': now - hour, over: now - day } as const;
const fups: Record<string, FupState> = {
  none: { kind: 'none', untilMs: null },
  // Slower upwards than the suspended speed, faster downwards.
  speed: { kind: 'speed', speed: { upBps: 1_000_000, downBps: 8_000_000 }, untilMs: now + 6 * hour },
  block: { kind: 'block', untilMs: now + 6 * hour },
};

/** What the tariff's suspend action makes of each reason, in the order in which reasons are named to people. */
const table = {
  customer_lead: { walled_garden: 'reject', throttle: 'reject', reject: 'reject' },
  customer_blocked: { walled_garden: 'walled_garden', throttle: 'throttle', reject: 'reject' },
  customer_disabled: { walled_garden: 'reject', throttle: 'reject', reject: 'reject' },
  subscription_pending: { walled_garden: 'reject', throttle: 'reject', reject: 'reject' },
  subscription_paused: { walled_garden: 'reject', throttle: 'reject', reject: 'reject' },
  subscription_disabled: { walled_garden: 'reject', throttle: 'reject', reject: 'reject' },
  subscription_terminated: { walled_garden: 'reject', throttle: 'reject', reject: 'reject' },
  hold_non_payment: { walled_garden: 'walled_garden', throttle: 'throttle', reject: 'reject' },
  hold_fraud: { walled_garden: 'reject', throttle: 'reject', reject: 'reject' },
  hold_abuse: { walled_garden: 'walled_garden', throttle: 'reject', reject: 'reject' },
  hold_customer_request: { walled_garden: 'walled_garden', throttle: 'reject', reject: 'reject' },
  hold_admin: { walled_garden: 'walled_garden', throttle: 'reject', reject: 'reject' },
  expired: { walled_garden: 'walled_garden', throttle: 'throttle', reject: 'reject' },
  fup_blocked: { walled_garden: 'walled_garden', throttle: 'reject', reject: 'reject' },
} as const;
type Reason = keyof typeof table;

/** Statuses that are the end of the question: nothing else about the subscription is looked at. */
const finalReasons: readonly Reason[] = [
  'customer_lead',
  'customer_disabled',
  'subscription_pending',
  'subscription_paused',
  'subscription_disabled',
  'subscription_terminated',
];

type Cell = {
  customerStatus: (typeof customerStatuses)[number];
  status: (typeof statuses)[number];
  holds: readonly (typeof holdReasons)[number][];
  action: (typeof actions)[number];
  paid: keyof typeof paid;
  fup: string;
};

function expected(cell: Cell): string {
  const reasons: Reason[] = [];
  if (cell.customerStatus === 'lead') reasons.push('customer_lead');
  if (cell.customerStatus === 'blocked') reasons.push('customer_blocked');
  if (cell.customerStatus === 'disabled') reasons.push('customer_disabled');
  if (cell.status !== 'active') reasons.push(`subscription_${cell.status}`);
  for (const reason of holdReasons) if (cell.holds.includes(reason)) reasons.push(`hold_${reason}`);
  if (cell.paid === 'over') reasons.push('expired');
  if (cell.fup === 'block') reasons.push('fup_blocked');

  const final = reasons.find((reason) => finalReasons.includes(reason));
  if (final) return `reject:${final}`;
  for (const kind of ['reject', 'walled_garden'] as const) {
    const first = reasons.find((reason) => table[reason][cell.action] === kind);
    if (first) return `${kind}:${first}`;
  }
  if (reasons[0]) {
    return cell.fup === 'speed' ? `throttle:1000000/4000000:${reasons[0]}` : `throttle:2000000/4000000:${reasons[0]}`;
  }
  return cell.fup === 'speed' ? 'throttle:1000000/8000000:fup' : 'accept:20000000/100000000';
}

function* cells(): Generator<Cell> {
  for (const customerStatus of customerStatuses)
    for (const status of statuses)
      for (let set = 0; set < 2 ** holdReasons.length; set++)
        for (const action of actions)
          for (const paidKey of Object.keys(paid) as (keyof typeof paid)[])
            for (const fup of Object.keys(fups)) {
              const holds = holdReasons.filter((_, bit) => set & (1 << bit));
              yield { customerStatus, status, holds, action, paid: paidKey, fup };
            }
}

function inputOf(cell: Cell, holds: readonly Hold[]): AccessInput {
  return {
    plan: { ...plan, suspendAction: cell.action },
    subscription: {
      customerStatus: cell.customerStatus,
      status: cell.status,
      holds,
      paidUntilMs: paid[cell.paid],
    },
    fup: fups[cell.fup]!,
    feed: noSilence,
  };
}

const standing = (cell: Cell): Hold[] => cell.holds.map((reason) => ({ reason, untilMs: null }));

const served: Cell = {
  customerStatus: 'active',
  status: 'active',
  holds: [],
  action: 'reject',
  paid: 'ahead',
  fup: 'none',
};
const answer = (change: Partial<Cell>) => {
  const cell = { ...served, ...change };
  return formatOutcome(decideAccess(inputOf(cell, standing(cell)), now).outcome);
};

t.test('every cell of the table', async (t) => {
  let count = 0;
  const wrong: unknown[] = [];
  for (const cell of cells()) {
    count++;
    const found = formatOutcome(decideAccess(inputOf(cell, standing(cell)), now).outcome);
    if (found !== expected(cell)) wrong.push({ ...cell, found, expected: expected(cell) });
  }
  t.strictSame(wrong.slice(0, 5), []);
  t.equal(count, 5 * 5 * 32 * 3 * 4 * 3);
});

t.test('every reason there is has its row', async (t) => {
  t.strictSame(Object.keys(table), [...rejectReasons]);
});

t.test('a new customer is served like an active one, a lead is not', async (t) => {
  t.equal(answer({ customerStatus: 'new' }), 'accept:20000000/100000000');
  t.equal(answer({ customerStatus: 'active' }), 'accept:20000000/100000000');
  t.equal(answer({ customerStatus: 'lead' }), 'reject:customer_lead');
});

t.test('an unpaid bill is what the tariff says, fraud never is', async (t) => {
  t.equal(answer({ holds: ['non_payment'], action: 'walled_garden' }), 'walled_garden:hold_non_payment');
  t.equal(answer({ holds: ['non_payment'], action: 'throttle' }), 'throttle:2000000/4000000:hold_non_payment');
  t.equal(answer({ holds: ['non_payment'], action: 'reject' }), 'reject:hold_non_payment');
  t.equal(answer({ holds: ['non_payment', 'fraud'], action: 'throttle' }), 'reject:hold_fraud');
});

t.test('abuse, a used-up cap or a suspension by request are not answered with slow service', async (t) => {
  t.equal(answer({ holds: ['abuse'], action: 'throttle' }), 'reject:hold_abuse');
  t.equal(answer({ holds: ['customer_request'], action: 'throttle' }), 'reject:hold_customer_request');
  t.equal(answer({ fup: 'block', action: 'throttle' }), 'reject:fup_blocked');
  t.equal(answer({ fup: 'block', action: 'walled_garden' }), 'walled_garden:fup_blocked');
});

t.test('a hold counts until its end and not at it', async (t) => {
  const decide = (untilMs: number | null) =>
    decideAccess(inputOf({ ...served, paid: 'never' }, [{ reason: 'admin', untilMs }]), now);
  t.strictSame(decide(now + 1), { outcome: { kind: 'reject', reason: 'hold_admin' }, untilMs: now + 1 });
  t.equal(decide(now).outcome.kind, 'accept');
  t.equal(decide(now - 1).untilMs, null);
  t.equal(decide(null).outcome.kind, 'reject');
});

t.test('a subscription is expired once paid_until and the grace have passed', async (t) => {
  const expiryMs = now - day + plan.graceMs;
  const decide = (atMs: number) => decideAccess(inputOf({ ...served, paid: 'over' }, []), atMs);
  t.strictSame(decide(expiryMs), { outcome: { kind: 'accept', speed: plan.speed }, untilMs: expiryMs + 1 });
  t.strictSame(decide(expiryMs + 1), { outcome: { kind: 'reject', reason: 'expired' }, untilMs: null });
});

t.test('the decision stands until the first instant that may change it', async (t) => {
  const untilMs = (cell: Partial<Cell>, holds: readonly Hold[] = []) =>
    decideAccess(inputOf({ ...served, ...cell }, holds), now).untilMs;
  t.equal(untilMs({ paid: 'never' }), null);
  t.equal(untilMs({ paid: 'ahead' }), now + day + plan.graceMs + 1);
  t.equal(untilMs({ paid: 'ahead', fup: 'speed' }), now + 6 * hour);
  t.equal(untilMs({ paid: 'ahead', fup: 'speed' }, [{ reason: 'admin', untilMs: now + hour }]), now + hour);
  t.equal(untilMs({ paid: 'over' }), null);
  t.equal(untilMs({ status: 'paused', paid: 'ahead', fup: 'speed' }, [{ reason: 'admin', untilMs: now + hour }]), null);
});

t.test('until that instant the outcome is the same', async () => {
  const hold = fc.record({
    reason: fc.constantFrom(...holdReasons),
    untilMs: fc.option(fc.integer({ min: now - day, max: now + day })),
  });
  const silence = fc.record({
    silentSinceMs: fc.option(fc.integer({ min: now - day, max: now })),
    toleratedMs: fc.constant(hour / 4),
    extraGraceMs: fc.constantFrom(0, hour / 8, day),
  });
  fc.assert(
    fc.property(
      fc.array(hold, { maxLength: 3 }),
      fc.integer({ min: now - 2 * day, max: now + day }),
      fc.constantFrom(...actions),
      silence,
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3 }),
      (holds, paidUntilMs, action, feed, points) => {
        const base = inputOf({ ...served, action, paid: 'never' }, holds);
        const input = { ...base, subscription: { ...base.subscription, paidUntilMs }, feed };
        const first = decideAccess(input, now);
        const untilMs = first.untilMs ?? now + 30 * day;
        return [...points.map((point) => Math.floor(now + point * (untilMs - 1 - now))), untilMs - 1].every(
          (atMs) => formatOutcome(decideAccess(input, atMs).outcome) === formatOutcome(first.outcome),
        );
      },
    ),
    { numRuns: runs(1000) },
  );
});

t.test('while the feed is silent, expiries since then wait a day more', async (t) => {
  const silentSinceMs = now - hour;
  const feed: FeedSilence = { silentSinceMs, toleratedMs: hour / 4, extraGraceMs: day };
  const decide = (expiryMs: number, silence: Partial<FeedSilence> = {}, atMs = now) => {
    const base = inputOf(served, []);
    const subscription = { ...base.subscription, paidUntilMs: expiryMs - plan.graceMs };
    const decision = decideAccess({ ...base, subscription, feed: { ...feed, ...silence } }, atMs);
    return [decision.outcome.kind, decision.untilMs];
  };
  t.strictSame(decide(silentSinceMs), ['accept', silentSinceMs + day + 1], 'expired when the silence began');
  t.strictSame(decide(now - 1), ['accept', now - 1 + day + 1], 'expired just now');
  t.strictSame(decide(silentSinceMs - 1), ['reject', null], 'was past before the silence');
  t.strictSame(decide(now - 1, { silentSinceMs: null }), ['reject', null], 'no silence is known');
  t.strictSame(
    decide(now - 1, { silentSinceMs: now - hour / 4 }),
    ['reject', now + 1],
    'exactly 15 minutes are not yet too long',
  );
  t.strictSame(decide(now - 1, { silentSinceMs: now - hour / 4 - 1 }), ['accept', now + day]);
  t.strictSame(decide(now - 1, { extraGraceMs: 0 }), ['reject', null]);
  t.strictSame(decide(now - 1, {}, now + day), ['reject', null], 'the extra grace ends too');
  t.strictSame(decide(now + hour), ['accept', now + hour + 1], 'a later expiry is looked at when it comes');
});

t.test('a suspended subscriber who stays online gets the lowest FUP speed, else a tenth of the tariff', async (t) => {
  t.strictSame(suspendedSpeed(plan), { upBps: 2_000_000, downBps: 4_000_000 });
  t.strictSame(suspendedSpeed({ ...plan, fupRules: [] }), { upBps: 2_000_000, downBps: 10_000_000 });
  const slow = { upBps: 32_000, downBps: 256_000 };
  t.strictSame(suspendedSpeed({ speed: slow, fupRules: [] }), { upBps: 32_000, downBps: 64_000 });
});

t.test('a garden that is not verified is a reject, everything else is as it was', async (t) => {
  const garden: Outcome = { kind: 'walled_garden', reason: 'expired' };
  t.strictSame(forNas(garden, { gardenVerified: false }), { kind: 'reject', reason: 'expired' });
  t.equal(forNas(garden, { gardenVerified: true }), garden);
  const accept: Outcome = { kind: 'accept', speed: plan.speed };
  t.equal(forNas(accept, { gardenVerified: false }), accept);
});

t.test('stricter is a lower speed either way, the garden after service, no access after any', async (t) => {
  const accept = (upBps: number, downBps: number): Outcome => ({ kind: 'accept', speed: { upBps, downBps } });
  const throttle: Outcome = { kind: 'throttle', speed: { upBps: 5, downBps: 10 }, reason: 'fup' };
  const garden: Outcome = { kind: 'walled_garden', reason: 'expired' };
  const reject: Outcome = { kind: 'reject', reason: 'hold_admin' };
  const ladder = [accept(10, 20), accept(10, 19), throttle, garden, reject];
  for (const [weak, weaker] of ladder.entries()) {
    for (const [strong, stronger] of ladder.entries()) {
      t.equal(isStricter(weaker, stronger), weak < strong, `${formatOutcome(weaker)} → ${formatOutcome(stronger)}`);
    }
  }
  t.ok(isStricter(accept(10, 20), accept(20, 10)), 'one direction is enough');
  t.notOk(isStricter(accept(5, 10), throttle), 'the same speed under another name');
  t.notOk(isStricter(reject, { kind: 'reject', reason: 'expired' }), 'another reason');
});

t.test('one more reason never gives more', async (t) => {
  const order = { accept: 0, throttle: 0, walled_garden: 1, reject: 2 };
  const wrong: unknown[] = [];
  for (const cell of cells()) {
    const before = decideAccess(inputOf(cell, standing(cell)), now).outcome;
    for (const reason of holdReasons) {
      const more = decideAccess(inputOf(cell, [...standing(cell), { reason, untilMs: null }]), now).outcome;
      if (isStricter(more, before) || order[more.kind] < order[before.kind]) wrong.push({ cell, reason });
    }
  }
  t.strictSame(wrong.slice(0, 3), []);
});

t.test('every outcome has its text, which reads back, and its sentence', async (t) => {
  const seen = new Map<string, Outcome>();
  for (const cell of cells()) {
    const { outcome } = decideAccess(inputOf(cell, standing(cell)), now);
    seen.set(formatOutcome(outcome), outcome);
  }
  for (const [text, outcome] of seen) {
    t.strictSame(parseOutcome(text), outcome, text);
    t.match(outcomeSentence(outcome), /^[A-Z].*\.$/, text);
  }
  t.equal(
    outcomeSentence({ kind: 'throttle', speed: { upBps: 512_000, downBps: 2_000_000 }, reason: 'fup' }),
    'The fair-use limit is reached. The speed is reduced to 2 Mbps down and 0.512 Mbps up.',
  );
  t.equal(new Set(Object.values(reasonSentences)).size, rejectReasons.length + 1);
});

t.test('login and enforcement come to the same outcome from usage and from the published state', async (t) => {
  const tenant = { timeZone: 'Europe/Berlin', weekStart: 1 };
  const { subscription } = inputOf({ ...served, paid: 'never' }, []);
  const who = { tenant, plan, subscription: { ...subscription, anchorDay: 1 } };
  const usage = { ...noUsage, day: { upBytes: 3e9, downBytes: 7e9 } };
  const counted = evaluateOutcome(who, { usage }, noSilence, now);
  t.equal(formatOutcome(counted.outcome), 'throttle:2000000/4000000:fup');
  t.equal(counted.untilMs, Date.parse('2026-11-21T23:00:00Z'), 'midnight in Berlin');
  const login = evaluateOutcome(who, { profile: counted.fup }, noSilence, now + hour);
  t.strictSame(login, counted);
  const nextDay = evaluateOutcome(who, { profile: counted.fup }, noSilence, counted.untilMs ?? 0);
  t.equal(formatOutcome(nextDay.outcome), 'accept:20000000/100000000');
  const unknown = evaluateOutcome(who, { profile: undefined }, noSilence, now);
  t.equal(formatOutcome(unknown.outcome), 'accept:20000000/100000000');
});
