// The snapshot follows PostgreSQL: full copy, change feed, order of transactions, other databases, and PostgreSQL away.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { Client } from 'pg';
import t from 'tap';
import { openSnapshotReader } from '#aaa-server/subscribers/reader.ts';
import { migrate } from '#ops/stores/migrate.ts';
import { roleUrl } from '#ops/stores/urls.ts';
import { databaseForTest, startPostgres, testKeyring } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { createHarness, temporaryFolder } from './harness.ts';
import { createIsp, pruneFeed } from './isp.ts';
import { startWorkerReader } from './worker.ts';

t.setTimeout(120_000);

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

t.test(
  'whatever the order in which transactions take their numbers and commit, the snapshot ends as the source is',
  async (t) => {
    const database = await databaseForTest(t);
    const isp = await createIsp(t, database.ownerUrl);
    const ids = await isp.addSubscriptions(4);
    const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
    await harness.ready();
    const writers = await Promise.all(
      [0, 1, 2].map(async () => {
        const client = new Client({ connectionString: database.ownerUrl });
        await client.connect();
        t.teardown(() => client.end());
        return client;
      }),
    );
    // Each writer changes a row of its own, and sometimes one of nobody else's at that time: no lock waits.
    const step = fc.record({
      writer: fc.nat(2),
      act: fc.constantFrom('write', 'write', 'commit', 'rollback', 'pause'),
      anchorDay: fc.integer({ min: 1, max: 28 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        const open = [false, false, false];
        for (const { writer, act, anchorDay } of steps) {
          const client = writers[writer]!;
          if (act === 'write') {
            if (!open[writer]) await client.query('BEGIN');
            open[writer] = true;
            await client.query('UPDATE subscription SET anchor_day = $1 WHERE id = $2', [anchorDay, ids[writer]]);
          } else if (act === 'pause') {
            await new Promise((resolve) => setTimeout(resolve, anchorDay));
          } else if (open[writer]) {
            await client.query(act);
            open[writer] = false;
          }
        }
        for (const [writer, client] of writers.entries()) if (open[writer]) await client.query('COMMIT');
        const { rows } = await isp.db.query('SELECT id, anchor_day FROM subscription ORDER BY id');
        await until(
          () =>
            rows.every(
              ({ id, anchor_day }) =>
                harness.subscribers.reader.subscription(isp.tenantId, Number(id))?.anchorDay === anchor_day,
            ),
          'the snapshot is as the source',
          1500,
        );
      }),
      { numRuns: 25 },
    );
  },
);

t.test('one change does not wait for a mass change before it', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const ids = await isp.addSubscriptions(10_000);
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
  await harness.ready();
  const { reader } = harness.subscribers;
  const last = ids.at(-1)!;
  const isMassApplied = (id: number) => reader.subscription(isp.tenantId, id)?.anchorDay === 7;
  await isp.db.query('UPDATE subscription SET anchor_day = 7');
  await isp.db.query(`UPDATE subscription SET status = 'paused' WHERE id = $1`, [last]);
  await until(() => reader.subscription(isp.tenantId, last)?.status === 'paused', 'the one change is live', 2000);
  const applied = ids.filter(isMassApplied).length;
  t.ok(applied < ids.length, `the mass change was still under way (${applied})`);
  await until(() => ids.every(isMassApplied), 'all are live', 20_000);
});

