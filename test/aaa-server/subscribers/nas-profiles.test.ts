// What operators say of access servers reaches the edge: policies by name, counters, attributes of replies.
import t from 'tap';
import { databaseForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { createHarness, temporaryFolder } from './harness.ts';
import { createIsp } from './isp.ts';

t.setTimeout(120_000);

const stored = (name: string, type: number, value: string) =>
  JSON.stringify([{ name, value, vendor: 0, type, octets: Buffer.from(value).toString('hex') }]);

t.test('what is saved in PostgreSQL is in the snapshot, at the first copy and at each change', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const [first, second] = await isp.addSubscriptions(2);
  await isp.db.query(`UPDATE nas SET vendor = 'cisco', coa_port = NULL`);
  await isp.db.query('UPDATE subscription SET attributes = $1 WHERE id = $2', [
    stored('Framed-Pool', 88, 'büro'),
    first,
  ]);
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
  await harness.ready();
  const { reader } = harness.subscribers;
  const nas = () => reader.nasList()[0]!;
  t.match(nas(), { vendor: 'cisco', coaPort: null, speedWay: null, swapOctets: false, octetUnit: 1, ipv6Rule: null });
  t.strictSame([nas().policies, nas().attributes], [[], []]);
  const added = { vendor: 0, type: 88, value: Buffer.from('büro') };
  t.strictSame(reader.subscription(isp.tenantId, first!)?.attributes, [added]);
  t.strictSame(reader.subscription(isp.tenantId, second!)?.attributes, undefined);
  t.strictSame(reader.plan(isp.tenantId, isp.planId)?.attributes, []);

  await t.test('a policy of the vendor, then one of the NAS in its place', async (t) => {
    const add = `INSERT INTO speed_policy (tenant_id, vendor, nas_id, up_bps, down_bps, name, up_name) VALUES ($1, 'cisco', $2, 5e6, 20e6, $3, $4)`;
    const generation = reader.nasGeneration();
    await isp.db.query(add, [isp.tenantId, null, 'DOWN', 'UP']);
    await until(() => nas().policies?.length === 1, 'the policy arrives');
    t.strictSame(nas().policies, [{ upBps: 5e6, downBps: 20e6, name: 'DOWN', upName: 'UP' }]);
    t.ok(reader.nasGeneration() > generation, 'workers read their table anew');
    await isp.db.query(add, [isp.tenantId, isp.nasId, 'OWN', null]);
    await until(() => nas().policies?.[0]?.name === 'OWN', 'the own one wins');
    await isp.db.query('DELETE FROM speed_policy WHERE nas_id IS NOT NULL');
    await until(() => nas().policies?.[0]?.name === 'DOWN', 'the one of the vendor is back');
  });

  await t.test('settings and attributes of NAS, tariff and subscription', async (t) => {
    await isp.db.query(
      `UPDATE nas SET swap_octets = true, octet_unit = 1024, ipv6_rule = 'sum', speed_way = 'names', attributes = $1`,
      [stored('Filter-Id', 11, 'nas')],
    );
    await until(() => nas().octetUnit === 1024, 'the settings arrive');
    t.match(nas(), { swapOctets: true, ipv6Rule: 'sum', speedWay: 'names' });
    t.strictSame(nas().attributes, [{ vendor: 0, type: 11, value: Buffer.from('nas') }]);
    await isp.db.query('UPDATE tariff SET attributes = $1', [stored('Filter-Id', 11, 'tariff')]);
    await until(() => reader.plan(isp.tenantId, isp.planId)?.attributes?.length === 1, 'those of the tariff arrive');
    await isp.db.query(`UPDATE subscription SET attributes = '[]', meter = 'radius' WHERE id = $1`, [first]);
    await until(() => !reader.subscription(isp.tenantId, first!)?.attributes, 'those of the subscription go');
    t.equal(reader.credential(isp.tenantId, '', 'user0')?.subscriptionId, first, 'its credentials stay');
  });
});
