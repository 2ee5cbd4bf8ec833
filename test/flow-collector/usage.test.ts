// Usage of flows on its way to the ledger: added up, on disk every second, applied once, whatever fails.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { counterPlaces, createCounters } from '#flow-collector/counters.ts';
import type { UsageLedger } from '#flow-collector/usage/apply.ts';
import { decodeUsage, encodeUsage } from '#flow-collector/usage/record.ts';
import { createTally, quarterMs } from '#flow-collector/usage/tally.ts';
import { openUsage, type UsageOptions } from '#flow-collector/usage/usage.ts';
import { createFlowCounterBuffer } from '#flow-collector/workers.ts';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { connectRedis } from '#ops/stores/redis.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { type FlowUsageRecord, partitionCount } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { runs } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { plainCalls, recordOf } from '../aaa-server/accounting/records.ts';

const silent = createLogger('test', 'silent');
const nowMs = Date.UTC(2027, 0, 1, 12);

t.test('the tally adds up what a table would, by partition', async (t) => {
  const flow = fc.record({
    tenantId: fc.integer({ min: 1, max: 2 }),
    subscriptionId: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 2 ** 48 })),
    quarter: fc.integer({ min: 1, max: 3 }),
    up: fc.nat(1e9),
    down: fc.nat(1e9),
  });
  fc.assert(
    fc.property(fc.array(flow, { maxLength: 200 }), (flows) => {
      const tally = createTally(256);
      const expected = new Map<string, [number, number]>();
      for (const { tenantId, subscriptionId, quarter, up, down } of flows) {
        const partition = subscriptionId % 64;
        tally.add(tenantId, subscriptionId, partition, quarter, up, down);
        const key = `${partition} ${tenantId} ${subscriptionId} ${quarter * quarterMs}`;
        const [upBefore, downBefore] = expected.get(key) ?? [0, 0];
        expected.set(key, [upBefore + up, downBefore + down]);
      }
      const taken = [...tally.take()].flatMap(([partition, entries]) =>
        entries.map((entry): [string, [number, number]] => [
          `${partition} ${entry.tenantId} ${entry.subscriptionId} ${entry.slotFromMs}`,
          [entry.upBytes, entry.downBytes],
        ]),
      );
      const inOrder = (list: Iterable<unknown>) => [...list].map((one) => JSON.stringify(one)).sort();
      return tally.size() === 0 && String(inOrder(taken)) === String(inOrder(expected));
    }),
    { numRuns: runs(200) },
  );
  const small = createTally(2);
  t.ok(small.add(1, 1, 0, 1, 1, 1) && small.add(1, 2, 0, 1, 1, 1) && small.add(1, 1, 0, 1, 1, 1));
  t.notOk(small.add(1, 3, 0, 1, 1, 1), 'full');
  small.take();
  t.ok(small.add(1, 3, 0, 1, 1, 1));
});

t.test('a record comes back from its octets as it was; damaged ones are no records', async (t) => {
  const entry = fc.record({
    tenantId: fc.integer({ min: 1, max: 2 ** 40 }),
    subscriptionId: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
    slotFromMs: fc.integer({ min: 1, max: 4_000_000 }).map((quarter) => quarter * quarterMs),
    upBytes: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    downBytes: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  });
  const made = fc.record({
    partition: fc.nat(partitionCount - 1),
    receivedAtMs: fc.nat(2e12),
    entries: fc.array(entry, { maxLength: 20 }),
  });
  fc.assert(
    fc.property(made, fc.nat(), (record, at) => {
      const bytes = encodeUsage(record);
      const decoded = decodeUsage(bytes);
      const cut = decodeUsage(bytes.subarray(0, at % bytes.length));
      return decoded.ok && JSON.stringify(decoded.record) === JSON.stringify(record) && !cut.ok;
    }),
    { numRuns: runs(200) },
  );
  t.strictSame(decodeUsage(Buffer.of(9)), { ok: false, reason: 'version' });
  t.strictSame(decodeUsage(Buffer.of(1, 200, 0, 0)), { ok: false, reason: 'damaged' });
});

