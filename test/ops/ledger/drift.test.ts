// The drift report: silent while ledger and history are the same, also under load; tells every counter that differs.
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import t from 'tap';
import { type DriftOptions, findDrift, HistoryBehind } from '#ops/ledger/drift.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { createOutbox } from '#policy/ledger/outbox.ts';
import { type ByteCount, partitionCount } from '#policy/ledger/types.ts';
import { packCount, unpackCount } from '#policy/ledger/usage.ts';
import { dayWindow, monthWindow, usageWindows } from '#policy/time.ts';
import { folderForTest, redisClient, shipAll, shipperFor } from '#test/aaa-server/outbox/harness.ts';
import { callOf, recordAt, zone } from '#test/policy/ledger/ledger-under-test.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';
import { databaseForTest, redisForTest } from '#test/support/stores.ts';

t.setTimeout(300_000);

const dayMs = 86_400_000;
const nowMs = Date.now();
const beganMs = dayWindow(nowMs, zone).fromMs - 40 * dayMs;

t.test('drift', async (t) => {
  const { ownerUrl } = await databaseForTest(t);
  const postgres = new Client({ connectionString: ownerUrl });
  await postgres.connect();
  t.teardown(() => postgres.end());
  const { rows } = await postgres.query(
    'INSERT INTO tenant (slug, name, time_zone) VALUES ($1, $1, $2) RETURNING id::int',
    ['fiber', zone],
  );
  const tenantId: number = rows[0].id;
  const server = await redisForTest(t, { config: { appendfsync: 'no' } });
  const redis = await redisClient(t, server.url);
  const { client: clickhouse } = await startClickHouse(t);
  const ledger = createLedger(redis);
  await ledger.load();

  const lanes = new Map<number, number>();
  let position = 0;
  /** The next interim of the subscription's session. */
  async function use(subscriptionId: number, atMs: number, total: number): Promise<void> {
    const record = recordAt(atMs, {
      ...{ kind: 'interim', tenantId, subscriptionId, sessionId: `s${subscriptionId}` },
      ...{ sessionTimeS: Math.round((atMs - beganMs) / 1000) + 1 },
      ...{ upOctets: total % 2 ** 32, upGigawords: Math.floor(total / 2 ** 32) },
      ...{ downOctets: (3 * total) % 2 ** 32, downGigawords: Math.floor((3 * total) / 2 ** 32) },
    });
    const previous = lanes.get(record.partition) ?? 0;
    lanes.set(record.partition, ++position);
    const call = callOf(record, { walId: 'w', previous, position, generation: 1 });
    const answer = await ledger.apply({ ...call, windows: usageWindows(atMs, zone, 1, 1, beganMs) });
    if (answer.kind !== 'applied') throw new Error(answer.kind);
  }
  const days = 40;
  for (let day = 1; day <= days; day++)
    for (const id of [1, 2, 3]) await use(id, beganMs + day * dayMs - id * 1_234_567, day * 1_000_003 * id);
  const options: DriftOptions = {
    ...{ redis, clickhouse, postgres, clock: systemClock, waitMs: 60_000, allTime: true, onProgress: () => {} },
  };
  const usageKey = (id: number) => keys.usage(partitionOf(tenantId, id), tenantId, id);
  async function change(id: number, name: string, to: (count: ByteCount) => ByteCount): Promise<void> {
    const count = unpackCount(await redis.hgetBuffer(usageKey(id), name));
    await redis.hset(usageKey(id), name, packCount(to(count)));
  }

  await t.test('rows that are on their way are waited for, but not for ever', async (t) => {
    await t.rejects(findDrift({ ...options, waitMs: 100 }), HistoryBehind);
    await shipAll(redis, clickhouse);
  });

  await t.test('the ledger and the history are the same', async (t) => {
    const drift = await findDrift(options);
    t.strictSame(drift.differences, []);
    t.match(drift, { subscriptions: 3, skipped: 0 });
    // All time; ten days, two or three weeks and two or three months of each.
    t.ok(drift.counters >= 3 * 15, `${drift.counters} counters`);
  });

  await t.test('also while records are applied and shipped', async (t) => {
    const { shipper } = shipperFor(redis, clickhouse, folderForTest(t));
    t.teardown(() => shipper.stop());
    await shipper.start();
    let running = true;
    const load = (async () => {
      for (let step = 1; running; step++) {
        for (const id of [1, 2, 3, 4, 5, 6]) await use(id, nowMs + step, (days + step) * 1_000_003 * id);
        await delay(2);
      }
    })();
    for (let round = 0; round < 3; round++) t.strictSame((await findDrift(options)).differences, [], `round ${round}`);
    running = false;
    await load;
    t.strictSame((await findDrift(options)).differences, []);
    await shipper.stop();
  });

  await t.test('every counter that differs is told', async (t) => {
    const today = dayWindow(nowMs, zone).fromMs;
    await change(1, `day:${today}`, ({ upBytes, downBytes }) => ({ upBytes: upBytes + 7, downBytes }));
    await change(2, 'all', ({ upBytes, downBytes }) => ({ upBytes, downBytes: downBytes - 1 }));
    const month = monthWindow(monthWindow(nowMs, zone, 1).fromMs - 1, zone, 1).fromMs;
    await redis.hdel(usageKey(3), `month:${month}`);
    const { differences } = await findDrift(options);
    t.strictSame(
      differences
        .map(({ subscriptionId, counter, ledger, history }) => [
          subscriptionId,
          counter,
          ledger.upBytes - history.upBytes,
          ledger.downBytes - history.downBytes === 0,
        ])
        .sort(),
      [
        [1, `day:${today}`, 7, true],
        [2, 'all', 0, false],
        [3, `month:${month}`, -differences.find(({ subscriptionId }) => subscriptionId === 3)!.history.upBytes, false],
      ],
    );
    t.equal(differences.find(({ subscriptionId }) => subscriptionId === 3)!.ledger.upBytes, 0);
  });

  await t.test('a subscription that one of them does not know', async (t) => {
    await redis.del(usageKey(4));
    const lost = (await findDrift(options)).differences.filter(({ subscriptionId }) => subscriptionId === 4);
    t.strictSame([...new Set(lost.map(({ counter }) => counter.split(':')[0]))], ['all', 'day', 'month', 'week']);
    await redis.hset(usageKey(99), 'all', packCount({ upBytes: 5, downBytes: 0 }));
    const unknown = (await findDrift(options)).differences.filter(({ subscriptionId }) => subscriptionId === 99);
    t.match(unknown, [{ counter: 'all', ledger: { upBytes: 5 }, history: { upBytes: 0 } }]);
  });

  await t.test('windows of a former calendar are not compared', async (t) => {
    await postgres.query("UPDATE tenant SET time_zone = 'Asia/Dhaka' WHERE id = $1", [tenantId]);
    const { skipped } = await findDrift(options);
    t.ok(skipped >= 3 * 10, `${skipped} skipped`);
  });

  await t.test('where history ends, all time is not compared', async (t) => {
    const { differences } = await findDrift({ ...options, allTime: false });
    t.strictSame(
      differences.filter(({ counter }) => counter === 'all'),
      [],
    );
  });

  await t.test('all partitions are looked at', async (t) => {
    const outbox = createOutbox(redis, 'test');
    for (let id = 1000; id < 1060; id++) await use(id, nowMs, 1000);
    t.equal(new Set([...lanes.keys()]).size > partitionCount / 4, true);
    t.ok((await outbox.size(partitionOf(tenantId, 1000))) > 0);
    await shipAll(redis, clickhouse);
    t.ok((await findDrift(options)).subscriptions >= 60);
  });
});
