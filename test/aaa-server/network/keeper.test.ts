// Pools kept in step with sessions: by what the streams tell, and by looking at what nobody told of.
import t, { type Test } from 'tap';
import { createPoolKeeper } from '#aaa-server/network/keeper.ts';
import { createPoolMetrics } from '#aaa-server/network/metrics.ts';
import { staleMs } from '#aaa-server/network/session-walk.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { keys } from '#policy/ledger/keys.ts';
import { createLoginLedger } from '#policy/ledger/login.ts';
import { readLease } from '#policy/ledger/pools.ts';
import { createRestore } from '#policy/ledger/restore.ts';
import { type Change, ledgerOn, recordAt, storeForTest } from '#test/policy/ledger/ledger-under-test.ts';
import { coolDownMs, poolOf, unitOf } from '#test/policy/ledger/pool-model.ts';

t.setTimeout(60_000);
const noon = Date.UTC(2026, 2, 4, 12);

async function setup(t: Test, cluster = false) {
  const store = await storeForTest(t, { cluster });
  const isp = await ledgerOn(t, store);
  const pool = poolOf();
  /** Over the same addresses as what the access server gives by itself. */
  const young = poolOf({
    ...{ id: 7, name: 'young' },
    ranges: [{ id: 3, first: '100.65.0.0', size: 4, draining: false, createdAtMs: noon }],
  });
  const homes = poolOf({
    ...{ id: 6, name: 'prefixes', family: 'delegated_prefix' as const, unitLength: 56 },
    ranges: [{ id: 2, first: '2001:db8::', size: 256, draining: false }],
  });
  const clock = { atMs: noon, monotonicMs: 0 };
  const lanes = { behind: false };
  const registry = new Registry();
  const keeper = createPoolKeeper({
    ...{ redis: isp.redis, node: 'n', log: createLogger('test', 'silent'), metrics: createPoolMetrics(registry) },
    snapshot: { poolList: () => [pool, homes, young], nasGeneration: () => 1 },
    catchesUp: async () => lanes.behind,
    clock: { nowMs: () => clock.atMs, monotonicMs: () => clock.monotonicMs },
  });
  const login = createLoginLedger(isp.redis);
  const lease = async (subscriptionId: number, of = pool) =>
    unitOf(
      await login.ask({
        ...{ nowMs: clock.atMs, tenantId: 1, subscriptionId, pools: [{ pool: of, holder: `h${subscriptionId}` }] },
        place: { nasInstance: '1', callingStationId: '', nasPort: '', nasPortId: '' },
      }),
    );
  const at = (seconds: number, change: Change) => isp.apply(recordAt(noon + seconds * 1000, change));
  /** A round with a look at what is due. */
  const look = () => {
    clock.monotonicMs += 3_600_000;
    return keeper.round();
  };
  const gauge = async (name: string) => (await registry.getSingleMetric(name)!.get()).values;
  return {
    ...isp,
    pool,
    young,
    homes,
    clock,
    lanes,
    keeper,
    lease,
    at,
    look,
    gauge,
    state: (unit: string) => readLease(isp.redis, pool.id, unit),
  };
}

for (const cluster of [false, true]) {
  t.test(`the Start confirms, the Stop ends${cluster ? ', in a cluster' : ''}`, async (t) => {
    const isp = await setup(t, cluster);
    t.equal(await isp.lease(7), '1:0');
    await isp.at(1, { kind: 'start', framedIp: '100.64.0.0', delegatedIpv6Prefix: '2001:db8:0:300::/56' });
    await isp.keeper.round();
    t.match(await isp.state('1:0'), { state: 'live', subscriptionId: 7, sessionKey: isp.sessionKey() });
    t.match(await readLease(isp.redis, isp.homes.id, '2:3'), { state: 'live' }, 'also what the pool did not give');
    t.match(await isp.gauge('lastmile_pool_used_units'), [
      { value: 1, labels: { pool: 'homes' } },
      { value: 1, labels: { pool: 'prefixes' } },
    ]);
    await isp.at(600, { kind: 'stop', sessionTimeS: 600, framedIp: '100.64.0.0' });
    await isp.keeper.round();
    t.match(await isp.state('1:0'), { state: 'free', subscriptionId: 7 });
    t.match(await isp.redis.xpending(keys.addresses(recordAt(noon, { kind: 'start' }).partition), 'pools'), [0]);
  });
}

t.test('an address whose session is over and nobody said so is taken back; one that lives is not', async (t) => {
  const isp = await setup(t);
  await isp.lease(7);
  await isp.at(0, { kind: 'start', framedIp: '100.64.0.0' });
  await isp.keeper.round();
  isp.clock.atMs = noon + 3_600_000;
  await isp.at(3599, { kind: 'interim', sessionTimeS: 3599, framedIp: '100.64.0.0' });
  await isp.look();
  t.match(await isp.state('1:0'), { state: 'live' });
  isp.clock.atMs = noon + 2 * 3_600_000;
  await isp.at(7000, { kind: 'interim', sessionTimeS: 7000, framedIp: '100.64.0.3' });
  await isp.look();
  t.match(await isp.state('1:0'), { state: 'free' }, 'the session has another one now');
  t.match(await isp.state('1:3'), { state: 'live' });
  isp.clock.atMs = noon + 7_000_000 + staleMs + 3_600_000;
  await isp.look();
  t.match(await isp.state('1:3'), { state: 'free' }, 'nothing was heard of it for hours');
});