/** A ledger in memory; `away` makes every call fail. */
function memoryLedger() {
  const state = { away: false, records: [] as FlowUsageRecord[] };
  const stored = new Map<number, number>();
  const ledger: UsageLedger = {
    async applyFlow({ lane, record }) {
      if (state.away) throw new Error('Connection is closed.');
      const position = stored.get(record.partition) ?? 0;
      if (lane.position <= position) return { kind: 'duplicate' };
      if (lane.previous !== position) return { kind: 'gap', stored: position };
      stored.set(record.partition, lane.position);
      state.records.push(record);
      return { kind: 'applied', crossed: false, flags: [] };
    },
    async lanePositions() {
      if (state.away) throw new Error('Connection is closed.');
      return Array.from({ length: partitionCount }, (_, partition) => stored.get(partition) ?? 0);
    },
  };
  const sumOf = (id: number) =>
    state.records
      .flatMap(({ entries }) => entries)
      .filter(({ subscriptionId }) => subscriptionId === id)
      .reduce((sum, { upBytes }) => sum + upBytes, 0);
  return { state, ledger, sumOf };
}

async function usageIn(folder: string, more: Partial<UsageOptions> = {}) {
  const memory = memoryLedger();
  const counters = createCounters(createFlowCounterBuffer());
  const registry = new Registry();
  const usage = await openUsage({
    folder,
    ledger: () => memory.ledger,
    counters,
    metrics: createLogMetrics(registry, 'flow_usage'),
    log: silent,
    onEvents: () => {},
    nowMs: () => nowMs,
    cutMs: 10,
    ...more,
  });
  const counted = (family: 'usage' | 'usageDropped', value: string) =>
    counters.array[counterPlaces.offset(family, value as never)];
  return { ...memory, usage, counted, registry };
}

t.test('what was added is on disk, then in the ledger; a ledger that is away only delays it', async (t) => {
  const { usage, state, sumOf, counted } = await usageIn(path.join(t.testdir(), 'wal'));
  await usage.start();
  state.away = true;
  for (let i = 0; i < 2000; i++) usage.add(1, (i % 1200) + 1, i % 3, nowMs - 10_000, 100, 7);
  await usage.cut();
  t.equal(counted('usage', 'up'), 200_000);
  t.equal(counted('usage', 'down'), 14_000);
  t.strictSame(state.records, []);
  state.away = false;
  await until(() => usage.applier.idle(), 'everything is applied', 20_000);
  t.equal(sumOf(1), 200);
  t.equal(sumOf(1200), 100);
  t.ok(state.records.every(({ entries }) => entries.length <= 500));
  t.ok(state.records.every(({ entries }) => entries.every(({ slotFromMs }) => slotFromMs === nowMs - quarterMs)));
  usage.add(1, 1, 0, nowMs, 1, 0);
  await usage.stop();
  t.equal(counted('usage', 'up'), 200_001, 'a stop cuts once more');
});

t.test('while the ledger is behind, usage adds up to fewer entries, and goes to disk all the same', async (t) => {
  const patient = await usageIn(path.join(t.testdir(), 'wal'), { mostLeftOut: Number.POSITIVE_INFINITY });
  await patient.usage.start();
  patient.state.away = true;
  patient.usage.add(1, 1, 0, nowMs, 100, 0);
  await patient.usage.cut();
  for (let i = 0; i < 50; i++) patient.usage.add(1, 1, 0, nowMs, 10, 0);
  patient.state.away = false;
  await until(() => patient.sumOf(1) === 600, 'everything is applied', 20_000);
  t.equal(patient.state.records.length, 2, 'what came while it was away is one entry');
  await patient.usage.stop();

  const usual = await usageIn(path.join(t.testdir(), 'wal'), { mostLeftOut: 3 });
  await usual.usage.start();
  usual.state.away = true;
  usual.usage.add(1, 1, 0, nowMs, 100, 0);
  await usual.usage.cut();
  usual.usage.add(1, 1, 0, nowMs, 10, 0);
  await until(() => usual.counted('usage', 'up') === 110, 'it is on disk though the ledger is away', 20_000);
  t.strictSame(usual.state.records, []);
  await usual.usage.stop();
});

