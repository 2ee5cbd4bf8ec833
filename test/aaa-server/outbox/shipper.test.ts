// From the ledger's outbox to ClickHouse: nothing is lost and nothing comes twice, whoever is away, full, or killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { readReceipt } from '#aaa-server/outbox/receipt.ts';
import { readReceipt as storedReceipt } from '#ops/spool/batch-file.ts';
import { openSpool } from '#ops/spool/spool.ts';
import { entriesInStreams, historyCompleteUntil, oldestInStreams } from '#policy/ledger/history-lag.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { createOutbox } from '#policy/ledger/outbox.ts';
import { createShippers, presentShippers } from '#policy/ledger/shippers.ts';
import { partitionCount } from '#policy/ledger/types.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';
import { runs } from '#test/support/effort.ts';
import { redisForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { metricOf } from '../accounting/records.ts';
import { createSource, folderForTest, redisClient, rowsInStreams, rowsOf, shipperFor, sumOf } from './harness.ts';

t.setTimeout(300_000);

t.test('the outbox', async (t) => {
  const clickhouse = await startClickHouse(t);
  const server = await redisForTest(t, { config: { appendfsync: 'no' } });
  const redis = await redisClient(t, server.url);

  const arrived = (walId: string, count: number) =>
    until(async () => (await rowsOf(clickhouse.client, walId)).once >= count, `${count} rows have arrived`, 60_000);

  await t.test('each entry becomes the row of its record', async (t) => {
    const source = await createSource(redis, 'columns');
    await source.apply(3);
    const [entry] = (await createOutbox(redis, 'reader').read(partitionOf(1, 1), 1)).rows;
    const { shipper, metrics } = shipperFor(redis, clickhouse.client, folderForTest(t));
    t.teardown(() => shipper.stop());
    await shipper.start();
    await arrived('columns', 3);
    const result = await clickhouse.client.query({
      query: `SELECT *, toUnixTimestamp64Milli(from_at) AS since, toUnixTimestamp64Milli(event_at) AS until,
        toUnixTimestamp64Milli(received_at) AS received FROM accounting WHERE wal = 'columns' AND position = 1`,
      format: 'JSONEachRow',
    });
    const [row] = await result.json<Record<string, unknown>>();
    t.match(row, {
      ...{ wal: 'columns', position: '1', part: 0, generation: '1', tenant_id: '1', subscription_id: '1' },
      ...{ partition: partitionOf(1, 1), meter: 'radius', kind: 'interim', nas_id: '1', nas_instance: '1' },
      ...{ session_id: 'columns-1', incarnation: 1, user_name: 'user1', framed_ip: '10.1.2.3' },
      ...{ since: String(entry!.fromMs), until: String(entry!.eventAtMs), received: String(entry!.receivedAtMs) },
      ...{ up_total: '1001', down_total: '0', up_delta: '1001', down_delta: '0', flags: 'lost_start' },
      state: entry!.state,
    });
    t.equal(await entriesInStreams(redis), 0, 'nothing is left in Redis');
    await until(async () => (await metricOf(metrics.shipped)) === 3, 'as many are counted');
  });

  await t.test('while ClickHouse is away rows wait on disk, and arrive once', async (t) => {
    const folder = folderForTest(t);
    const source = await createSource(redis, 'away');
    await clickhouse.stop();
    const first = shipperFor(redis, clickhouse.client, folder, { awayEveryMs: 50 });
    t.teardown(() => first.shipper.stop());
    await first.shipper.start();
    for (let round = 0; round < 5; round++) {
      await source.apply(100);
      await until(async () => (await entriesInStreams(redis)) === 0, 'the entries are on disk', 20_000);
    }
    await until(() => first.shipper.trouble() !== null, 'the shipper tells');
    t.ok((await metricOf(first.metrics.failures)) > 0);
    const waiting = first.shipper.spool()!.batches().length;
    t.ok(waiting > 1, `${waiting} batches wait`);
    const completeMs = await historyCompleteUntil(redis, 0, Date.now());
    t.equal(completeMs, first.shipper.spool()!.oldestMs(), 'history tells since when it is incomplete');
    await first.shipper.stop();

    const second = shipperFor(redis, clickhouse.client, folder);
    t.teardown(() => second.shipper.stop());
    await second.shipper.start();
    await source.apply(100);
    await clickhouse.restart();
    await arrived('away', 600);
    await until(() => second.shipper.trouble() === null, 'the shipper has calmed down');
    await until(async () => (await historyCompleteUntil(redis, 0, 1e15)) === 1e15, 'history is complete');
    t.strictSame(await rowsOf(clickhouse.client, 'away'), { all: 600, once: 600, bytes: sumOf(source.totals) });
    t.equal(second.shipper.spool()!.bytes(), 0);
  });

  await t.test('beyond its limit the disk takes no more: entries stay in Redis, with an alarm', async (t) => {
    const source = await createSource(redis, 'full');
    const options = { limitBytes: 1, awayEveryMs: 20 };
    const { shipper, metrics } = shipperFor(redis, undefined, folderForTest(t), options);
    t.teardown(() => shipper.stop());
    await source.apply(50);
    await shipper.start();
    t.match(shipper.trouble(), /CLICKHOUSE_URL is empty/);
    await until(async () => (await metricOf(metrics.alarms, { reason: 'spool_full' })) === 1, 'it is full', 10_000);
    t.equal(await metricOf(metrics.alarms, { reason: 'no_clickhouse' }), 1, 'told once');
    const kept = shipper.spool()!.bytes();
    await source.apply(50);
    const oldestMs = (await oldestInStreams(redis))!;
    t.ok(Math.abs(Date.now() - oldestMs) < 60_000);
    t.equal(await rowsInStreams(redis), 50);
    t.equal(shipper.spool()!.bytes(), kept);
    await shipper.stop();

    const { shipper: later } = shipperFor(redis, clickhouse.client, path.dirname(shipper.spool()!.batches()[0]!.file));
    t.teardown(() => later.stop());
    await later.start();
    await arrived('full', 100);
    t.strictSame(await rowsOf(clickhouse.client, 'full'), { all: 100, once: 100, bytes: sumOf(source.totals) });
  });

  await t.test('a batch that ClickHouse refuses is put aside and holds up nobody', async (t) => {
    const folder = folderForTest(t);
    const spool = await openSpool(folder, () => {});
    const bad = {
      ...{ token: 'bad', into: 'INSERT INTO accounting (wal) FORMAT RowBinary', rows: 1, oldestMs: 1 },
      receipt: Buffer.from('1f8b08000000000000038b8e050029bb4c0d02000000', 'hex'), // gzip of []
      body: Buffer.from('no gzip'),
    };
    await spool.add(bad);
    spool.close();
    const source = await createSource(redis, 'refused');
    await source.apply(10);
    const { shipper, metrics } = shipperFor(redis, clickhouse.client, folder);
    t.teardown(() => shipper.stop());
    await shipper.start();
    await arrived('refused', 10);
    t.strictSame(readdirSync(path.join(folder, 'rejected')), ['000000000001.batch']);
    t.equal(await metricOf(metrics.alarms, { reason: 'batch_refused' }), 1);
    t.equal(await metricOf(metrics.failures), 3);
  });

  await t.test('what another node was given and never kept is taken over', async (t) => {
    const source = await createSource(redis, 'stale');
    await source.apply(200);
    const dead = createOutbox(redis, 'dead node');
    let given = 0;
    for (let partition = 0; partition < partitionCount; partition++) {
      given += (await dead.read(partition, 2)).rows.length;
    }
    t.ok(given > 0 && given < 200, `${given} entries were given to a node that died`);
    const { shipper } = shipperFor(redis, clickhouse.client, folderForTest(t));
    t.teardown(() => shipper.stop());
    await shipper.start();
    await arrived('stale', 200);
    t.strictSame(await rowsOf(clickhouse.client, 'stale'), { all: 200, once: 200, bytes: sumOf(source.totals) });
  });

  await t.test('entries that cannot be read hide none behind them', async (t) => {
    const source = await createSource(redis, 'hidden');
    await source.apply(1);
    const partition = partitionOf(1, 1);
    const key = keys.accounted(partition);
    const dead = createOutbox(redis, 'dead node');
    // Of another version: as many as are claimed at once, and some.
    await redis.del(key);
    await dead.read(partition, 1);
    for (let n = 0; n < 20; n++) await redis.xadd(key, '*', 'v', 'of another version');
    await dead.read(partition, 20);
    await source.apply(40);
    await dead.read(partition, 100);
    const { shipper } = shipperFor(redis, clickhouse.client, folderForTest(t));
    t.teardown(() => shipper.stop());
    await shipper.start();
    await arrived('hidden', 40);
    await shipper.stop();
    await redis.del(key);
  });

  await t.test('two nodes share the work, and one does it all when the other is gone', async (t) => {
    const source = await createSource(redis, 'two');
    const [a, b] = ['node-a', 'node-b'].map((node) =>
      shipperFor(redis, clickhouse.client, folderForTest(t), { node, batchRows: 200 }),
    );
    for (const { shipper } of [a!, b!]) {
      t.teardown(() => shipper.stop());
      await shipper.start();
    }
    await until(async () => (await presentShippers(redis)).length === 2, 'both are there');
    const both = async () => (await metricOf(a!.metrics.shipped)) > 500 && (await metricOf(b!.metrics.shipped)) > 500;
    await until(
      async () => {
        await source.apply(200);
        return both();
      },
      'both have shipped',
      60_000,
    );
    // What lies on its disk when it stops would wait there until it starts again.
    await until(async () => (await entriesInStreams(redis)) === 0, 'all is on the disk of one of them');
    await until(() => b!.shipper.spool()?.batches().length === 0, 'it has nothing left to ship');
    await b!.shipper.stop();
    t.strictSame(await presentShippers(redis), ['node-a']);
    await source.apply(1000);
    await arrived('two', source.count());
    await until(async () => (await entriesInStreams(redis)) === 0, 'nothing is left in Redis');
    const count = source.count();
    t.strictSame(await rowsOf(clickhouse.client, 'two'), { all: count, once: count, bytes: sumOf(source.totals) });
  });

  await t.test('a partition is read in order: what a dead node was given comes first', async (t) => {
    const source = await createSource(redis, 'order');
    await source.apply(400);
    const dead = createOutbox(redis, 'dead node');
    const deadShippers = createShippers(redis, 'dead node', 2000);
    t.ok((await deadShippers.take()).every((held) => held === 'fresh'));
    const given = new Map<number, string[]>();
    for (let partition = 0; partition < partitionCount; partition++) {
      const { ids } = await dead.read(partition, 3);
      if (ids.length > 0) given.set(partition, [...ids]);
    }
    t.ok(given.size > 5);
    // Its batches go to disk and no further: they show the order.
    const { shipper } = shipperFor(redis, undefined, folderForTest(t), { awayEveryMs: 20, batchRows: 60 });
    t.teardown(() => shipper.stop());
    await shipper.start();
    t.equal(await rowsInStreams(redis), 400, 'the lease of the dead node still stands');
    await until(async () => (await entriesInStreams(redis)) === 0, 'everything is on disk', 30_000);
    const order = new Map<number, string[]>();
    for (const batch of shipper.spool()!.batches()) {
      for (const [partition, ids] of await readReceipt(await storedReceipt(batch)))
        order.set(partition, [...(order.get(partition) ?? []), ...ids]);
    }
    for (const [partition, ids] of given)
      t.strictSame(
        order.get(partition)?.slice(0, ids.length),
        ids,
        `partition ${partition} begins with what was given`,
      );
    await redis.flushall();
  });

  await t.test('Redis killed, paused, and empty again', async (t) => {
    const source = await createSource(redis, 'redis');
    const { shipper } = shipperFor(redis, clickhouse.client, folderForTest(t));
    t.teardown(() => shipper.stop());
    await shipper.start();
    await source.apply(200);
    await server.kill9();
    await server.start();
    await until(async () => (await redis.ping()) === 'PONG', 'Redis answers again', 30_000);
    await source.apply(200);
    await redis.call('CLIENT', 'PAUSE', '3000', 'WRITE');
    await source.apply(200);
    await arrived('redis', 600);
    t.strictSame(await rowsOf(clickhouse.client, 'redis'), { all: 600, once: 600, bytes: sumOf(source.totals) });
    await redis.flushall();
    await createOutbox(redis, 'test').done(partitionOf(1, 1), ['1-1', '2-1']);
    const anew = await createSource(redis, 'anew');
    await anew.apply(100);
    await arrived('anew', 100);
  });

  await t.test('kill -9 at any moment loses nothing and doubles nothing', async (t) => {
    const folder = folderForTest(t);
    const source = await createSource(redis, 'killed');
    const script = path.join(import.meta.dirname, 'kill-child.ts');
    const start = () => {
      const child = spawn(process.execPath, [script, server.url, clickhouse.url, folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.teardown(() => child.kill('SIGKILL'));
      return child;
    };
    const started = (child: ChildProcess) => new Promise((resolve) => child.stdout!.once('data', resolve));
    const kill = (child: ChildProcess) => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      return gone;
    };
    const died = { withBatches: 0, withEntries: 0 };
    for (let round = 0; round < runs(8, 750); round++) {
      const child = start();
      await started(child);
      const goal = Date.now() + Math.random() * 400;
      do await source.apply(100);
      while (Date.now() < goal);
      await kill(child);
      if (readdirSync(folder).some((name) => name.endsWith('.batch'))) died.withBatches++;
      const group = (await redis.call('XPENDING', keys.accounted(partitionOf(1, 1)), 'shipper')) as [number];
      if (group[0] > 0) died.withEntries++;
    }
    t.comment(`killed with batches on disk ${died.withBatches} times, with entries in hand ${died.withEntries} times`);
    const last = start();
    await started(last);
    await arrived('killed', source.count());
    await until(async () => (await entriesInStreams(redis)) === 0, 'Redis is empty', 20_000);
    await until(() => !readdirSync(folder).some((name) => name.endsWith('.batch')), 'the disk is empty', 20_000);
    await kill(last);
    const count = source.count();
    t.strictSame(await rowsOf(clickhouse.client, 'killed'), { all: count, once: count, bytes: sumOf(source.totals) });
  });
});
