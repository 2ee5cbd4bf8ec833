// What logins ask of the ledger, and what becomes of them when it is away: limits, devices, fallbacks, reserves.
import t, { type Test } from 'tap';
import { createLoginGate } from '#aaa-server/network/gate.ts';
import { createGateMetrics } from '#aaa-server/network/metrics.ts';
import { needOf } from '#aaa-server/network/need.ts';
import { createReserves } from '#aaa-server/network/reserve.ts';
import type { NetworkTerms, PlanRecord, SubscriptionRecord, TenantRecord } from '#aaa-server/subscribers/records.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { keys } from '#policy/ledger/keys.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { createLoginLedger, type LoginPlace } from '#policy/ledger/login.ts';
import type { LearnedMac } from '#policy/ledger/macs.ts';
import { forgetMacs, readMacs } from '#policy/ledger/macs.ts';
import { createPoolLedger } from '#policy/ledger/pools.ts';
import type { Pool } from '#policy/network/pool.ts';
import { recordAt, storeForTest } from '#test/policy/ledger/ledger-under-test.ts';
import { poolOf } from '#test/policy/ledger/pool-model.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(60_000);
const noon = Date.UTC(2026, 2, 4, 12);
const terms: NetworkTerms = {
  ...{ ipv4PoolId: null, ipv6PoolId: null, delegatedPoolId: null, sessionLimit: 0, macLimit: 0, macMode: 'lock' },
};
const tenant: TenantRecord = {
  id: 1,
  slug: 'x',
  timeZone: 'UTC',
  weekStart: 1,
  mode: 'enforce',
  sessionMode: 'refuse',
};
const plan = { interimIntervalS: 300 } as PlanRecord;
const subscription = {
  tenantId: 1,
  id: 7,
  addresses: [] as SubscriptionRecord['addresses'],
} as unknown as SubscriptionRecord;
const home: LoginPlace = { nasInstance: '1', callingStationId: '00-00-00-00-00-01', nasPort: '1', nasPortId: '' };
const away: LoginPlace = { ...home, callingStationId: '00-00-00-00-00-02' };

async function setup(t: Test, reserve = 0) {
  const store = await storeForTest(t);
  const { redis } = store;
  const ledger = createLedger(redis);
  await ledger.load();
  const clock = { nowMs: () => now.atMs, monotonicMs: () => performance.now() };
  const now = { atMs: noon };
  const seen = new Map<number, number>();
  const registry = new Registry();
  const reserves = createReserves(() => createPoolLedger(redis, seen), 'worker', clock);
  const login = createLoginLedger(redis, { seen });
  const gate = createLoginGate({
    ...{ ledger: () => login, reserves, clock, metrics: createGateMetrics(registry), budgetMs: 500, random: () => 0 },
  });
  const known: LearnedMac[] = [];
  const ask = async (
    own: Partial<NetworkTerms>,
    place = home,
    pools: readonly Pool[] = [poolOf({ reserve })],
    id = 7,
  ) => {
    const who = { ...subscription, id };
    const found = { tenant, plan: { ...plan, network: { ...terms, ...own } }, subscription: who };
    const result = needOf({ macs: () => known }, pools, found, { id: 1 }, place);
    return result.kind === 'ask' ? gate.ask(result.need) : result;
  };
  const counted = async (name: string) => (await registry.getSingleMetric(name)!.get()).values;
  return { store, redis, ledger, now, reserves, ask, known, counted };
}

const go = (...addresses: string[]) => ({
  kind: 'go',
  addresses: addresses.map((prefix) => ({ kind: 'ipv4', prefix })),
});

t.test('a login that needs nothing asks nobody', async (t) => {
  const isp = await setup(t);
  const { ledger, redis } = isp;
  const before = await redis.dbsize();
  t.strictSame(await isp.ask({}), { kind: 'none' });
  t.equal(await redis.dbsize(), before, 'nothing was written');
  t.equal(await ledger.countSessions(1), 0);
});

