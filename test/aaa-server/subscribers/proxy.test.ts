// What is forwarded on its way to the edge: by the feed from PostgreSQL, one record for each tenant that forwards anything.
import t from 'tap';
import { databaseForTest, testKeyring } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { createHarness, temporaryFolder } from './harness.ts';
import { createIsp } from './isp.ts';

t.setTimeout(120_000);

t.test('home servers, realms and copies are in the snapshot, and follow changes', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const one = async (sql: string, values: unknown[]) => Number((await isp.db.query(sql, values)).rows[0].id);
  const cipher = testKeyring.encrypt('nas', `${isp.tenantId}:home:192.0.2.1`, Buffer.from('hush'));
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
  await harness.ready();
  const { reader } = harness.subscribers;
  t.strictSame(reader.proxyList(), [], 'nobody forwards anything');
  const before = reader.nasGeneration();
  const server = await one(
    `INSERT INTO home_server (tenant_id, name, address, secret_cipher) VALUES ($1, 'partner', '192.0.2.1', $2) RETURNING id`,
    [isp.tenantId, cipher],
  );
  const realm = await one(`INSERT INTO realm (tenant_id, name) VALUES ($1, 'partner.example') RETURNING id`, [
    isp.tenantId,
  ]);
  await isp.db.query('INSERT INTO realm_home_server VALUES ($1, $2, $3, 0)', [isp.tenantId, realm, server]);
  await until(() => reader.proxyList()[0]?.realms[0]?.homeServerIds.length === 1, 'the realm is there', 15_000);
  t.ok(reader.nasGeneration() > before);
  const [record] = reader.proxyList();
  t.match(record, {
    ...{ tenantId: isp.tenantId, copies: [] },
    homeServers: [
      {
        ...{ id: server, name: 'partner', address: '192.0.2.1', authPort: 1812, acctPort: 1813, attempts: 1 },
        ...{ responseWindowMs: 2000, healthCheck: 'status_server', messageAuthenticator: 'auto', maxOutstanding: 2048 },
      },
    ],
    realms: [
      {
        ...{ id: realm, name: 'partner.example', stripUserName: false, authentication: 'forward', accounting: 'both' },
        ...{ choice: 'order', unreachable: 'silence', replyAttributes: null, homeServerIds: [server] },
      },
    ],
  });
  t.ok(record?.homeServers[0]?.secretCipher.equals(cipher));

  const copy = await one(
    `INSERT INTO accounting_copy (tenant_id, name, home_server_id, nas_id) VALUES ($1, 'billing', $2, $3) RETURNING id`,
    [isp.tenantId, server, isp.nasId],
  );
  const known = { id: copy, name: 'billing', homeServerId: server, nasId: isp.nasId };
  await until(() => reader.proxyList()[0]?.copies.length === 1, 'the copy', 15_000);
  t.strictSame(reader.proxyList()[0]?.copies, [known]);
  await isp.db.query(`UPDATE home_server SET status = 'inactive'`);
  await until(() => reader.proxyList()[0]?.homeServers.length === 0, 'a home server out of use', 15_000);
  await isp.db.query('DELETE FROM realm');
  await until(() => reader.proxyList()[0]?.realms.length === 0, 'no realm', 15_000);
  // The guard holds removals of subscribers back: nobody's logins may stay with a home server for that.
  const many = await isp.addSubscriptions(60);
  await until(() => reader.credential(isp.tenantId, '', 'user59') !== undefined, 'they are there', 15_000);
  await isp.deleteSubscriptions(many);
  await until(() => harness.subscribers.guard.list().length > 0, 'the guard holds subscribers', 15_000);
  await isp.db.query('DELETE FROM accounting_copy');
  await until(() => reader.proxyList().length === 0, 'nothing is forwarded any more', 15_000);
});
