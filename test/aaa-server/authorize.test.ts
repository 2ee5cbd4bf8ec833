// What a login is answered from the snapshot and the mirror alone.
import fc from 'fast-check';
import t from 'tap';
import { outcomeHash } from '#aaa-server/accounting/class.ts';
import { addressAttributes } from '#aaa-server/auth/address-attributes.ts';
import { type Authorization, type AuthorizeOptions, authorize } from '#aaa-server/auth/authorize.ts';
import type {
  PlanRecord,
  ProfileRecord,
  SnapshotReader,
  SubscriptionRecord,
  TenantRecord,
} from '#aaa-server/subscribers/records.ts';
import { formatOutcome, type Outcome } from '#policy/access/outcome.ts';
import { configuredNas } from '#policy/nas/configured.ts';

const now = Date.parse('2026-11-21T12:00:00Z');
const hour = 3_600_000;
const day = 24 * hour;

const tenant: TenantRecord = { id: 1, slug: 'demo', timeZone: 'Europe/Berlin', weekStart: 1, mode: 'enforce' };
const plan: PlanRecord = {
  tenantId: 1,
  id: 7,
  speed: { upBps: 5_000_000, downBps: 20_000_000 },
  fupRules: [
    {
      window: 'day',
      direction: 'total',
      thresholdBytes: 10e9,
      effect: { kind: 'speed', upBps: 2_000_000, downBps: 2_000_000 },
    },
  ],
  suspendAction: 'reject',
  graceMs: 0,
  interimIntervalS: 300,
};
const subscription: SubscriptionRecord = {
  tenantId: 1,
  id: 42,
  customerId: 9,
  planId: 7,
  customerStatus: 'active',
  status: 'active',
  holds: [],
  paidUntilMs: now + 365 * day,
  paidUntilSetAtMs: now - 30 * day,
  anchorDay: 1,
  meter: 'radius',
  meterSinceMs: null,
  addresses: [],
};
const throttled: ProfileRecord = {
  tenantId: 1,
  subscriptionId: 42,
  fupSpeed: { upBps: 2_000_000, downBps: 2_000_000 },
  fupBlocked: false,
  fupUntilMs: now + 11 * hour,
  heldOutcome: null,
  decidedAtMs: now - hour,
};
const free: ProfileRecord = { ...throttled, fupSpeed: null, fupUntilMs: null };

type World = {
  subscription?: Partial<SubscriptionRecord>;
  plan?: Partial<PlanRecord> | null;
  tenant?: null;
  profile?: ProfileRecord;
  feedAliveAtMs?: number;
  complete?: boolean;
};

function snapshotOf(world: World): SnapshotReader {
  const record = { ...subscription, ...world.subscription };
  return {
    complete: () => world.complete ?? true,
    feedAliveAtMs: () => world.feedAliveAtMs ?? now - 1000,
    tenant: (id) => (id === 1 && world.tenant !== null ? tenant : undefined),
    plan: (tenantId, id) =>
      tenantId === 1 && id === 7 && world.plan !== null ? { ...plan, ...world.plan } : undefined,
    subscription: (tenantId, id) => (tenantId === 1 && id === 42 ? record : undefined),
    credential: (tenantId, realm, userName) =>
      tenantId === 1 && realm === '' && (userName === 'user0' || userName === 'orphan')
        ? {
            tenantId,
            realm,
            userName,
            subscriptionId: userName === 'user0' ? 42 : 43,
            passwordCipher: Buffer.alloc(0),
            scheme: 'clear',
          }
        : undefined,
    onlyTenant: () => 1,
    profile: () => world.profile,
    mirrorState: () => ({ inStepAtMs: now }),
    nasGeneration: () => 1,
    nasList: () => [],
    macs: () => [],
    poolList: () => [],
    proxyList: () => [],
    deviceUserList: () => [],
  };
}

const options: AuthorizeOptions = {
  nas: configuredNas({ vendor: 'mikrotik' }),
  feedSilence: { toleratedMs: hour / 4, extraGraceMs: day },
  mirrorSilentSinceMs: null,
  random: () => 0.5,
};
const user0 = { tenantId: 1, realm: '', userName: 'user0' };

function answer(world: World = {}, change: Partial<AuthorizeOptions> = {}, atMs = now): Authorization {
  const result = authorize(snapshotOf(world), user0, atMs, { ...options, ...change });
  if (result.kind !== 'known') throw new Error(result.kind);
  return result;
}
const text = (world: World, change: Partial<AuthorizeOptions> = {}) => answer(world, change).reply.outcomeText;

t.test('a paid subscriber gets the speed of the tariff', async (t) => {
  const { outcome, reply, tenant: owner, plan: tariff } = answer();
  t.strictSame(outcome, { kind: 'accept', speed: plan.speed });
  t.strictSame(reply.speed?.attributes, [{ vendor: 14988, type: 8, value: '5M/20M' }]);
  t.equal(reply.outcomeText, 'accept:5000000/20000000');
  t.equal(reply.outcomeHash, outcomeHash('accept:5000000/20000000'));
  t.match(reply.outcomeHash, /^[0-9a-f]{8}$/);
  t.equal(owner.slug, 'demo');
  t.equal(tariff.id, 7);
});