t.test(
  'what was lost in the feed is copied anew: pruned changes, and another database behind the same URL',
  async (t) => {
    const database = await databaseForTest(t);
    const isp = await createIsp(t, database.ownerUrl);
    const [id] = await isp.addSubscriptions(1);
    const folder = temporaryFolder(t);
    const first = createHarness(t, database.feedUrl, folder);
    await first.ready();
    await first.subscribers.stop();

    await isp.db.query(`UPDATE subscription SET status = 'paused' WHERE id = $1`, [id]);
    await pruneFeed(isp);
    t.equal((await isp.db.query('SELECT count(*)::int AS n FROM feed_change')).rows[0].n, 0, 'the change is gone');
    const second = createHarness(t, database.feedUrl, folder);
    await second.ready();
    await until(() => second.changes.some(({ kind }) => kind === 'reload'), 'a full copy ran');
    t.equal(second.subscribers.reader.subscription(isp.tenantId, id!)?.status, 'paused');
    await second.subscribers.stop();

    const other = await databaseForTest(t);
    const otherIsp = await createIsp(t, other.ownerUrl);
    const otherIds = await otherIsp.addSubscriptions(2, 'other');
    const third = createHarness(t, other.feedUrl, folder);
    await third.ready();
    await until(() => third.changes.some(({ kind }) => kind === 'reload'), 'a full copy ran');
    t.equal(third.subscribers.reader.credential(otherIsp.tenantId, '', 'other1')?.subscriptionId, otherIds[1]);
  },
);

t.test(
  'the snapshot outlives PostgreSQL: it answers after a restart without it, and catches up when it is back',
  async (t) => {
    const server = await startPostgres(t);
    await migrate({ databaseUrl: server.url, keyring: testKeyring });
    const feedUrl = roleUrl(server.url, 'lastmile_feed', testKeyring);
    const isp = await createIsp(t, server.url);
    const [id] = await isp.addSubscriptions(1);
    const folder = temporaryFolder(t);
    const before = createHarness(t, feedUrl, folder);
    await before.ready();
    await server.stop();
    const { reader } = before.subscribers;
    const aliveAtMs = reader.feedAliveAtMs();
    const feedCheck = () => before.subscribers.ready.find(({ name }) => name === 'change feed')?.check();
    await until(() => feedCheck(), 'the feed says that PostgreSQL is away');
    t.ok(reader.complete());
    t.ok(reader.subscription(isp.tenantId, id!));
    t.equal(reader.feedAliveAtMs(), aliveAtMs, 'the proof of life stands still');
    await before.subscribers.stop();

    const after = createHarness(t, feedUrl, folder);
    await after.subscribers.start();
    t.ok(after.subscribers.reader.complete(), 'complete at once');
    t.ok(after.subscribers.reader.credential(isp.tenantId, '', 'user0'));
    await server.start();
    const db = new Client({ connectionString: server.url });
    await db.connect();
    await db.query(`UPDATE subscription SET status = 'paused' WHERE id = $1`, [id]);
    await db.end();
    await until(
      () => after.subscribers.reader.subscription(isp.tenantId, id!)?.status === 'paused',
      'the change arrived',
      15_000,
    );
  },
);

t.test('a row that makes no sense is passed over: the record stays as it was, and is counted', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
  await harness.ready();
  await isp.db.query(`UPDATE tenant SET time_zone = 'Mars/Olympus' WHERE id = $1`, [isp.tenantId]);
  await isp.db.query(`UPDATE tariff SET fup_rules = '[{"window": "decade"}]' WHERE id = $1`, [isp.planId]);
  await until(
    async () => /^lastmile_feed_unreadable_total\S* 2$/m.test(await harness.registry.metrics()),
    'both rows are counted',
  );
  const { reader } = harness.subscribers;
  t.equal(reader.tenant(isp.tenantId)?.timeZone, 'UTC');
  t.equal(reader.plan(isp.tenantId, isp.planId)?.fupRules.length, 1);
});

t.test('the role of the feed can read the feed and change nothing', async (t) => {
  const database = await databaseForTest(t);
  await createIsp(t, database.ownerUrl);
  const feed = new Client({ connectionString: database.feedUrl });
  await feed.connect();
  t.teardown(() => feed.end());
  t.ok(Number((await feed.query('SELECT count(*) AS n FROM feed_change')).rows[0].n) > 0);
  for (const statement of [
    `SELECT feed_prune(interval '-1 second')`,
    'DELETE FROM feed_change',
    `UPDATE tenant SET name = 'mine'`,
    'SELECT * FROM credential',
    'SELECT * FROM app_user',
  ]) {
    await t.rejects(feed.query(statement), /permission denied/, statement);
  }
});

