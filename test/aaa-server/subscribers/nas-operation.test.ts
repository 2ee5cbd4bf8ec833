// Maintenance windows and drains of access servers on their way to the edge, which keeps them while PostgreSQL is away.
import t from 'tap';
import { openSnapshotReader } from '#aaa-server/subscribers/reader.ts';
import { databaseForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { createHarness, temporaryFolder } from './harness.ts';
import { createIsp } from './isp.ts';

t.setTimeout(120_000);

t.test('what is done to an access server is part of its record', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const folder = temporaryFolder(t);
  const harness = createHarness(t, database.feedUrl, folder);
  await harness.ready();
  const { reader } = harness.subscribers;
  const nas = () => reader.nasList()[0];
  t.match(nas(), { deviceLogins: 'auto', maintenance: [], drain: null });

  const [from, to] = ['2030-01-01T00:00:00.500Z', '2030-01-01T04:00:00Z'];
  const plan = 'INSERT INTO nas_maintenance (tenant_id, nas_id, starts_at, ends_at) VALUES ($1, $2, $3, $4)';
  await isp.db.query(plan, [isp.tenantId, isp.nasId, from, to]);
  const window = { fromMs: Date.parse(from), untilMs: Date.parse(to) };
  await until(() => nas()?.maintenance?.length === 1, 'the window is known');
  t.strictSame(nas()?.maintenance, [window]);
  await t.rejects(isp.db.query(plan, [isp.tenantId, isp.nasId, '2030-01-01T03:00:00Z', '2030-01-01T05:00:00Z']));
  await t.rejects(isp.db.query(plan, [isp.tenantId, isp.nasId, '2031-01-01T00:00:00Z', '2031-01-02T00:00:01Z']));

  const drain = 'INSERT INTO nas_drain (tenant_id, nas_id) VALUES ($1, $2) RETURNING id';
  const drainId = (await isp.db.query(drain, [isp.tenantId, isp.nasId])).rows[0].id;
  await until(() => nas()?.drain, 'the drain is known');
  t.strictSame(nas()?.drain, { answer: 'silence', move: null });
  await isp.db.query('INSERT INTO nas_move (tenant_id, drain_id, most, per_s) VALUES ($1, $2, 40, 5)', [
    isp.tenantId,
    drainId,
  ]);
  await until(() => nas()?.drain?.move, 'the order to move is known');
  t.match(nas()?.drain?.move, { most: 40, perS: 5 });
  t.ok(
    harness.changes.some(({ kind, key }) => kind === 'nas' && key === isp.nasId),
    'enforcement hears of it as of any change of an access server',
  );

  await harness.subscribers.stop();
  const alone = openSnapshotReader({ path: folder });
  t.teardown(() => alone.close());
  t.match(alone.nasList(), [{ maintenance: [window], drain: { move: { most: 40 } } }], 'without PostgreSQL too');
});