t.test('the same answer by user name and by subscription', async (t) => {
  const snapshot = snapshotOf({ profile: throttled });
  t.strictSame(
    authorize(snapshot, { tenantId: 1, subscriptionId: 42 }, now, options),
    authorize(snapshot, user0, now, options),
  );
});

t.test('who is not known is unknown only when the snapshot is complete', async (t) => {
  const ask = (world: World, login: Parameters<typeof authorize>[1]) =>
    authorize(snapshotOf(world), login, now, options);
  t.strictSame(ask({}, { ...user0, userName: 'nobody' }), { kind: 'unknown_user' });
  t.strictSame(ask({}, { ...user0, tenantId: 2 }), { kind: 'unknown_user' }, 'of another tenant');
  t.strictSame(ask({}, { tenantId: 1, subscriptionId: 99 }), { kind: 'unknown_user' });
  t.strictSame(ask({ complete: false }, user0), { kind: 'unavailable', missing: 'snapshot' });
  t.strictSame(ask({}, { ...user0, userName: 'orphan' }), { kind: 'unavailable', missing: 'subscription' });
  t.strictSame(ask({ plan: null }, user0), { kind: 'unavailable', missing: 'plan' });
  t.strictSame(ask({ tenant: null }, user0), { kind: 'unavailable', missing: 'tenant' });
});

t.test('a throttled subscriber logs in throttled, until the window ends', async (t) => {
  t.strictSame(answer({ profile: throttled }).reply.speed?.attributes, [{ vendor: 14988, type: 8, value: '2M/2M' }]);
  t.equal(text({ profile: throttled }), 'throttle:2000000/2000000:fup');
  t.equal(answer({ profile: throttled }, {}, now + 11 * hour).outcome.kind, 'accept');
  t.equal(text({ profile: { ...free, fupBlocked: true } }), 'reject:fup_blocked');
});

t.test('a rejected subscriber gets no attributes', async (t) => {
  const { outcome, reply } = answer({
    subscription: { status: 'paused', addresses: [{ kind: 'ipv4', prefix: '10.0.0.7/32' }] },
  });
  t.strictSame(outcome, { kind: 'reject', reason: 'subscription_paused' });
  t.strictSame([reply.speed, reply.addresses, reply.sessionTimeoutS], [null, [], null]);
});

t.test('a walled garden the vendor cannot do for sure is a reject; one it can is never without a limit', async (t) => {
  const world: World = { plan: { suspendAction: 'walled_garden' }, subscription: { paidUntilMs: now - 1 } };
  t.equal(text(world), 'reject:expired');
  const garden = answer(world, { nas: { ...options.nas, gardenVerified: true } });
  t.equal(garden.reply.outcomeText, 'walled_garden:expired');
  t.strictSame(garden.reply.speed?.attributes, [{ vendor: 14988, type: 8, value: '2M/2M' }]);
});

t.test('while the brake holds, a login gets what was last applied', async (t) => {
  const held = (outcome: Outcome) => ({ ...throttled, heldOutcome: formatOutcome(outcome) });
  const accept: Outcome = { kind: 'accept', speed: plan.speed };
  t.equal(text({ profile: held(accept) }), 'accept:5000000/20000000');
  t.equal(text({ profile: held(accept), subscription: { paidUntilMs: now - 1 } }), 'accept:5000000/20000000');
  t.equal(
    text({ profile: { ...held({ kind: 'reject', reason: 'expired' }), fupSpeed: null } }),
    'accept:5000000/20000000',
    'who paid meanwhile is served',
  );
  for (const broken of ['', '{', 'null', '7', '{"kind":"accept"}', '{"kind":"reject","reason":"weather"}']) {
    t.equal(text({ profile: { ...throttled, heldOutcome: broken } }), 'throttle:2000000/2000000:fup', broken);
  }
});

t.test('an unknown state gets the lowest FUP speed once the mirror is older than an interim interval', async (t) => {
  const interval = plan.interimIntervalS * 1000;
  const silent = (sinceMs: number, world: World = {}) => text(world, { mirrorSilentSinceMs: sinceMs });
  t.equal(silent(now - interval), 'accept:5000000/20000000');
  t.equal(silent(now - interval - 1), 'throttle:2000000/2000000:fup');
  t.equal(silent(now - interval - 1, { profile: free }), 'throttle:2000000/2000000:fup', 'it may have ended since');
  t.equal(silent(now - interval, { profile: free }), 'accept:5000000/20000000');
  const slower = { ...throttled, fupSpeed: { upBps: 1_000_000, downBps: 1_000_000 } };
  t.equal(silent(now - interval - 1, { profile: slower }), 'throttle:1000000/1000000:fup', 'what is in force stands');
  t.equal(
    silent(now - interval - 1, { profile: { ...slower, fupUntilMs: now } }),
    'throttle:2000000/2000000:fup',
    'until its window ends: the next one is unknown',
  );
  t.equal(silent(now - interval - 1, { plan: { fupRules: [] } }), 'accept:5000000/20000000', 'nothing to fear');
});

