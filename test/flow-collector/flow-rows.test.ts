// Whose a decoded flow is, what of it counts as usage, and what its row says.
import t from 'tap';
import { type AddressInterval, createAddressIndex } from '#flow-collector/attribution/address-index.ts';
import { counterPlaces, createCounters } from '#flow-collector/counters.ts';
import { createSenders } from '#flow-collector/exporters/senders.ts';
import type { ExporterSetting } from '#flow-collector/exporters/settings.ts';
import { createFlowRows } from '#flow-collector/receive/flow-rows.ts';
import { createColumns, type FlowColumns, flag } from '#flow-collector/wire/columns.ts';
import { createFlowCounterBuffer } from '#flow-collector/workers.ts';

const nowMs = Date.UTC(2027, 0, 1);
const alice = 0x0a000001;
const bob = 0x0a000002;
const internet = 0xcb007101;
const alicesPrefix = [0x20010db8, 0x00010000, 0, 0];

const interval = (subscriptionId: number, words: number[], length: number): AddressInterval => ({
  tenantId: 1,
  subscriptionId,
  partition: subscriptionId,
  holder: subscriptionId,
  words,
  length,
  fromMs: nowMs - 3_600_000,
  toMs: Number.POSITIVE_INFINITY,
});

type Flow = Partial<{
  src4: number;
  dst4: number;
  dstNat4: number;
  src6: number[];
  dst6: number[];
  bytes: number;
  samplingRate: number;
  flags: number;
  direction: number;
  endedAt: number;
}>;

function addFlow(columns: FlowColumns, exporter: number, flow: Flow): void {
  const i = columns.count++;
  const isSix = flow.src6 !== undefined;
  columns.exporter[i] = exporter;
  columns.family[i] = isSix ? 6 : 4;
  columns.src4[i] = flow.src4 ?? 0;
  columns.dst4[i] = flow.dst4 ?? 0;
  columns.src6.set(flow.src6 ?? [0, 0, 0, 0], 4 * i);
  columns.dst6.set(flow.dst6 ?? [0, 0, 0, 0], 4 * i);
  columns.natFamily[i] = flow.dstNat4 === undefined ? 0 : 4;
  columns.dstNat4[i] = flow.dstNat4 ?? 0;
  columns.bytes[i] = flow.bytes ?? 100;
  columns.samplingRate[i] = flow.samplingRate ?? 1;
  columns.flags[i] = flow.flags ?? 0;
  columns.direction[i] = flow.direction ?? 0;
  columns.endedAt[i] = flow.endedAt ?? nowMs;
}

/** Takes flows of one exporter; answers who got what, and the rows as `subscription/peer/direction`. */
function take(flows: readonly Flow[], setting: Partial<ExporterSetting> | 'stranger' | 'beside a NAS' = {}) {
  const counters = createCounters(createFlowCounterBuffer());
  const addresses = createAddressIndex();
  for (const one of [
    interval(1, [alice], 32),
    interval(2, [bob], 32),
    interval(1, alicesPrefix, 56),
    interval(0, [0x0a000003], 32),
  ])
    addresses.put(one);
  const exporter: ExporterSetting = {
    tenantId: 1,
    id: 7,
    address: '192.0.2.1',
    role: 'edge',
    samplingRate: null,
    countDirection: 'both',
    totalsAreDeltas: false,
    ...(typeof setting === 'string' ? {} : setting),
  };
  const senders = createSenders({
    settings: {
      exporters: typeof setting === 'string' ? [] : [exporter],
      prefixes: setting === 'beside a NAS' ? [{ tenantId: 1, prefix: '192.0.2.0/24' }] : [],
    },
    tenantNumber: addresses.tenant,
    onForgotten: () => {},
  });
  const sender = senders.find('192.0.2.1', nowMs)!;
  const used: string[] = [];
  const rows: string[] = [];
  const columns = createColumns(16);
  for (const flow of flows) addFlow(columns, sender.exporter.index, flow);
  createFlowRows({
    addresses,
    senders,
    usage: { add: (tenant, id, partition, _, up, down) => used.push(`${tenant}/${id}/${partition} ${up}↑ ${down}↓`) },
    batches: {
      add: (_, __, owner, id, peer, direction) =>
        rows.push(
          `${owner.tenantId}/${owner.exporterId} ${id}/${peer}/${['unknown', 'up', 'down', 'local'][direction]}`,
        ),
    },
    counters,
    nowMs: () => nowMs,
  })(columns);
  t.equal(columns.count, 0, 'the columns are free again');
  const counted = (family: 'records' | 'unattributed') => counters.array[counterPlaces.offset(family, '')];
  const unknown = counters.array[counterPlaces.offset('dropped', 'unknown_exporter')];
  return { used, rows, sender, unknown, records: counted('records'), unattributed: counted('unattributed') };
}

