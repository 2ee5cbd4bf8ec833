// ClickHouse and Redis stopped and killed under accounting load: afterwards each acknowledged record is one row, and the history is the ledger.
import path from 'node:path';
import t from 'tap';
import { readTotals } from '#ops/history/window-sums.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';
import { redisForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { openAccounting } from '../accounting/accounting.ts';
import { countedUp, createLoad } from '../accounting/faults.ts';
import { newMetrics, plainCalls, silent } from '../accounting/records.ts';
import { folderForTest, redisClient, rowsOf, shipperFor } from './harness.ts';

t.setTimeout(300_000);

t.test('ClickHouse stopped, killed -9, and Redis killed -9 under load', async (t) => {
  const clickhouse = await startClickHouse(t);
  const server = await redisForTest(t);
  const redis = await redisClient(t, server.url);
  const ledger = createLedger(redis);
  await ledger.load();
  const folder = folderForTest(t);
  const walId = 'node-0';
  const accounting = await openAccounting({
    ...{ folder: path.join(folder, walId), ledger, calls: plainCalls, metrics: newMetrics(), log: silent },
    ...{ onEvents: () => {}, checkMs: 300 },
  });
  t.teardown(() => accounting.stop());
  await accounting.start();
  const { shipper } = shipperFor(redis, clickhouse.client, path.join(folder, 'outbox'), { awayEveryMs: 200 });
  t.teardown(() => shipper.stop());
  await shipper.start();
  const load = createLoad(1, (record) => accounting.append(record));
  t.teardown(() => load.stop());

  const more = (records: number) => {
    const goal = load.count() + records;
    return until(() => load.count() >= goal, `${records} more records are acknowledged`, 60_000);
  };
  const rows = async () => (await rowsOf(clickhouse.client, walId)).once;

  await more(200);
  await until(async () => (await rows()) > 100, 'rows arrive', 30_000);

  await clickhouse.stop();
  await more(300);
  await until(() => shipper.trouble() !== null && shipper.spool()!.bytes() > 0, 'rows wait on disk', 30_000);
  await clickhouse.restart();
  await until(async () => (await rows()) > 300, 'rows arrive again', 60_000);

  for (let round = 0; round < 3; round++) {
    await clickhouse.kill();
    await more(200);
    await clickhouse.restart();
    await more(100);
  }

  await clickhouse.kill();
  await server.kill9();
  await more(200);
  await server.start();
  await more(100);
  await clickhouse.restart();
  await more(200);

  await load.stop();
  const acknowledged = load.count();
  await until(() => accounting.applier.idle(), 'everything is applied', 60_000);
  await until(async () => (await rows()) >= acknowledged, 'everything has arrived', 60_000);
  const { once, bytes } = await rowsOf(clickhouse.client, walId);
  t.equal(once, acknowledged, 'a row for each record');
  const expected = [...load.expected].sort(([a], [b]) => a - b);
  t.equal(
    bytes,
    expected.reduce((sum, [, up]) => sum + up, 0),
  );
  const subscriptionIds = expected.map(([id]) => id);
  const totals = await readTotals(clickhouse.client, { tenantId: 1, subscriptionIds });
  t.strictSame(
    totals.map(({ subscriptionId, upBytes }) => [subscriptionId, upBytes]),
    expected,
    'the history',
  );
  const counted = await Promise.all(subscriptionIds.map(async (id) => [id, await countedUp(ledger, id)]));
  t.strictSame(counted, expected, 'the ledger');
});
