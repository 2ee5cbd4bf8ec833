// Flows as rows of ClickHouse: every column as it was decoded, every row once, whatever is away or killed.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { counterPlaces, createCounters, type RowDrop } from '#flow-collector/counters.ts';
import { createBatches, type RowBatch } from '#flow-collector/rows/batches.ts';
import { createRowMetrics } from '#flow-collector/rows/metrics.ts';
import { rowBytes, rowDirection } from '#flow-collector/rows/row.ts';
import { createShipper } from '#flow-collector/rows/shipper.ts';
import { createColumns } from '#flow-collector/wire/columns.ts';
import { createFlowCounterBuffer } from '#flow-collector/workers.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { createClickHouseStore } from '#ops/spool/clickhouse-store.ts';
import type { BatchStore } from '#ops/spool/drain.ts';
import { createClickHouse } from '#ops/stores/clickhouse.ts';
import { startClickHouse, type TestClickHouse } from '#test/support/clickhouse.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(300_000);
const silent = createLogger('test', 'silent');
const largest = Number.MAX_SAFE_INTEGER;
const owner = { tenantId: 2, exporterId: 3, exporterWords: Uint32Array.of(0, 0, 0xffff, 0xc0000201) };

function columnsOfTwo() {
  const columns = createColumns(2);
  columns.count = 2;
  const set = (i: number, values: Record<string, number>) => {
    for (const [name, value] of Object.entries(values))
      (columns[name as keyof typeof columns] as unknown as number[])[i] = value;
  };
  set(0, {
    version: 5,
    family: 4,
    receivedAt: 1_800_000_000_123,
    startedAt: 1_800_000_000_001,
    endedAt: 1_800_000_000_122,
  });
  set(0, {
    src4: 0x0a000001,
    dst4: 0xfffffffe,
    natFamily: 4,
    srcNat4: 0,
    dstNat4: 0xc0a80001,
    srcPort: 65_535,
    dstPort: 1,
  });
  set(0, { protocol: 255, tcpFlags: 511, tos: 184, bytes: largest, packets: 2 ** 33 + 5, samplingRate: 1 });
  set(0, { inIf: 2 ** 32 - 1, outIf: 7, srcAs: 4_200_000_000, dstAs: 64_512 });
  set(1, {
    version: 9,
    family: 6,
    receivedAt: 1_800_000_001_000,
    startedAt: 1_799_990_000_000,
    endedAt: 1_800_000_000_500,
  });
  set(1, { natFamily: 6, samplingRate: 1000, bytes: 1, packets: 1 });
  columns.src6.set([0x20010db8, 0, 0, 1], 4);
  columns.dst6.set([0xfe800000, 0, 0, 2], 4);
  columns.dstNat6.set([0x20010db8, 1, 2, 3], 4);
  return columns;
}

t.test('the batches of a worker', async (t) => {
  const open = (rowsPerBatch: number, mostUnsettled: number) => {
    const counters = createCounters(createFlowCounterBuffer());
    const sent: RowBatch[] = [];
    const batches = createBatches({ counters, send: (batch) => sent.push(batch), rowsPerBatch, mostUnsettled });
    const add = (nowMs: number) => batches.add(columnsOfTwo(), 0, owner, 1, 0, rowDirection.up, nowMs);
    return { batches, sent, add, dropped: () => counters.array[counterPlaces.offset('rowsDropped', 'queue_full')] };
  };

  await t.test('a batch is handed over when it is full, and what there is when it is time', async (t) => {
    const { batches, sent, add } = open(3, 10);
    batches.flush();
    t.strictSame(sent, [], 'nothing is no batch');
    for (let i = 0; i < 4; i++) add(1000 + i);
    batches.flush();
    t.match(sent, [
      { rows: 3, oldestMs: 1000 },
      { rows: 1, oldestMs: 1003 },
    ]);
    t.equal(new Set(sent.map(({ name }) => name)).size, 2, 'each has a name of its own');
    t.ok(sent.every(({ name, buffer }) => Buffer.from(buffer).toString('latin1', 1, 17) === name));
    t.equal(sent[1]!.buffer.byteLength, rowBytes, 'a small one is copied');
  });

  await t.test('rows are dropped and counted while the main thread has enough of them', async (t) => {
    const { batches, sent, add, dropped } = open(1, 2);
    for (let i = 0; i < 5; i++) add(i);
    t.equal(sent.length, 2);
    t.equal(dropped(), 3);
    batches.settled(sent[0]!.buffer);
    add(5);
    t.equal(sent.length, 3);
    t.equal(dropped(), 3);
  });

  await t.test('large buffers come back and are used again', async (t) => {
    const { batches, sent, add } = open(10_000, 10);
    for (let i = 0; i < 10_000; i++) add(i);
    const [{ buffer }] = sent as [RowBatch];
    t.equal(buffer.byteLength, 10_000 * rowBytes);
    batches.settled(buffer);
    for (let i = 0; i < 20_000; i++) add(i);
    t.equal(sent[2]!.buffer, buffer);
  });
});