t.test('TRUNCATE of a table that feeds the edge is refused', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  for (const table of ['subscription', 'credential', 'nas', 'customer', 'tariff', 'tenant']) {
    await t.rejects(isp.db.query(`TRUNCATE ${table} CASCADE`), /is refused/, table);
  }
});

t.test('a process killed in the middle of a full copy leaves the snapshot it had', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const [id] = await isp.addSubscriptions(5);
  const folder = temporaryFolder(t);
  const first = createHarness(t, database.feedUrl, folder);
  await first.ready();
  await first.subscribers.stop();
  await isp.db.query(`UPDATE subscription SET status = 'paused'`);
  await pruneFeed(isp);

  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, 'copy-and-hang.ts'), folder, database.feedUrl],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(child.stdout, 'data');
  t.equal(
    readdirSync(folder).filter((file) => /^snapshot-\d+\.mdb$/.test(file)).length,
    2,
    'a second one was being written',
  );
  child.kill('SIGKILL');
  await once(child, 'exit');

  const reader = openSnapshotReader({ path: folder });
  t.ok(reader.complete());
  t.equal(reader.subscription(isp.tenantId, id!)?.status, 'active');
  await reader.close();

  const second = createHarness(t, database.feedUrl, folder);
  await second.ready();
  await until(
    () => second.subscribers.reader.subscription(isp.tenantId, id!)?.status === 'paused',
    'the copy is made',
    5000,
  );
  t.equal(
    readdirSync(folder).filter((file) => /^snapshot-\d+\.mdb$/.test(file)).length <= 2,
    true,
    'the half one is gone',
  );
});

t.test('no secret lies in the files in clear', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  await isp.addSubscriptions(3);
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
  await harness.ready();
  const [nas] = harness.subscribers.reader.nasList();
  const plain = testKeyring.decrypt('nas', `${isp.tenantId}:${nas!.address}`, nas!.secretCiphers[0]!);
  t.equal(plain.toString(), 'testing123', 'the cipher itself is whole');
  for (const file of readdirSync(harness.path)) {
    const bytes = readFileSync(path.join(harness.path, file));
    t.notOk(bytes.includes('testing123') || bytes.includes('pass123'), file);
  }
});

t.test('a switch of the meter reaches the snapshot with its instant', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const [id = 0] = await isp.addSubscriptions(1);
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
  await harness.ready();
  t.match(harness.subscribers.reader.subscription(isp.tenantId, id), { meter: 'radius', meterSinceMs: null });
  const { rows } = await isp.db.query(
    `UPDATE subscription SET meter = 'flow', meter_since = date_bin('15 minutes', now() + interval '30 minutes', 'epoch')
     WHERE id = $1 RETURNING meter_since`,
    [id],
  );
  const meterSinceMs = rows[0].meter_since.getTime();
  const reader = harness.subscribers.reader;
  await until(() => reader.subscription(isp.tenantId, id)?.meter === 'flow', 'the switch is in the snapshot', 15_000);
  t.match(reader.subscription(isp.tenantId, id), { meter: 'flow', meterSinceMs });
});

t.test('the scheme of a stored password reaches the snapshot', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const [id] = await isp.addSubscriptions(1);
  const harness = createHarness(t, database.feedUrl, temporaryFolder(t));
  await harness.ready();
  const credential = () => harness.subscribers.reader.credential(isp.tenantId, '', 'user0');
  const before = credential();
  t.equal(before?.scheme, 'clear');
  for (const scheme of ['nt', 'crypt', 'argon2', 'none', 'clear'] as const) {
    await isp.db.query('UPDATE credential SET password_scheme = $1 WHERE subscription_id = $2', [scheme, id]);
    await until(() => credential()?.scheme === scheme, `the scheme is ${scheme}`);
    t.same(credential()?.passwordCipher, before?.passwordCipher);
  }
  await t.rejects(isp.db.query("UPDATE credential SET password_scheme = 'rot13'"), /credential_password_scheme/);
});
