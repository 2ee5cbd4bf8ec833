// The snapshot follows PostgreSQL: full copy, change feed, order of transactions, other databases, and PostgreSQL away.
import { Client } from 'pg';
import t from 'tap';
import { databaseForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { createHarness, temporaryFolder } from './harness.ts';
import { createIsp } from './isp.ts';
import { startWorkerReader } from './worker.ts';

t.test(
  'a full copy equals the source, and a change is live in a worker within a second beside an open transaction',
  async (t) => {
    const database = await databaseForTest(t);
    const isp = await createIsp(t, database.ownerUrl);
    const ids = await isp.addSubscriptions(3);
    const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
    await harness.ready();
    const { reader } = harness.subscribers;
    t.match(reader.tenant(isp.tenantId), { slug: 'isp1', timeZone: 'UTC', weekStart: 1, mode: 'enforce' });
    t.match(reader.plan(isp.tenantId, isp.planId), { speed: { upBps: 5_000_000, downBps: 20_000_000 } });
    t.match(reader.subscription(isp.tenantId, ids[1]!), { status: 'active', paidUntilMs: Date.UTC(2031, 0, 1) });
    t.equal(reader.credential(isp.tenantId, '', 'user1')?.subscriptionId, ids[1]);

    const worker = startWorkerReader(harness.path);
    t.teardown(() => worker.stop());
    const blocker = new Client({ connectionString: database.ownerUrl });
    await blocker.connect();
    t.teardown(() => blocker.end());
    await blocker.query('BEGIN; UPDATE area SET name = name; SELECT pg_current_xact_id()');
    for (const status of ['paused', 'disabled', 'active'] as const) {
      const changedAtMs = performance.now();
      await isp.db.query('UPDATE subscription SET status = $1 WHERE id = $2', [status, ids[0]]);
      await until(
        async () => (await worker.ask<{ status: string }>('subscription', isp.tenantId, ids[0])).status === status,
        `a worker sees ${status}`,
        1000,
      );
      t.comment(`live after ${Math.round(performance.now() - changedAtMs)} ms`);
    }
    await blocker.query('ROLLBACK');
  },
);
