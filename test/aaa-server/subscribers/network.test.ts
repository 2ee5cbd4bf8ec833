// Pools, limits and devices on their way to the edge: by the feed from PostgreSQL, and by the mirror from Redis.
import { Redis } from 'ioredis';
import t from 'tap';
import { createLedger } from '#policy/ledger/ledger.ts';
import { createLoginLedger } from '#policy/ledger/login.ts';
import { forgetMacs } from '#policy/ledger/macs.ts';
import { databaseForTest, redisForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { createHarness, temporaryFolder } from './harness.ts';
import { createIsp } from './isp.ts';

t.setTimeout(120_000);

t.test(
  'pools, terms of plans and subscriptions, and a tenant’s rules are in the snapshot, and follow changes',
  async (t) => {
    const database = await databaseForTest(t);
    const isp = await createIsp(t, database.ownerUrl);
    const [first, second] = await isp.addSubscriptions(2);
    const one = async (sql: string, values: unknown[]) => Number((await isp.db.query(sql, values)).rows[0].id);
    const poolId = await one(
      `INSERT INTO address_pool (tenant_id, name, family, nas_id, cool_down_s, reserve) VALUES ($1, 'homes', 'ipv4', $2, 600, 4) RETURNING id`,
      [isp.tenantId, isp.nasId],
    );
    const range = `INSERT INTO address_pool_range (tenant_id, pool_id, first, last, size) VALUES ($1, $2, $3, $4, 4) RETURNING id`;
    const rangeId = await one(range, [isp.tenantId, poolId, '100.64.0.0', '100.64.0.3']);
    await isp.db.query('UPDATE tariff SET ipv4_pool_id = $1, session_limit = 1 WHERE id = $2', [poolId, isp.planId]);
    await isp.db.query(`UPDATE subscription SET session_limit = 0, mac_limit = 2, mac_mode = 'replace' WHERE id = $1`, [
      second,
    ]);
    const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
    await harness.ready();
    const { reader } = harness.subscribers;
    const pool = {
      ...{ tenantId: isp.tenantId, id: poolId, name: 'homes', family: 'ipv4', priority: 100, fallbackId: null },
      ...{ nasId: isp.nasId, onExhausted: 'reject', unitLength: 32, coolDownMs: 600_000, reserve: 4 },
      ranges: [{ id: rangeId, first: '100.64.0.0', size: 4, draining: false }],
    };
    t.match(reader.poolList(), [pool]);
    t.equal(reader.poolList().length, 1);
    const noPools = { ipv6PoolId: null, delegatedPoolId: null };
    t.strictSame(reader.plan(isp.tenantId, isp.planId)?.network, {
      ...{ ipv4PoolId: poolId, ...noPools, sessionLimit: 1, macLimit: 0, macMode: 'lock' },
    });
    t.equal(reader.subscription(isp.tenantId, first!)?.network, undefined);
    t.strictSame(reader.subscription(isp.tenantId, second!)?.network, {
      ...{ ipv4PoolId: null, ...noPools, sessionLimit: 0, macLimit: 2, macMode: 'replace' },
    });
    t.match(reader.tenant(isp.tenantId), { sessionMode: 'newest', refusedLogins: {} });

    const before = reader.nasGeneration();
    await isp.db.query('UPDATE address_pool_range SET draining = true WHERE id = $1', [rangeId]);
    await until(() => reader.poolList()[0]?.ranges[0]?.draining, 'the range drains');
    t.ok(reader.nasGeneration() > before, 'whoever made something of the pools makes it anew');
    await isp.db.query(`UPDATE tenant SET session_mode = 'refuse', refused_logins = $1 WHERE id = $2`, [
      { expired: { framed_pool: 'garden' } },
      isp.tenantId,
    ]);
    await until(() => reader.tenant(isp.tenantId)?.sessionMode === 'refuse', 'the tenant refuses');
    t.match(reader.tenant(isp.tenantId)?.refusedLogins, { expired: { framedPool: 'garden' } });
    await isp.db.query('UPDATE tariff SET ipv4_pool_id = NULL WHERE id = $1', [isp.planId]);
    await isp.db.query('DELETE FROM address_pool WHERE id = $1', [poolId]);
    await until(() => reader.poolList().length === 0, 'the pool is gone');
  },
);

t.test('learned devices come to every node, also after a gap', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const [id] = await isp.addSubscriptions(1);
  const store = await redisForTest(t);
  const redis = new Redis(store.url);
  t.teardown(() => redis.disconnect());
  await createLedger(redis).load();
  const login = createLoginLedger(redis);
  const who = { tenantId: isp.tenantId, subscriptionId: id! };
  const learn = (address: string) =>
    login.ask({
      ...{ ...who, nowMs: 1000, pools: [], mac: { address, most: 3, mode: 'lock' } },
      place: { nasInstance: '1', callingStationId: '', nasPort: '', nasPortId: '' },
    });
  t.match(await learn('00000000000a'), { kind: 'granted', learned: true });
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t), store.url);
  await harness.ready();
  const known = () => harness.subscribers.reader.macs(isp.tenantId, id!).map(({ address }) => address);
  await until(() => known().join() === '00000000000a', 'what was learned before the node started', 15_000);
  t.match(await learn('00000000000b'), { learned: true });
  t.match(await learn('00000000000b'), { learned: false });
  await until(() => known().length === 2, 'what is learned now', 15_000);
  await forgetMacs(redis, who);
  await until(() => known().length === 0, 'what is forgotten', 15_000);
});