t.test('a new range over addresses that sessions have is leased from when all of them are known', async (t) => {
  const isp = await setup(t);
  await isp.at(0, { kind: 'start', framedIp: '100.65.0.0' });
  // Told before there was a pool: nobody reads it again.
  await isp.redis.del(keys.addresses(recordAt(noon, { kind: 'start' }).partition));
  t.equal(await isp.lease(8, isp.young), null, 'nobody can say yet what is free');
  isp.lanes.behind = true;
  await isp.look();
  t.equal(await isp.lease(8, isp.young), null, 'sessions are missing still');
  isp.lanes.behind = false;
  await isp.look();
  t.equal(await isp.lease(8, isp.young), '3:1');
  t.match(await readLease(isp.redis, isp.young.id, '3:0'), { state: 'live', subscriptionId: 7 });
  await isp.redis.del(keys.pool(isp.young.id));
  t.equal(await isp.lease(9, isp.young), null, 'a store that has forgotten looks again');
});

t.test('while a partition is rebuilt its leases stay, and one that was lost comes back with its session', async (t) => {
  const isp = await setup(t);
  await isp.lease(7);
  await isp.at(0, { kind: 'start', framedIp: '100.64.0.0' });
  await isp.keeper.round();
  const { partition } = recordAt(noon, { kind: 'start' });
  const restore = createRestore(isp.redis);
  t.ok(await restore.begin(partition));
  const kept = await isp.redis.dumpBuffer(isp.sessionKey());
  const live = await isp.redis.zscore(keys.live(partition), isp.sessionKey());
  await restore.clear([partition]);
  isp.clock.atMs = noon + 3_600_000;
  await isp.look();
  t.match(await isp.state('1:0'), { state: 'live' }, 'it is not known whether it is over');
  await restore.end(partition, new Map());
  isp.clock.atMs += 3_600_000;
  await isp.look();
  t.match(await isp.state('1:0'), { state: 'free', sessionKey: '' }, 'now it is not there');
  await isp.redis.restore(isp.sessionKey(), 0, kept);
  await isp.redis.zadd(keys.live(partition), String(live), isp.sessionKey());
  await isp.look();
  t.match(
    await isp.state('1:0'),
    { state: 'live', sessionKey: isp.sessionKey() },
    'it reports: the address is its own',
  );
  t.equal((await isp.lease(8)) === '1:0', false);
});

t.test('a pool recovers for as long as sessions are brought back', async (t) => {
  const isp = await setup(t);
  const minute = 60_000;
  await isp.lease(7);
  await isp.redis.flushdb();
  await isp.lease(8);
  const recovers = async () => Number(await isp.redis.hget(keys.pool(isp.pool.id), 'recover'));
  t.equal(await recovers(), noon + 15 * minute);
  const { partition } = recordAt(noon, { kind: 'start' });
  const restore = createRestore(isp.redis);
  t.ok(await restore.begin(partition));
  isp.clock.atMs += 14 * minute;
  await isp.look();
  t.equal(await recovers(), noon + 29 * minute);
  await restore.end(partition, new Map());
  isp.clock.atMs += 10 * minute;
  await isp.look();
  t.equal(await recovers(), noon + 29 * minute, 'nothing is brought back any more');
});

t.test('a pool recovers for as long as accounting of this node waits to be applied', async (t) => {
  const isp = await setup(t);
  const minute = 60_000;
  await isp.lease(7);
  await isp.redis.flushdb();
  await isp.lease(8);
  const recovers = async () => Number(await isp.redis.hget(keys.pool(isp.pool.id), 'recover'));
  isp.lanes.behind = true;
  for (const minutes of [14, 28, 42]) {
    isp.clock.atMs = noon + minutes * minute;
    await isp.look();
    t.equal(await recovers(), noon + (minutes + 15) * minute, `${minutes} minutes later`);
  }
  isp.lanes.behind = false;
  isp.clock.atMs += 10 * minute;
  await isp.look();
  t.equal(await recovers(), noon + 57 * minute, 'all of it is applied');
  isp.clock.atMs = noon + 58 * minute;
  isp.lanes.behind = true;
  await isp.look();
  t.equal(await recovers(), noon + 57 * minute, 'a recovery that is over does not begin again');
});

t.test('a hold without a Start ends where nobody logs in', async (t) => {
  const isp = await setup(t);
  await isp.lease(7);
  isp.clock.atMs += 200_000;
  await isp.look();
  t.match(await isp.state('1:0'), { state: 'free' });
  isp.clock.atMs += coolDownMs;
  t.equal(await isp.lease(8), '1:1', 'never used ones go first');
});

t.test('a store that lost its readers is followed again', async (t) => {
  const isp = await setup(t);
  await isp.keeper.round();
  await isp.redis.xgroup('DESTROY', keys.addresses(recordAt(noon, { kind: 'start' }).partition), 'pools');
  await t.rejects(isp.keeper.round(), /NOGROUP/);
  await isp.at(0, { kind: 'start', framedIp: '100.64.0.2' });
  await isp.keeper.round();
  t.match(await isp.state('1:2'), { state: 'live' });
});