t.test('while the feed is silent, who expired since then is still served', async (t) => {
  const expired = { paidUntilMs: now - hour / 2 };
  t.equal(text({ subscription: expired, feedAliveAtMs: now - hour }), 'accept:5000000/20000000');
  t.equal(text({ subscription: expired, feedAliveAtMs: now - 1000 }), 'reject:expired');
  t.equal(text({ subscription: { paidUntilMs: now - 2 * hour }, feedAliveAtMs: now - hour }), 'reject:expired');
  t.equal(text({ subscription: expired, feedAliveAtMs: 0 }), 'reject:expired', 'a feed never heard of is no silence');
});

t.test('the session ends with the paid time, and never later', async (t) => {
  const timeout = (world: World, random = 0, change: Partial<AuthorizeOptions> = {}) =>
    answer(world, { random: () => random, ...change }).reply.sessionTimeoutS;
  const paid = (ms: number, more: World = {}) => ({ ...more, subscription: { paidUntilMs: now + ms } });
  t.equal(timeout(paid(day)), 86_400);
  t.equal(timeout(paid(day), 0.999), 86_400 - 599, 'up to ten minutes early');
  t.equal(timeout(paid(hour), 0.999), 3600, 'exact in the last hour');
  t.equal(timeout(paid(hour, { plan: { graceMs: day } })), 90_000, 'the grace counts');
  t.equal(timeout(paid(1500)), 1);
  t.equal(timeout(paid(500)), 1, 'never 0, which means none');
  t.equal(timeout({ subscription: { paidUntilMs: null } }), null);
  t.equal(timeout(paid(100 * 365 * day)), null, 'more than the attribute holds');
  t.equal(timeout(paid(day, { plan: { suspendAction: 'throttle' } })), null, 'the wheel throttles it');
  t.equal(timeout(paid(day, { plan: { suspendAction: 'walled_garden' } })), 86_400, 'garden not verified');
  const verified = { nas: { ...options.nas, gardenVerified: true } };
  t.equal(timeout(paid(day, { plan: { suspendAction: 'walled_garden' } }), 0, verified), null);
  const blocked: World = {
    plan: { suspendAction: 'throttle' },
    subscription: { paidUntilMs: now + day, holds: [{ reason: 'fraud', sinceMs: now, untilMs: null }] },
  };
  t.equal(timeout(blocked), null, 'rejected now');
});

t.test('Session-Timeout and Acct-Interim-Interval keep their bounds whatever the chance', async () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.integer({ min: 1000, max: 400 * day }),
      fc.integer({ min: 60, max: 86_400 }),
      (random, leftMs, interimIntervalS) => {
        const world = { plan: { interimIntervalS }, subscription: { paidUntilMs: now + leftMs } };
        const { sessionTimeoutS, interimIntervalS: interim } = answer(world, { random: () => random }).reply;
        const ends = sessionTimeoutS !== null && sessionTimeoutS * 1000 <= leftMs && sessionTimeoutS >= 1;
        const early = sessionTimeoutS !== null && leftMs - sessionTimeoutS * 1000 < 601_000;
        const near = interim >= interimIntervalS * 0.8 - 1 && interim <= interimIntervalS * 1.2 + 1;
        return ends && early && interim >= 60 && (near || interim === 60);
      },
    ),
  );
});

t.test('assigned addresses become their attributes', async (t) => {
  const attributes = addressAttributes([
    { kind: 'ipv4', prefix: '10.0.0.7/32' },
    { kind: 'framed_route', prefix: '203.0.113.0/28' },
    { kind: 'ipv6_prefix', prefix: '2001:db8:1:2::/64' },
    { kind: 'delegated_prefix', prefix: '2001:db8:ff00::/40' },
  ]);
  t.strictSame(
    attributes.map(({ type, value }) => [
      type,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ]),
    [
      [8, 0x0a000007],
      [9, 0xffffffff],
      [22, '203.0.113.0/28 0.0.0.0 1'],
      [97, '004020010db800010002'],
      [123, '002820010db8ff'],
    ],
  );
  t.ok(attributes.every(({ vendor }) => vendor === 0));
  t.strictSame(addressAttributes([{ kind: 'ipv4', prefix: '2001:db8::1/128' }]), [], 'of the wrong family');
  t.strictSame(addressAttributes([{ kind: 'ipv4', prefix: 'here' }]), []);
  const odd = addressAttributes([{ kind: 'delegated_prefix', prefix: '2001:db8:8000::/33' }])[0]!.value as Uint8Array;
  t.equal(Buffer.from(odd).toString('hex'), '002120010db880');
  const whole = addressAttributes([{ kind: 'ipv6_prefix', prefix: '2001:db8::1/128' }])[0]!.value as Uint8Array;
  t.equal(Buffer.from(whole).toString('hex'), '008020010db8000000000000000000000001');
  t.equal(answer({ subscription: { addresses: [{ kind: 'ipv4', prefix: '10.0.0.7/32' }] } }).reply.addresses.length, 2);
});
