// What a worker reads once in a while and keeps decoded: never older than that while.
import t from 'tap';
import { openNodeForWriting, setCurrentSnapshot } from '#aaa-server/subscribers/environment.ts';
import { openSnapshotReader } from '#aaa-server/subscribers/reader.ts';
import type { PlanRecord } from '#aaa-server/subscribers/records.ts';
import { openSnapshot } from '#aaa-server/subscribers/snapshot.ts';
import { until } from '#test/support/wait.ts';
import { createIsp } from '../support/isp.ts';
import { temporaryFolder } from './harness.ts';

t.test('a worker sees every change soon, and decodes nothing twice', async (t) => {
  const folder = temporaryFolder(t);
  const isp = createIsp();
  isp.addSubscriber('alice', 'wonderland');
  const rows = isp.rows();
  const first = openSnapshot(folder, 'snapshot-1.mdb');
  const node = openNodeForWriting(folder);
  await first.put(rows);
  await setCurrentSnapshot(node, first.file);
  const reader = openSnapshotReader({ path: folder, marksStandMs: 5, swapCheckMs: 10 });
  t.teardown(async () => {
    await reader.close();
    await node.close();
  });
  const planRow = (speed: PlanRecord['speed']) =>
    rows.flatMap((row) => (row.kind === 'plan' ? [{ ...row, record: { ...row.record, speed } }] : []));

  const plan = reader.plan(1, 1);
  t.strictSame(plan?.speed, { upBps: 5_000_000, downBps: 20_000_000 });
  t.equal(reader.plan(2, 1), undefined, 'of another tenant');
  t.equal(reader.plan(1, 1), plan, 'the object that was decoded before');

  isp.addSubscriber('bob', 'builder');
  await first.put(isp.rows());
  await until(() => reader.subscription(1, 2), 'another record is there');
  t.equal(reader.plan(1, 1), plan, 'which leaves the plan as it was');

  t.equal(reader.complete(), false);
  await first.mark({ complete: true, feedAliveAtMs: 1234 });
  await until(() => reader.complete(), 'it is complete');
  t.equal(reader.feedAliveAtMs(), 1234);

  await first.put(planRow({ upBps: 1, downBps: 2 }));
  await until(() => reader.plan(1, 1)?.speed.upBps === 1, 'the plan is another one');
  t.not(reader.plan(1, 1), plan);

  await first.remove([{ kind: 'plan', tenantId: 1, id: 1, gone: true, names: [] }]);
  await until(() => reader.plan(1, 1) === undefined, 'it is gone');
  t.equal(reader.tenant(1)?.slug, 'demo');

  t.equal(reader.onlyTenant(), 1);
  const tenants = rows.flatMap((row) => (row.kind === 'tenant' ? [row] : []));
  await first.put(tenants.map((row) => ({ ...row, record: { ...row.record, id: 2, slug: 'other' } })));
  await until(() => reader.tenant(2), 'a second tenant is there');
  t.equal(reader.onlyTenant(), undefined, 'so none is the only one');

  const second = openSnapshot(folder, 'snapshot-2.mdb', first.generation());
  await second.put([...rows, ...planRow({ upBps: 7, downBps: 8 })]);
  await setCurrentSnapshot(node, second.file);
  await until(() => reader.plan(1, 1)?.speed.upBps === 7, 'the snapshot that took its place');
  t.equal(reader.complete(), false, 'which is not complete yet');
  await first.close();
  await second.close();
});
