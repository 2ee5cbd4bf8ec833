// Nothing may take many subscribers off the edge at once without an operator: removals by the feed, and reloads.
import t from 'tap';
import { databaseForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { createHarness, temporaryFolder } from './harness.ts';
import { createIsp, pruneFeed } from './isp.ts';

t.setTimeout(120_000);

t.test('a few deletions pass, a mass delete is held across a restart until its count is confirmed', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const ids = await isp.addSubscriptions(200);
  const folder = temporaryFolder(t);
  const before = createHarness(t, database.feedUrl, folder);
  await before.ready();

  await isp.deleteSubscriptions(ids.slice(0, 20));
  await until(() => !before.subscribers.reader.subscription(isp.tenantId, ids[19]!), 'twenty are gone');
  t.notOk(before.subscribers.reader.credential(isp.tenantId, '', 'user19'));

  await isp.deleteSubscriptions(ids.slice(20, 120));
  await until(() => before.subscribers.guard.list().length > 0, 'a hold stands');
  t.match(before.subscribers.guard.list(), [{ tenantId: isp.tenantId, kind: 'removals', count: 100 }]);
  t.equal(before.subscribers.reader.credential(isp.tenantId, '', 'user20')?.subscriptionId, ids[20]);
  t.match(await before.registry.metrics(), /lastmile_snapshot_held\{kind="removals"\} 100/);
  await before.subscribers.stop();

  const after = createHarness(t, database.feedUrl, folder);
  await after.ready();
  const { guard, reader } = after.subscribers;
  t.match(guard.list(), [{ tenantId: isp.tenantId, count: 100 }]);
  await isp.db.query(`UPDATE subscription SET status = 'paused' WHERE id = $1`, [ids[150]]);
  await until(() => reader.subscription(isp.tenantId, ids[150]!)?.status === 'paused', 'other changes go on');
  await isp.deleteSubscriptions([ids[199]!]);
  await until(() => guard.list()[0]?.count === 101, 'one more joins what is held');
  t.same(await guard.confirm(isp.tenantId, 100), { ok: false, reason: 'count_differs', count: 101 });
  t.ok(reader.subscription(isp.tenantId, ids[20]!));
  t.same(await guard.confirm(isp.tenantId, 101), { ok: true, released: 101 });
  t.notOk(reader.subscription(isp.tenantId, ids[20]!));
  t.notOk(reader.credential(isp.tenantId, '', 'user119'));
  t.ok(reader.subscription(isp.tenantId, ids[120]!));
  t.same(guard.list(), []);
  t.equal(after.changes.filter(({ kind }) => kind === 'subscription').length, 102);
});

t.test('credentials that vanish in mass are kept, those that come back are held no longer', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const ids = await isp.addSubscriptions(60);
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
  await harness.ready();
  const { guard, reader } = harness.subscribers;

  await isp.db.query('CREATE TABLE kept AS SELECT * FROM credential');
  await isp.db.query('DELETE FROM credential');
  await until(() => guard.list()[0]?.count === 60, 'all are held');
  t.equal(reader.credential(isp.tenantId, '', 'user7')?.subscriptionId, ids[7]);
  await isp.db.query('INSERT INTO credential OVERRIDING SYSTEM VALUE SELECT * FROM kept');
  await until(() => guard.list().length === 0, 'nothing is held any more');
  t.equal(reader.credential(isp.tenantId, '', 'user7')?.subscriptionId, ids[7]);
});

t.test('a user name that moves to another subscription is no removal', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const ids = await isp.addSubscriptions(120);
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
  await harness.ready();
  await isp.db.query('UPDATE credential SET subscription_id = subscription_id + 60 WHERE subscription_id <= $1', [
    ids[59],
  ]);
  const { guard, reader } = harness.subscribers;
  await until(() => reader.credential(isp.tenantId, '', 'user0')?.subscriptionId === ids[60], 'it moved');
  t.same(guard.list(), []);
  await isp.db.query(`DELETE FROM credential WHERE user_name = 'user0'`);
  await until(() => !reader.credential(isp.tenantId, '', 'user0'), 'and can be removed there');
});

t.test('a source that is suddenly empty changes nobody, until an operator confirms the loss', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const ids = await isp.addSubscriptions(80);
  const folder = temporaryFolder(t);
  const before = createHarness(t, database.feedUrl, folder);
  await before.ready();
  await before.subscribers.stop();

  const empty = await databaseForTest(t);
  const after = createHarness(t, empty.feedUrl, folder);
  await after.ready();
  const { guard, reader } = after.subscribers;
  await until(() => guard.list().length > 0, 'the reload is held');
  t.ok(reader.complete());
  t.equal(reader.credential(isp.tenantId, '', 'user3')?.subscriptionId, ids[3]);
  const [hold] = guard.list();
  t.match(hold, { kind: 'reload', tenantId: isp.tenantId, count: 163 });
  t.same(await guard.confirm(isp.tenantId, 80), { ok: false, reason: 'count_differs', count: 163 });
  t.same(await guard.confirm(isp.tenantId, 163), { ok: true, released: 163 });
  await until(() => !reader.credential(isp.tenantId, '', 'user3'), 'the empty source is taken over');
  t.same(guard.list(), []);
});

t.test('removals that are held survive a full copy', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const ids = await isp.addSubscriptions(1000);
  const folder = temporaryFolder(t);
  const before = createHarness(t, database.feedUrl, folder);
  await before.ready();
  await isp.deleteSubscriptions(ids.slice(0, 90));
  await until(() => !before.subscribers.reader.subscription(isp.tenantId, ids[89]!), 'within the limit');
  await isp.deleteSubscriptions(ids.slice(90, 150));
  await until(() => before.subscribers.guard.list()[0]?.count === 60, 'beyond it');
  await before.subscribers.stop();
  await isp.db.query(`UPDATE subscription SET status = 'paused' WHERE id = $1`, [ids[500]]);
  await pruneFeed(isp);

  const after = createHarness(t, database.feedUrl, folder);
  await after.ready();
  await until(() => after.changes.some(({ kind }) => kind === 'reload'), 'a full copy ran');
  t.equal(after.subscribers.guard.list()[0]?.count, 60);
  t.equal(after.subscribers.reader.credential(isp.tenantId, '', 'user90')?.subscriptionId, ids[90]);
});
