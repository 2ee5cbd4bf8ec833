// A million datagrams of invented senders and templates: memory stays bounded, and the operator's exporter is not pushed out.
import t from 'tap';
import { createAddressIndex } from '#flow-collector/attribution/address-index.ts';
import { counterPlaces, createCounters } from '#flow-collector/counters.ts';
import { createSenders } from '#flow-collector/exporters/senders.ts';
import { createTrafficSums, trafficOf } from '#flow-collector/exporters/traffic.ts';
import { createFlowRows } from '#flow-collector/receive/flow-rows.ts';
import { createReceiver } from '#flow-collector/receive/receiver.ts';
import { createColumns } from '#flow-collector/wire/columns.ts';
import { createDecoder } from '#flow-collector/wire/decoder.ts';
import { createFlowCounterBuffer } from '#flow-collector/workers.ts';
import type { UdpBatch } from '#ops/runtime/udp.ts';
import { datagram9, dataSet, type FieldSpec, ip4, templateSet } from './wire/support/encode9.ts';

t.setTimeout(300_000);

const fields: readonly FieldSpec[] = [
  [8, 4],
  [12, 4],
  [1, 4],
  [2, 4],
];
const setting = {
  tenantId: 1,
  id: 1,
  address: '192.0.2.1',
  role: 'edge',
  samplingRate: null,
  countDirection: 'both',
  totalsAreDeltas: false,
} as const;

function collector() {
  const counters = createCounters(createFlowCounterBuffer());
  const addresses = createAddressIndex();
  const sums = createTrafficSums(counters);
  const senders = createSenders({
    settings: { exporters: [setting], prefixes: [] },
    tenantNumber: addresses.tenant,
    onForgotten: sums,
  });
  let rows = 0;
  let learned = 0;
  const columns = createColumns(256);
  const clock = { nowMs: 1_700_000_000_000 };
  const nowMs = () => clock.nowMs;
  const takeRows = createFlowRows({
    addresses,
    senders,
    usage: { add: () => {} },
    batches: { add: () => rows++ },
    counters,
    nowMs,
  });
  const decoder = createDecoder({ columns, onFull: takeRows, onLearned: () => learned++ });
  const receiver = createReceiver({ senders, decoder, columns, counters, takeRows, nowMs });
  const receive = (address: string, datagram: Buffer) => {
    const batch: UdpBatch = {
      count: 1,
      data: [datagram],
      starts: [0],
      lengths: [datagram.length],
      peers: [{ address, port: 9995 }],
      reply: () => {},
    };
    receiver.handleBatch(batch);
    receiver.flush();
  };
  const dropped = (reason: 'too_many_exporters') => counters.array[counterPlaces.offset('dropped', reason)] ?? 0;
  return { clock, receive, senders, decoder, dropped, rows: () => rows, learned: () => learned };
}

t.test('a million invented senders and templates', async (t) => {
  const { clock, receive, senders, decoder, dropped, rows } = collector();
  const own = (sequence: number, withTemplate: boolean) =>
    datagram9(
      [
        ...(withTemplate ? [templateSet(300, fields)] : []),
        dataSet(300, fields, [[ip4('10.0.0.1'), ip4('203.0.113.1'), 100, 1]]),
      ],
      { sequence },
    );
  receive('192.0.2.1', own(0, true));
  t.equal(rows(), 1);

  // One datagram whose source id, template id, element and length of a field, and unknown set are changed in place.
  const forged = datagram9([templateSet(256, fields), dataSet(999, fields, [[0, 0, 0, 0]])]);
  const sourceIdAt = 16;
  const templateIdAt = 24;
  const elementAt = 28;
  const unknownSetAt = forged.indexOf(Buffer.of(999 >> 8, 999 & 255), 44);
  const flood = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      forged.writeUInt32BE(i % 7 === 0 ? i : 0, sourceIdAt);
      forged.writeUInt16BE(256 + (i % 60_000), templateIdAt);
      forged.writeUInt16BE((i * 31) % 30_000, elementAt);
      forged.writeUInt16BE(1 + (i % 60), elementAt + 2);
      forged.writeUInt16BE(256 + ((i * 17) % 60_000), unknownSetAt);
      // Half of them under the name of the exporter itself, half of senders that nobody knows.
      const address = i % 2 === 0 ? '192.0.2.1' : `11.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
      if (i % 1000 === 0) clock.nowMs += 10;
      receive(address, forged);
    }
  };
  flood(0, 500_000);
  const residentBefore = process.memoryUsage().rss;
  flood(500_000, 1_000_000);
  const grown = (process.memoryUsage().rss - residentBefore) / 2 ** 20;
  t.ok(grown < 200, `resident memory grew by ${Math.round(grown)} MB in the second half million`);
  t.ok(decoder.rememberedBytes <= 64 * 2 ** 20, `${decoder.rememberedBytes} octets of templates`);
  t.ok([...senders.all()].length <= 1001);
  t.ok(trafficOf(senders.all()).length <= 1001);
  t.ok(dropped('too_many_exporters') > 400_000, 'strangers beyond a thousand are dropped');
  const before = rows();
  receive('192.0.2.1', own(1, false));
  receive('192.0.2.1', own(2, true));
  t.ok(rows() > before, 'the exporter is still decoded');
});
