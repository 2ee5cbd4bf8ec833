// The ledger is lost under a running applier and brought back: every counter is what it would have been, and counting goes on.
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { Client } from 'pg';
import t, { type Test } from 'tap';
import { findDrift } from '#ops/ledger/drift.ts';
import { localLogs } from '#ops/ledger/logs.ts';
import { type RebuildOptions, rebuild } from '#ops/ledger/rebuild.ts';
import { openRebuildFile } from '#ops/ledger/rebuild-state.ts';
import { entriesInStreams, waitingOnDisks } from '#policy/ledger/history-lag.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { createRestore } from '#policy/ledger/restore.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { openAccounting } from '#test/aaa-server/accounting/accounting.ts';
import { metricOf, newMetrics, plainCalls, silent } from '#test/aaa-server/accounting/records.ts';
import { folderForTest, redisClient, shipperFor } from '#test/aaa-server/outbox/harness.ts';
import { eve, histories, span, subscribers } from '#test/policy/ledger/histories.ts';
import { recordAt, tenantId } from '#test/policy/ledger/ledger-under-test.ts';
import { createModel } from '#test/policy/ledger/model.ts';
import { startClickHouse, type TestClickHouse } from '#test/support/clickhouse.ts';
import { databaseForTest, redisForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(600_000);

const dayMs = 86_400_000;
const longAgo = recordAt(eve - dayMs, { kind: 'start', sessionId: 'long', classUuid: 'f'.repeat(32) });

/** Many sessions, in the order of their events; with one that goes on through all of them. */
function recordsOf(seed: number): AccountingRecord[] {
  const drawn = fc.sample(histories, { seed, numRuns: 12 });
  const sessions = drawn.flatMap(({ records }, index) =>
    records.map((record) => ({
      ...record,
      ...{ sessionId: `${index}${record.sessionId}`, classUuid: `${index}`.padEnd(8, 'e') + record.classUuid.slice(8) },
    })),
  );
  const long = Array.from({ length: 60 }, (_, step) => {
    const atMs = eve + (step * span.ms) / 60;
    const counters = { upOctets: 1_000_003 * step, downOctets: 70_000_001 * step };
    const { sessionId, classUuid } = longAgo;
    return recordAt(atMs, {
      kind: 'interim',
      sessionId,
      classUuid,
      sessionTimeS: (atMs - longAgo.eventAtMs) / 1000,
      ...counters,
    });
  });
  return [longAgo, ...sessions, ...long].sort((a, b) => a.eventAtMs - b.eventAtMs);
}

async function setup(t: Test, clickhouse: TestClickHouse) {
  const walId = `${crypto.randomUUID()}-0`;
  const root = folderForTest(t);
  const folder = path.join(root, 'wal', walId);
  const { ownerUrl } = await databaseForTest(t);
  const postgres = new Client({ connectionString: ownerUrl });
  await postgres.connect();
  t.teardown(() => postgres.end());
  const server = await redisForTest(t, { config: { appendfsync: 'no' } });
  const redis = await redisClient(t, server.url);
  const ledger = createLedger(redis);
  await ledger.load();
  await clickhouse.client.command({ query: 'TRUNCATE TABLE accounting' });
  const { shipper } = shipperFor(redis, clickhouse.client, path.join(root, 'outbox'));
  t.teardown(() => shipper.stop());
  await shipper.start();

  const metrics = newMetrics();
  const open = async () => {
    const options = { folder, ledger, calls: plainCalls, metrics, log: silent, onEvents: () => {} };
    const accounting = await openAccounting({ ...options, segmentBytes: 4000, checkMs: 100 });
    await accounting.start();
    return accounting;
  };
  let accounting = await open();
  t.teardown(() => accounting.stop());

  const model = createModel();
  const lanes = new Map<number, number>();
  let position = 0;
  let nowMs = eve;
  /** To the log, and to the model that nothing happens to. */
  async function append(records: readonly AccountingRecord[]): Promise<void> {
    for (const record of records) {
      await accounting.append(record);
      const previous = lanes.get(record.partition) ?? 0;
      const lane = { walId, previous, position: ++position, generation: 1 };
      lanes.set(record.partition, position);
      const answer = model.apply(plainCalls.make(lane, record));
      if (answer.kind === 'need_windows') model.apply(plainCalls.make(lane, record, answer.sinceMs));
      nowMs = Math.max(nowMs, record.eventAtMs);
    }
  }

  const differences = async () => {
    const found: string[] = [];
    for (const id of subscribers) {
      for (let atMs = nowMs - 6 * dayMs; atMs <= nowMs; atMs += dayMs) {
        const windows = usageWindows(atMs, 'UTC', 1, 1);
        const [is, wanted] = [await ledger.usage(tenantId, id, windows), model.usage(tenantId, id, windows)];
        if (!isDeepStrictEqual(is, wanted)) found.push(`${id}: ${JSON.stringify(is)} for ${JSON.stringify(wanted)}`);
      }
      const open = (await ledger.sessionsOf(tenantId, id)).map(
        ({ sessionId, upBytes, downBytes, startedAtMs, lastEventAtMs }) =>
          [sessionId, { upBytes, downBytes, startedAtMs, lastEventAtMs }] as const,
      );
      const wanted = model.sessionsOf(tenantId, id);
      if (!isDeepStrictEqual(new Map(open), wanted)) found.push(`${id}: ${JSON.stringify([open, [...wanted]])}`);
    }
    return found;
  };

  const clock = { nowMs: () => nowMs, monotonicMs: () => performance.now() };
  const optionsFrom = async (from: RebuildOptions['from']): Promise<RebuildOptions> => {
    const file = openRebuildFile(root);
    t.teardown(() => file.close());
    return {
      ...{ redis, clickhouse: clickhouse.client, postgres, file, from, logs: await localLogs(root), clock },
      ...{ waitMs: 30_000, say: () => {}, onProgress: () => {} },
    };
  };

  return {
    ...{ root, folder, redis, metrics, shipper, model, append, differences, optionsFrom },
    idle: () => until(() => accounting.applier.idle(), 'everything is applied', 60_000),
    shipped: () =>
      until(
        async () => (await entriesInStreams(redis)) === 0 && (await waitingOnDisks(redis)).size === 0,
        'everything is in ClickHouse',
        60_000,
      ),
    /** Closes the log, drops its oldest segments and opens it again. */
    async cutLog(): Promise<void> {
      await accounting.stop();
      const segments = readdirSync(folder).filter((name) => name.endsWith('.wal'));
      for (const segment of segments.slice(0, -2)) rmSync(path.join(folder, segment));
      accounting = await open();
      await until(() => accounting.applier.idle(), 'the log is open again', 60_000);
    },
    drift: () =>
      findDrift({
        ...{ redis, clickhouse: clickhouse.client, postgres, clock, waitMs: 60_000, allTime: true },
        onProgress: () => {},
      }),
  };
}

t.test('a rebuild', async (t) => {
  const clickhouse = await startClickHouse(t);

  await t.test('from the history, after Redis lost everything under a running applier', async (t) => {
    const isp = await setup(t, clickhouse);
    const records = recordsOf(1);
    const half = Math.floor(records.length / 2);
    await isp.append(records.slice(0, half));
    await isp.idle();
    await isp.shipped();
    await isp.cutLog();
    t.strictSame(await isp.differences(), []);

    await isp.redis.flushall();
    await isp.append(records.slice(half, half + 20));
    await until(async () => (await metricOf(isp.metrics.alarms, { reason: 'ledger_lost' })) > 0, 'the loss is told');
    t.not((await isp.differences()).length, 0);

    const options = await isp.optionsFrom('clickhouse');
    let done = 0;
    const rebuilt = await rebuild({ ...options, onProgress: (partitions) => (done = partitions) });
    t.equal(rebuilt.subscriptions, subscribers.length);
    t.ok(rebuilt.sessions > 0, `${rebuilt.sessions} sessions`);
    t.equal(done, 64);
    await isp.idle();
    t.strictSame(await isp.differences(), [], 'every counter and session is what it would have been');

    await isp.append(records.slice(half + 20));
    await isp.idle();
    t.strictSame(await isp.differences(), [], 'new records count their increase');
    t.strictSame((await isp.drift()).differences, []);
  });

  await t.test('that is broken off goes on, and no second one runs beside it', async (t) => {
    const isp = await setup(t, clickhouse);
    const records = recordsOf(2);
    const half = Math.floor(records.length / 2);
    await isp.append(records.slice(0, half));
    await isp.idle();
    await isp.cutLog();
    const options = await isp.optionsFrom('clickhouse');
    const breakOff = (partitions: number) => {
      if (partitions === 20) throw new Error('broken off');
    };
    await t.rejects(rebuild({ ...options, onProgress: breakOff }), /broken off/);
    t.equal(options.file.read()?.done.length, 20);
    t.throws(() => openRebuildFile(isp.root), /another rebuild runs/);
    await isp.append(records.slice(half, half + 5));

    const another = createRestore(isp.redis);
    t.equal(await another.begin(63), false, 'its pauses stand');
    await t.rejects(rebuild({ ...options, from: 'wal' }), /--from clickhouse/);
    const said: string[] = [];
    await rebuild({ ...options, say: (line) => said.push(line) });
    t.match(said[0], /20 of 64 partitions are done/);
    t.equal(options.file.read(), undefined);
    await isp.append(records.slice(half + 5));
    await isp.idle();
    t.strictSame(await isp.differences(), []);
    t.strictSame((await isp.drift()).differences, []);
  });

  await t.test('changes nothing while rows are not in ClickHouse, or another one has begun', async (t) => {
    const isp = await setup(t, clickhouse);
    await isp.shipper.stop();
    const records = recordsOf(3);
    await isp.append(records.slice(0, 30));
    await isp.idle();
    const options = await isp.optionsFrom('clickhouse');
    await t.rejects(rebuild({ ...options, waitMs: 300 }), /rows still wait in Redis/);
    t.equal(options.file.read(), undefined);
    t.strictSame(await isp.differences(), []);
    await isp.append(records.slice(30, 60));
    await isp.idle();
    t.strictSame(await isp.differences(), [], 'counting goes on at once');

    const another = createRestore(isp.redis);
    await another.begin(5);
    await t.rejects(rebuild({ ...options, waitMs: 300 }), /another rebuild is under way/);
    await another.end(5, new Map());
    await isp.append(records.slice(60));
    await isp.idle();
    t.strictSame(await isp.differences(), []);
  });

  await t.test('from the logs, which are whole', async (t) => {
    const isp = await setup(t, clickhouse);
    const records = recordsOf(4);
    await isp.append(records.slice(0, 100));
    await isp.idle();
    await isp.redis.flushall();
    await isp.append(records.slice(100, 120));
    await rebuild(await isp.optionsFrom('wal'));
    await isp.append(records.slice(120));
    await isp.idle();
    t.strictSame(await isp.differences(), []);
    t.strictSame((await isp.drift()).differences, [], 'each record is in the history once');
  });

  await t.test('from a log that was cut counts what is left', async (t) => {
    const isp = await setup(t, clickhouse);
    const records = recordsOf(5);
    await isp.append(records);
    await isp.idle();
    await isp.cutLog();
    t.strictSame(
      (await localLogs(isp.root)).map(({ whole }) => whole),
      [false],
    );
    await isp.redis.flushall();
    await until(async () => (await metricOf(isp.metrics.alarms, { reason: 'ledger_lost' })) > 0, 'the loss is told');
    await rebuild(await isp.optionsFrom('wal'));
    await isp.idle();
    t.ok((await isp.differences()).length > 0, 'it cannot be what it was');
    const windows = usageWindows(eve + span.ms, 'UTC', 1, 1);
    const ledger = createLedger(isp.redis);
    t.ok((await ledger.usage(tenantId, 7, windows)).all.downBytes > 0);
  });
});