t.test('addresses come from the pool, then from its fallback; then the pool says what a login gets', async (t) => {
  const isp = await setup(t);
  const one = (id: number, first: string) => ({ ranges: [{ id, first, size: 1, draining: false }] });
  const pools = [poolOf({ id: 5, fallbackId: 6, ...one(1, '100.64.0.7') }), poolOf({ id: 6, ...one(2, '100.65.0.9') })];
  const ask = (id: number, changed = pools) => isp.ask({ ipv4PoolId: 5 }, home, changed, id);
  t.strictSame(await ask(1), go('100.64.0.7/32'));
  t.strictSame(await ask(2), go('100.65.0.9/32'));
  t.strictSame(await ask(2), go('100.65.0.9/32'), 'the same login again');
  t.strictSame(await ask(3), { kind: 'refused', reason: 'pool_exhausted' });
  t.strictSame(
    await ask(
      3,
      pools.map((pool) => ({ ...pool, onExhausted: 'nas' })),
    ),
    go(),
  );
  t.match(await isp.counted('lastmile_pool_exhausted_total'), [{ value: 2, labels: { pool: 'homes' } }]);
});

t.test('an address waits for the first interim report: a Start need not name it', async (t) => {
  const isp = await setup(t);
  const pools = [poolOf({ coolDownMs: 120_000, ranges: [{ id: 1, first: '100.64.0.7', size: 1, draining: false }] })];
  const ask = (id: number) => isp.ask({ ipv4PoolId: 5 }, home, pools, id);
  t.strictSame(await ask(1), go('100.64.0.7/32'));
  isp.now.atMs += 779_999 + 120_000;
  t.strictSame(await ask(2), { kind: 'refused', reason: 'pool_exhausted' }, 'two intervals, a minute, the cool-down');
  isp.now.atMs += 2;
  t.strictSame(await ask(2), go('100.64.0.7/32'));
});

t.test('where there may be several sessions, those of one device have addresses of their own', async (t) => {
  const isp = await setup(t);
  const other = { ...home, nasPort: '2' };
  t.strictSame(await isp.ask({ ipv4PoolId: 5, sessionLimit: 2 }), go('100.64.0.0/32'));
  t.strictSame(await isp.ask({ ipv4PoolId: 5, sessionLimit: 2 }), go('100.64.0.0/32'), 'the same port');
  t.strictSame(await isp.ask({ ipv4PoolId: 5, sessionLimit: 2 }, other), go('100.64.0.1/32'));
});

t.test('a pool that recovers rejects nobody', async (t) => {
  const isp = await setup(t);
  const pools = [poolOf({ ranges: [{ id: 1, first: '100.64.0.7', size: 1, draining: false }] })];
  const ask = (id: number) => isp.ask({ ipv4PoolId: 5 }, home, pools, id);
  t.strictSame(await ask(1), go('100.64.0.7/32'));
  await isp.redis.flushdb();
  t.strictSame(await ask(2), { kind: 'unavailable' }, 'the one that was given may be anywhere');
  t.notOk((await isp.counted('lastmile_pool_exhausted_total')).some(({ value }) => value > 0));
  isp.now.atMs += 16 * 60_000;
  t.strictSame(await ask(2), go('100.64.0.7/32'));
});

