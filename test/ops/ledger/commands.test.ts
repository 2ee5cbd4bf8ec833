// ledger:drift and ledger:rebuild as an operator runs them: what they print, what they ask for, how they end.
import { spawn } from 'node:child_process';
import path from 'node:path';
import t from 'tap';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { presentShippers } from '#policy/ledger/shippers.ts';
import { packCount, unpackCount } from '#policy/ledger/usage.ts';
import { createSource, folderForTest, redisClient, shipAll, shipperFor } from '#test/aaa-server/outbox/harness.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';
import { databaseForTest, redisForTest, testSecretKey } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(300_000);
const root = path.resolve(import.meta.dirname, '../../..');
/** Each is compared by queries of its own, in every run of a command. */
const subscriptions = 6;

t.test('the commands of the ledger', async (t) => {
  const { ownerUrl } = await databaseForTest(t);
  const server = await redisForTest(t, { config: { appendfsync: 'no' } });
  const redis = await redisClient(t, server.url);
  const clickhouse = await startClickHouse(t);
  const folder = folderForTest(t);
  const environment = {
    ...{ PATH: process.env.PATH ?? '', LASTMILE_DATA_DIR: folder, LASTMILE_SECRET_KEY: testSecretKey },
    ...{ DATABASE_URL: ownerUrl, REDIS_URL: server.url, CLICKHOUSE_URL: clickhouse.url },
  };
  const run = (script: string, ...args: string[]) =>
    new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
      const child = spawn(process.execPath, ['ops/run.mjs', `ops/ledger/${script}-command.ts`, ...args], {
        ...{ cwd: root, env: environment },
      });
      let [out, err] = ['', ''];
      child.stdout.on('data', (chunk) => (out += chunk));
      child.stderr.on('data', (chunk) => (err += chunk));
      child.on('close', (code) => resolve({ code, out, err }));
    });
  const node = 'a7c1e6a2-0000-4000-8000-000000000001';
  const source = await createSource(redis, `${node}-0`, subscriptions);
  await source.apply(2 * subscriptions);
  const usageKey = keys.usage(partitionOf(1, 1), 1, 1);

  await t.test('drift: 2 while rows are missing, 0 when all is the same, 1 when not', async (t) => {
    const late = await run('drift', '--wait', '0');
    t.equal(late.code, 2, late.out + late.err);
    t.match(late.err, /still waits in Redis/);
    await shipAll(redis, clickhouse.client);
    const same = await run('drift');
    t.equal(same.code, 0, same.out + same.err);
    t.match(same.out, /of 6 subscriptions compared: the ledger and the history are the same/);
    const counted = unpackCount(await redis.hgetBuffer(usageKey, 'all'));
    await redis.hset(usageKey, 'all', packCount({ ...counted, upBytes: counted.upBytes + 5 }));
    const differs = await run('drift');
    t.equal(differs.code, 1);
    t.match(differs.out, /all time/);
    t.match(differs.out, /1 differ/);
    const json = await run('drift', '--json');
    t.equal(json.code, 1);
    t.match(JSON.parse(json.out), { subscriptions, differences: [{ subscriptionId: 1, counter: 'all' }] });
    t.equal((await run('drift', '--wait', 'long')).code, 2);
  });

  await t.test('rebuild: a preview changes nothing, and a wrong count or an objection is refused', async (t) => {
    t.match(await run('rebuild'), { code: 1, err: /--from clickhouse\|wal/ });
    const preview = await run('rebuild', '--from', 'clickhouse');
    t.equal(preview.code, 0, preview.out + preview.err);
    t.match(preview.out, /6 subscriptions would be forgotten, and brought back from the history/);
    t.match(preview.out, /1 counters of 1 subscriptions differ now/);
    t.match(preview.out, new RegExp(`! node ${node} has counted .* and ships nothing now`));
    t.match(preview.out, /--from clickhouse --confirm 6 --force/);
    t.match(await run('rebuild', '--from', 'clickhouse', '--confirm', '7'), {
      code: 1,
      err: /6 subscriptions, not 7/,
    });
    t.match(await run('rebuild', '--from', 'clickhouse', '--confirm', '6'), { code: 1, err: /nothing was changed/ });
    const logs = await run('rebuild', '--from', 'wal');
    t.match(logs.out, /there is no log on this node/);
    t.match(logs.out, new RegExp(`log ${node}-0 is not on this node`));
    t.equal((await run('drift')).code, 1, 'it is as it was');
  });

  await t.test('rebuild: done when the count is confirmed and the node ships', async (t) => {
    const { shipper } = shipperFor(redis, clickhouse.client, path.join(folder, 'outbox'), { node });
    t.teardown(() => shipper.stop());
    await shipper.start();
    await until(async () => (await presentShippers(redis)).includes(node), 'it ships', 20_000);
    const done = await run('rebuild', '--from', 'clickhouse', '--confirm', '6');
    t.equal(done.code, 0, done.out + done.err);
    t.match(done.out, /6 subscriptions and 6 sessions are back/);
    t.equal((await run('drift')).code, 0);
    await source.apply(subscriptions);
    t.equal((await run('drift')).code, 0, 'and counting goes on');
  });
});