t.test('what a subscriber sends is upload, what it receives is download', async (t) => {
  const { used, rows } = take([
    { src4: alice, dst4: internet, bytes: 10 },
    { src4: internet, dst4: bob, bytes: 20 },
  ]);
  t.strictSame(used, ['1/1/1 10↑ 0↓', '1/2/2 0↑ 20↓']);
  t.strictSame(rows, ['1/7 1/0/up', '1/7 2/0/down']);
});

t.test('between two subscribers it is both, with the source first', async (t) => {
  const { used, rows } = take([{ src4: alice, dst4: bob, bytes: 10 }]);
  t.strictSame(used, ['1/1/1 10↑ 0↓', '1/2/2 0↑ 10↓']);
  t.strictSame(rows, ['1/7 1/2/local']);
});

t.test('behind a translation the translated destination names the subscriber', async (t) => {
  const { used, rows } = take([
    { src4: internet, dst4: internet + 9, dstNat4: bob, bytes: 10 },
    { src4: internet, dst4: bob, dstNat4: internet, bytes: 20 },
    { src4: internet, dst4: bob, dstNat4: 0, bytes: 30 },
  ]);
  t.strictSame(rows, ['1/7 2/0/down', '1/7 0/0/unknown', '1/7 2/0/down'], 'an address of zeros was not told');
  t.strictSame(used, ['1/2/2 0↑ 10↓', '1/2/2 0↑ 30↓']);
});

t.test('IPv6 addresses belong to the holder of their prefix', async (t) => {
  const far = [0x26000000, 0, 0, 1];
  const { used } = take([
    { src6: [0x20010db8, 0x000100ff, 7, 7], dst6: far, bytes: 10 },
    { src6: far, dst6: [0x20010db8, 0x00010001, 0, 1], bytes: 20 },
    { src6: far, dst6: [0x20010db8, 0x00020001, 0, 1], bytes: 40 },
  ]);
  t.strictSame(used, ['1/1/1 10↑ 0↓', '1/1/1 0↑ 20↓']);
});

t.test('a flow of nobody is stored and counted as such; so is one of a session of nobody', async (t) => {
  const { used, rows, sender, unattributed, records } = take([
    { src4: internet, dst4: internet + 1 },
    { src4: 0x0a000003, dst4: internet },
    { src4: alice, dst4: internet, endedAt: nowMs - 7_200_000 },
  ]);
  t.strictSame(used, []);
  t.strictSame(rows, ['1/7 0/0/unknown', '1/7 0/0/unknown', '1/7 0/0/unknown']);
  t.equal(sender.unattributed, 3);
  t.equal(unattributed, 3);
  t.equal(records, 3);
});

t.test('only unsampled flows that went on count, of an edge exporter, seen on the side that counts', async (t) => {
  const flow = { src4: alice, dst4: internet, bytes: 10 };
  const counts = (more: Flow, setting: Partial<ExporterSetting> = {}) =>
    take([{ ...flow, ...more }], setting).used.length;
  t.equal(counts({}), 1);
  t.equal(counts({}, { role: 'core' }), 0);
  t.equal(counts({ samplingRate: 100 }), 0);
  t.equal(counts({ flags: flag.samplingUnknown }), 0);
  t.equal(counts({ flags: flag.notForwarded }), 0);
  t.equal(counts({ flags: flag.timeClamped }), 1);
  const table = [
    ['ingress', 0, 1],
    ['ingress', 1, 1],
    ['ingress', 2, 0],
    ['egress', 0, 1],
    ['egress', 1, 0],
    ['egress', 2, 1],
    ['both', 1, 1],
    ['both', 2, 1],
  ] as const;
  for (const [countDirection, direction, expected] of table)
    t.equal(counts({ direction }, { countDirection }), expected, `${countDirection}, seen ${direction}`);
  t.equal(take([{ ...flow, samplingRate: 100 }]).sender.sampled, 1);
});

t.test(
  'flows of a stranger are not kept; those of one at the address of an access server are, and count nothing',
  async (t) => {
    const flow = { src4: alice, dst4: internet };
    const stranger = take([flow], 'stranger');
    t.strictSame([stranger.rows, stranger.used, stranger.unknown], [[], [], 1]);
    const beside = take([flow], 'beside a NAS');
    t.strictSame([beside.rows, beside.used, beside.unknown], [['1/0 1/0/up'], [], 0]);
  },
);