t.test('a second session is refused while the first is alive, and asked after', async (t) => {
  const isp = await setup(t);
  const limited = { sessionLimit: 1 };
  const start = (place: LoginPlace, sessionId: string, atMs: number, kind: 'start' | 'interim' | 'stop' = 'start') =>
    isp.ledger.apply({
      ...{ thresholds: [], planPeakBps: 0, adoptedAtMs: null, meter: 'radius', meterSinceMs: null },
      windows: { day: around, week: around, month: around },
      lane: { walId: sessionId + kind, previous: 0, position: 1, generation: 1 },
      record: recordAt(atMs, { kind, sessionId, ...place }),
    });
  t.strictSame(await isp.ask(limited), go());
  t.strictSame(await isp.ask(limited), go(), 'the login repeated');
  t.strictSame(await isp.ask(limited, away), { kind: 'refused', reason: 'session_limit' }, 'its Start is on its way');
  await start(home, 's1', noon);
  isp.now.atMs = noon + 400_000;
  t.strictSame(await isp.ask(limited, away), { kind: 'refused', reason: 'session_limit' });
  const partition = recordAt(noon, { kind: 'start' }).partition;
  const told = await isp.redis.xrange(keys.opened(partition), '-', '+');
  t.match(told.at(-1)?.[1], ['type', 'probe', 'tenant', '1', 'sub', '7', 'ses', /:s1$/]);
  t.strictSame(await isp.ask(limited), go(), 'the same place logs in anew');
  t.strictSame(await isp.ask({ sessionLimit: 2 }, away), go());
  isp.now.atMs = noon + 800_000;
  t.strictSame(await isp.ask(limited, away), go(), 'nothing was heard of the first for two intervals');
  await start(away, 's2', isp.now.atMs);
  t.strictSame(await isp.ask(limited), { kind: 'refused', reason: 'session_limit' }, 'now the second is the one');
  await start(away, 's2', isp.now.atMs + 1000, 'stop');
  isp.now.atMs += 2000;
  t.strictSame(await isp.ask(limited), go(), 'it went');
  await start(home, 's3', isp.now.atMs);
  t.strictSame(await isp.ask(limited), go(), 'authenticated again');
  await start(home, 's3', isp.now.atMs + 1000, 'stop');
  t.strictSame(await isp.ask(limited, away), go(), 'nothing is left of it');
});

t.test('two logins at the same moment: one gets in', async (t) => {
  const isp = await setup(t);
  const places = Array.from(
    { length: 8 },
    (_, n): LoginPlace => ({ ...home, callingStationId: `00:00:00:00:01:0${n}` }),
  );
  const answers = await Promise.all(places.map((place) => isp.ask({ sessionLimit: 1 }, place)));
  t.equal(answers.filter(({ kind }) => kind === 'go').length, 1);
});

t.test('the first devices are learned, others refused or put in their place', async (t) => {
  const isp = await setup(t);
  const who = { tenantId: 1, subscriptionId: 7 };
  const device = (n: number): LoginPlace => ({ ...home, callingStationId: `0000.0000.000${n}` });
  const bound = { macLimit: 2 };
  t.strictSame(await isp.ask(bound, device(1)), go());
  isp.now.atMs += 1000;
  t.strictSame(await isp.ask(bound, device(2)), go());
  t.strictSame(await isp.ask(bound, device(3)), { kind: 'refused', reason: 'mac_not_allowed' });
  t.strictSame(await isp.ask(bound, device(1)), go());
  t.strictSame(await isp.ask(bound, { ...home, callingStationId: 'ether1' }), {
    kind: 'refused',
    reason: 'mac_not_allowed',
  });
  t.strictSame(await isp.ask({ ...bound, macMode: 'replace' }, device(3)), go());
  const addresses = async () => (await readMacs(isp.redis, who)).map(({ address }) => address);
  t.strictSame(await addresses(), ['000000000002', '000000000003'], 'the one that was away for longest went');
  const partition = recordAt(noon, { kind: 'start' }).partition;
  const published = await isp.redis.xrevrange(keys.profile(partition), '+', '-', 'COUNT', 1);
  t.match(published[0]?.[1], ['tenant', '1', 'sub', '7', 'macs', /^000000000002=\d+,000000000003=\d+$/]);
  t.equal(await forgetMacs(isp.redis, who, '000000000002'), 1);
  t.strictSame(await addresses(), ['000000000003']);
  t.equal(await forgetMacs(isp.redis, who), 1);
  t.strictSame(await isp.ask(bound, device(9)), go());
  isp.known.push({ address: '000000000004', seenAtMs: noon });
  t.strictSame(await isp.ask(bound, device(4)), { kind: 'none' }, 'what the mirror knows asks nobody');
});