function batchOf(from: number, rows: number): RowBatch {
  let made: RowBatch | undefined;
  const counters = createCounters(createFlowCounterBuffer());
  const batches = createBatches({ counters, send: (batch) => (made = batch), rowsPerBatch: rows });
  const columns = columnsOfTwo();
  for (let i = 0; i < rows; i++) {
    columns.bytes[0] = from + i;
    batches.add(columns, 0, owner, 1, 0, rowDirection.up, Date.now());
  }
  return made!;
}

type Shipping = { folder: string; store: BatchStore | undefined; limitBytes?: number };

function shipping({ folder, store, limitBytes = 2 ** 30 }: Shipping) {
  const counters = createCounters(createFlowCounterBuffer());
  const registry = new Registry();
  const shipper = createShipper({
    folder,
    store,
    limitBytes,
    counters,
    metrics: createRowMetrics(registry, () => shipper.spool(), Date.now),
    log: silent,
  });
  const dropped = (reason: RowDrop) => counters.array[counterPlaces.offset('rowsDropped', reason)];
  const send = (batch: RowBatch) => new Promise<void>((settled) => shipper.take(batch, settled));
  return { shipper, registry, dropped, send };
}

t.test('in ClickHouse', async (t) => {
  const clickhouse = await startClickHouse(t);
  const client = createClickHouse(clickhouse.url, { name: 'test rows', requestTimeoutMs: 60_000 });
  t.teardown(() => client.close());
  const store = createClickHouseStore(client);
  const rows = async <T>(query: string): Promise<T[]> =>
    (await clickhouse.client.query({ query, format: 'JSONEachRow' })).json<T>();

  await t.test('every column is what was decoded', async (t) => {
    const { shipper, registry } = shipping({ folder: path.join(folderOf(t), 'spool'), store });
    await shipper.start();
    let made: RowBatch | undefined;
    const batches = createBatches({
      counters: createCounters(createFlowCounterBuffer()),
      send: (batch) => (made = batch),
    });
    const columns = columnsOfTwo();
    batches.add(columns, 0, owner, 11, 12, rowDirection.local, 5000);
    batches.add(columns, 1, { ...owner, tenantId: largest, exporterId: 0 }, 0, 0, rowDirection.unknown, 6000);
    batches.flush();
    await new Promise<void>((settled) => shipper.take(made!, settled));
    await until(async () => /^lastmile_flow_rows_written_total 2$/m.test(await registry.metrics()), 'both', 30_000);
    const found = await rows('SELECT * FROM flows ORDER BY version');
    t.strictSame(found, [
      {
        batch: made!.name,
        tenant_id: '2',
        subscription_id: '11',
        peer_subscription_id: '12',
        exporter: '::ffff:192.0.2.1',
        exporter_id: '3',
        version: 5,
        received_at: '2027-01-15 08:00:00.123',
        started_at: '2027-01-15 08:00:00.001',
        ended_at: '2027-01-15 08:00:00.122',
        direction: 'local',
        src: '::ffff:10.0.0.1',
        dst: '::ffff:255.255.255.254',
        src_nat: '::',
        dst_nat: '::ffff:192.168.0.1',
        src_port: 65_535,
        dst_port: 1,
        protocol: 255,
        tcp_flags: 511,
        tos: 184,
        bytes: String(largest),
        packets: String(2 ** 33 + 5),
        sampling_rate: 1,
        in_if: 2 ** 32 - 1,
        out_if: 7,
        src_as: 4_200_000_000,
        dst_as: 64_512,
      },
      {
        batch: made!.name,
        tenant_id: String(largest),
        subscription_id: '0',
        peer_subscription_id: '0',
        exporter: '::ffff:192.0.2.1',
        exporter_id: '0',
        version: 9,
        received_at: '2027-01-15 08:00:01.000',
        started_at: '2027-01-15 05:13:20.000',
        ended_at: '2027-01-15 08:00:00.500',
        direction: 'unknown',
        src: '2001:db8::1',
        dst: 'fe80::2',
        src_nat: '::',
        dst_nat: '2001:db8:0:1:0:2:0:3',
        src_port: 0,
        dst_port: 0,
        protocol: 0,
        tcp_flags: 0,
        tos: 0,
        bytes: '1',
        packets: '1',
        sampling_rate: 1000,
        in_if: 0,
        out_if: 0,
        src_as: 0,
        dst_as: 0,
      },
    ]);
    await shipper.stop();
    await clickhouse.client.command({ query: 'TRUNCATE TABLE flows' });
  });

  await t.test('killed while batches come: all rows arrive, each once', async (t) => {
    const folder = path.join(folderOf(t), 'spool');
    const { shipper, send } = shipping({ folder, store });
    await shipper.start();
    const each = 2000;
    for (let i = 0; i < 20; i++) await send(batchOf(i * each, each));
    await clickhouse.kill();
    for (let i = 20; i < 40; i++) await send(batchOf(i * each, each));
    await clickhouse.restart();
    await allOf(clickhouse, 40 * each);
    await until(
      () => readdirSync(folder).filter((name) => name.endsWith('.batch')).length === 0,
      'the spool is empty',
      30_000,
    );
    await shipper.stop();
    await clickhouse.client.command({ query: 'TRUNCATE TABLE flows' });
  });

  await t.test('a batch that was inserted, and whose answer was lost, is not there twice', async (t) => {
    const folder = path.join(folderOf(t), 'spool');
    let lost = 0;
    const deaf: BatchStore = {
      ...store,
      async insert(batch, signal) {
        await store.insert(batch, signal);
        if (lost++ < 3) throw new Error('socket hang up');
      },
    };
    const { shipper, send } = shipping({ folder, store: deaf });
    await shipper.start();
    await send(batchOf(0, 1000));
    await until(() => lost > 3, 'the fourth answer arrives', 30_000);
    await allOf(clickhouse, 1000);
    await shipper.stop();
    await clickhouse.client.command({ query: 'TRUNCATE TABLE flows' });
  });

  await t.test('what waited on disk is shipped by the next start', async (t) => {
    const folder = path.join(folderOf(t), 'spool');
    await clickhouse.stop();
    const before = shipping({ folder, store });
    await before.shipper.start();
    for (let i = 0; i < 5; i++) await before.send(batchOf(i * 100, 100));
    await until(() => before.shipper.trouble() !== null, 'it says that ClickHouse is away', 30_000);
    await before.shipper.stop();
    await clickhouse.restart();
    const after = shipping({ folder, store });
    await after.shipper.start();
    await allOf(clickhouse, 500);
    t.equal(after.shipper.trouble(), null);
    await after.shipper.stop();
  });
});