t.test(
  'a log that takes nothing: bytes are kept in memory as long as there is room, then counted as dropped',
  async (t) => {
    const { usage, counted, registry } = await usageIn(path.join(t.testdir(), 'wal'), {
      maxQueuedBytes: 10,
      tally: createTally(2),
    });
    usage.add(1, 1, 1, nowMs, 10, 0);
    await usage.cut();
    usage.add(1, 1, 1, nowMs, 20, 0);
    usage.add(1, 2, 2, nowMs, 40, 0);
    await usage.cut();
    t.equal(counted('usageDropped', ''), 0);
    t.match(await registry.metrics(), /^lastmile_flow_usage_refused_total\{reason="WAL_OVERLOADED"\} [1-9]/m);
    usage.add(1, 3, 3, nowMs, 80, 5);
    await usage.cut();
    t.equal((counted('usageDropped', '') ?? 0) > 0, true, 'the third found no room');
    await usage.stop();
    t.equal(counted('usageDropped', ''), 155, 'what was left at the end');
    t.equal(counted('usage', 'up'), 0);
  },
);

const noMount = process.getuid?.() === 0 ? false : 'mounting a small file system needs root';

t.test('a full disk delays usage until there is room again', { skip: noMount }, async (t) => {
  const mount = mkdtempSync(path.join(tmpdir(), 'lastmile-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount]);
  t.teardown(() => {
    execFileSync('umount', [mount]);
    rmSync(mount, { recursive: true });
  });
  const { usage, sumOf, counted } = await usageIn(path.join(mount, 'wal'));
  await usage.start();
  const ballast = path.join(mount, 'ballast');
  writeFileSync(ballast, Buffer.alloc(700_000));
  let added = 0;
  for (let round = 0; round < 300; round++) {
    for (let id = 1; id <= 200; id++) usage.add(1, id, 1, nowMs, 1000, 0);
    added += 200_000;
    await usage.cut();
  }
  t.ok((counted('usage', 'up') ?? 0) < added, 'the disk refuses');
  rmSync(ballast);
  await until(() => counted('usage', 'up') === added, 'everything is on disk', 20_000);
  await until(() => sumOf(1) === added / 200, 'and in the ledger', 20_000);
  t.equal(counted('usageDropped', ''), 0);
  await usage.stop();
});

t.test(
  'kill -9 at any moment: what was on disk is in the ledger once',
  { skip: missing('redis-server') },
  async (t) => {
    const folder = path.join(t.testdir(), 'wal');
    const server = await redisForTest(t);
    const redis = await connectRedis({ url: server.url, name: 'test' });
    t.teardown(() => redis.disconnect());
    const ledger = createLedger(redis);
    await ledger.load();
    // What accounting tells of the subscription, the meter among it, comes before its flows.
    const atMs = Date.now();
    const start = recordOf(1, { kind: 'start', eventAtMs: atMs, receivedAtMs: atMs, sessionTimeS: 0 });
    const lane = { walId: 'accounting', previous: 0, position: 1, generation: 1 };
    t.match(await ledger.apply({ ...plainCalls.make(lane, start), meter: 'flow' }), { kind: 'applied' });

    const script = path.join(import.meta.dirname, 'support/usage-child.ts');
    let durable = 0;
    let sent = 0;
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, [script, folder, server.url], { stdio: ['ignore', 'pipe', 'inherit'] });
      let printed = '';
      child.stdout.on('data', (chunk) => (printed += chunk));
      const closed = new Promise((resolve) => child.once('close', resolve));
      const last = () => (printed.split('\n').at(-2) ?? '').split(' ').map(Number);
      await until(() => (last()[0] ?? 0) > 30_000, 'more is on disk', 30_000);
      child.kill('SIGKILL');
      await closed;
      durable += last()[0] ?? 0;
      sent += last()[1] ?? 0;
    }
    t.ok(readdirSync(folder).length > 0);
    const { usage } = await usageIn(folder, { ledger: () => ledger, nowMs: Date.now });
    await usage.start();
    await until(() => usage.applier.idle(), 'the log is applied', 30_000);
    await usage.stop();
    const windows = usageWindows(Date.now(), 'UTC', 1, 1);
    const { all } = await ledger.usage(1, 1, windows);
    t.ok(all.upBytes >= durable && all.upBytes <= sent, `${durable} on disk, ${all.upBytes} counted, ${sent} added`);
  },
);