t.test('while Redis is away addresses come from the reserve, each once, and it learns of them later', async (t) => {
  const isp = await setup(t, 2);
  const pool = poolOf({ reserve: 2, ranges: [{ id: 1, first: '100.64.0.0', size: 3, draining: false }] });
  const ask = (id: number) =>
    isp.ask({ ipv4PoolId: 5, sessionLimit: 1 }, { ...home, callingStationId: `u${id}` }, [pool], id);
  t.strictSame(await ask(1), go('100.64.0.0/32'));
  await isp.reserves.renew();
  t.equal(isp.reserves.size(), 2);
  await isp.store.server.stop();
  const given = [await ask(2), await ask(3)];
  t.strictSame(
    new Set(given.flatMap((answer) => (answer.kind === 'go' ? answer.addresses : [])).map(({ prefix }) => prefix)),
    new Set(['100.64.0.1/32', '100.64.0.2/32']),
  );
  t.strictSame(await ask(2), given[0], 'the same login again');
  t.strictSame(await ask(4), { kind: 'unavailable' }, 'nobody knows whether one is free');
  t.strictSame(await isp.ask({ ipv4PoolId: 5 }, away, [{ ...pool, onExhausted: 'nas' }], 5), go());
  t.notOk((await isp.counted('lastmile_pool_exhausted_total')).some(({ value }) => value > 0));
  await isp.store.server.start();
  await until(() => isp.redis.ping(), 'Redis is back');
  await isp.reserves.renew();
  t.equal(isp.reserves.size(), 0);
  await until(async () => (await ask(2)).kind === 'go', 'the breaker closes');
  t.strictSame([await ask(2), await ask(3)], given, 'and it knows who has what');
  t.strictSame(await ask(4), { kind: 'refused', reason: 'pool_exhausted' });
});

t.test('calls that fail together close the breaker once', async (t) => {
  const clock = { nowMs: () => noon, monotonicMs: () => at.ms };
  const at = { ms: 0 };
  let calls = 0;
  const ledger = {
    async ask(): Promise<never> {
      calls++;
      throw new Error('away');
    },
  };
  const reserves = createReserves(() => createPoolLedger({} as never), 'worker', clock);
  const gate = createLoginGate({
    ...{
      ledger: () => ledger,
      reserves,
      clock,
      metrics: createGateMetrics(new Registry()),
      budgetMs: 500,
      random: () => 0,
    },
  });
  const who = { tenantId: 1, subscriptionId: 7, holder: 'h', poolHoldMs: 1, place: home, macsFull: false };
  const ask = () => gate.ask({ ...who, pools: [{ family: 'ipv4', pools: [poolOf()] }] });
  const answers = await Promise.all(Array.from({ length: 10 }, ask));
  t.ok(answers.every(({ kind }) => kind === 'unavailable'));
  t.equal(calls, 10);
  at.ms = 37;
  await ask();
  t.equal(calls, 10, 'closed');
  at.ms = 38;
  await ask();
  t.equal(calls, 11, 'the first pause is the shortest one');
});

t.test('a bound subscription is let in while Redis is away, unless all its devices are known', async (t) => {
  const isp = await setup(t);
  await isp.store.server.stop();
  t.strictSame(await isp.ask({ macLimit: 1 }), go());
  isp.known.push({ address: '00000000000a', seenAtMs: noon });
  t.strictSame(await isp.ask({ macLimit: 1 }), { kind: 'refused', reason: 'mac_not_allowed' });
  t.strictSame(await isp.ask({ macLimit: 1, macMode: 'replace' }), go());
  t.ok(
    (await isp.counted('lastmile_login_asked_total')).some(
      ({ labels, value }) => labels.result === 'away' && value > 0,
    ),
  );
});

const around = [{ fromMs: noon - 86_400_000, toMs: noon + 86_400_000 }];