async function allOf(clickhouse: TestClickHouse, count: number): Promise<void> {
  const answer = async () => {
    const query = 'SELECT count() AS n, uniqExact(bytes) AS u FROM flows';
    const [found] = await (await clickhouse.client.query({ query, format: 'JSONEachRow' })).json<{
      n: string;
      u: string;
    }>();
    return found!;
  };
  await until(async () => Number((await answer()).u) === count, `${count} different rows`, 120_000);
  const { n, u } = await answer();
  if (n !== u) throw new Error(`${n} rows, ${u} of them different`);
}

/** A store that is away until `back`. */
function awayStore() {
  const state = { away: true, inserted: 0 };
  const store: BatchStore = {
    async insert({ rows }) {
      if (state.away) throw new Error('connect ECONNREFUSED');
      state.inserted += rows;
    },
    takesMore: async () => !state.away,
    isPassing: () => true,
    label: () => 'ECONNREFUSED',
  };
  return { state, store };
}

t.test('a full spool drops the newest rows and counts them, and takes rows again when there is room', async (t) => {
  const { state, store } = awayStore();
  const { shipper, send, dropped, registry } = shipping({
    folder: path.join(folderOf(t), 'spool'),
    store,
    limitBytes: 250_000,
  });
  await shipper.start();
  for (let i = 0; i < 5; i++) await send(batchOf(i * 300, 300));
  t.equal(dropped('spool_full'), 300, 'five batches of 60 kB do not fit into 250 kB');
  const text = await registry.metrics();
  t.match(text, /^lastmile_flow_spool_bytes 2[34]\d{4}$/m);
  t.match(text, /^lastmile_flow_alarms_total\{reason="spool_full"\} 1$/m);
  state.away = false;
  await until(() => state.inserted === 1200, 'what was kept arrives', 30_000);
  await send(batchOf(0, 300));
  await until(() => state.inserted === 1500, 'and new ones', 30_000);
  t.equal(dropped('spool_full'), 300);
  await shipper.stop();
});

t.test('rows that ClickHouse refuses are put aside, without ClickHouse none are kept', async (t) => {
  const refusing: BatchStore = {
    insert: () => Promise.reject(new Error('no such column')),
    takesMore: async () => true,
    isPassing: () => false,
    label: () => 'refused',
  };
  const folder = path.join(folderOf(t), 'spool');
  const refused = shipping({ folder, store: refusing });
  await refused.shipper.start();
  await refused.send(batchOf(0, 10));
  await until(() => refused.dropped('refused') === 10, 'it is put aside', 30_000);
  t.equal(readdirSync(path.join(folder, 'rejected')).length, 1);
  await refused.shipper.stop();

  const none = shipping({ folder: path.join(folderOf(t), 'other'), store: undefined });
  await none.shipper.start();
  await none.send(batchOf(0, 10));
  t.equal(none.dropped('no_clickhouse'), 10);
  await none.shipper.stop();
});

function folderOf(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-rows-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
