// NAT and firewall exporters: translated addresses, event logs that are no traffic, and connections counted both ways.
import t from 'tap';
import { createExporter } from '#flow-collector/wire/exporter.ts';
import {
  datagram9,
  dataSet,
  exportedAtMs,
  type FieldSpec,
  ip4,
  ip6,
  templateSet,
  type Value,
} from './support/encode9.ts';
import { createFlowReader } from './support/flows.ts';

const inside = ip4('10.0.0.1');
const outside = ip4('203.0.113.9');
const server = ip4('198.51.100.7');
const zero = ip4('0.0.0.0');

function read(fields: readonly FieldSpec[], records: readonly (readonly Value[])[], capacity = 7) {
  const reader = createFlowReader({ capacity });
  reader.read(datagram9([templateSet(256, fields), dataSet(256, fields, records)]), exportedAtMs);
  return reader;
}

/** RouterOS 7, version 9, IPv4. */
const mikrotik: readonly FieldSpec[] = [
  [21, 4],
  [22, 4],
  [2, 4],
  [1, 4],
  [10, 4],
  [14, 4],
  [8, 4],
  [12, 4],
  [4, 1],
  [5, 1],
  [7, 2],
  [11, 2],
  [15, 4],
  [13, 1],
  [9, 1],
  [6, 1],
  [225, 4],
  [226, 4],
  [227, 2],
  [228, 2],
];

t.test('MikroTik tells the subscriber of a download only as translated destination', async (t) => {
  const common = [5_000_000, 4_990_000, 10, 4000];
  const { flows } = read(mikrotik, [
    [...common, 5, 1, inside, server, 6, 0, 51_000, 443, zero, 0, 0, 0x1b, outside, server, 2000, 443],
    [...common, 1, 5, server, outside, 6, 0, 443, 2000, zero, 0, 0, 0x1b, server, inside, 443, 51_000],
    [...common, 5, 6, inside, server, 17, 0, 53, 53, zero, 0, 0, 0, zero, zero, 0, 0],
  ]);
  t.match(flows, [
    {
      src: '10.0.0.1',
      dst: '198.51.100.7',
      natFamily: 4,
      srcNat: '203.0.113.9',
      dstNat: '198.51.100.7',
      srcNatPort: 2000,
      dstNatPort: 443,
    },
    {
      src: '198.51.100.7',
      dst: '203.0.113.9',
      natFamily: 4,
      srcNat: '198.51.100.7',
      dstNat: '10.0.0.1',
      srcNatPort: 443,
      dstNatPort: 51_000,
    },
    { src: '10.0.0.1', natFamily: 0, srcNat: '', dstNat: '' },
  ]);
});

t.test('translated IPv6 addresses, and NAT64', async (t) => {
  const a = ip6('2001:db8:0:0:0:0:0:1');
  const b = ip6('64:ff9b:0:0:0:0:c633:6407');
  const nat66 = read(
    [
      [27, 16],
      [28, 16],
      [1, 4],
      [281, 16],
      [282, 16],
    ],
    [[a, b, 100, ip6('2001:db8:9:0:0:0:0:1'), Buffer.alloc(16)]],
  );
  t.match(nat66.flows, [{ family: 6, natFamily: 6, srcNat: '2001:db8:9:0:0:0:0:1', dstNat: '0:0:0:0:0:0:0:0' }]);
  const nat64 = read(
    [
      [27, 16],
      [28, 16],
      [1, 4],
      [225, 4],
      [226, 4],
      [281, 16],
    ],
    [[a, b, 100, outside, server, Buffer.alloc(16)]],
  );
  t.match(nat64.flows, [{ family: 6, natFamily: 4, srcNat: '203.0.113.9', dstNat: '198.51.100.7' }]);
});

t.test('records of a NAT log are counted, not taken for flows', async (t) => {
  const log: FieldSpec[] = [
    [323, 8],
    [230, 1],
    [8, 4],
    [225, 4],
    [7, 2],
    [227, 2],
  ];
  t.strictSame(
    read(log, [
      [exportedAtMs, 1, inside, outside, 1, 2],
      [exportedAtMs, 2, inside, outside, 1, 2],
    ]).counts(),
    {
      packets: 1,
      template_received: 1,
      records: 2,
      nat_event: 2,
    },
  );
  const withBytes: FieldSpec[] = [
    [8, 4],
    [12, 4],
    [230, 1],
    [1, 4],
  ];
  const mixed = read(withBytes, [
    [inside, server, 4, 900],
    [inside, server, 0, 800],
    [inside, server, 5, 700],
  ]);
  t.match(mixed.flows, [{ bytes: 800 }]);
  t.match(mixed.counts(), { nat_event: 2, flows: 1, records: 3 });
});

/** Cisco ASA 9 (NSEL): flow id, ends, translated ends, event, octets of each way. */
const asa: readonly FieldSpec[] = [
  [148, 4],
  [8, 4],
  [7, 2],
  [10, 2],
  [12, 4],
  [11, 2],
  [14, 2],
  [4, 1],
  [225, 4],
  [226, 4],
  [227, 2],
  [228, 2],
  [233, 1],
  [33_002, 2],
  [323, 8],
  [152, 8],
  [231, 4],
  [232, 4],
];
const connection = (flowId: number, event: number, sent: number, received: number): Value[] => [
  flowId,
  inside,
  51_000,
  3,
  server,
  443,
  4,
  6,
  outside,
  server,
  2000,
  443,
  event,
  0,
  exportedAtMs,
  exportedAtMs - 1000,
  sent,
  received,
];

t.test('a record with both directions gives a row for each, translation turned round', async (t) => {
  const { flows, counts } = read(asa, [connection(1, 5, 1000, 20_000)], 2);
  t.match(flows, [
    {
      src: '10.0.0.1',
      dst: '198.51.100.7',
      bytes: 1000,
      srcPort: 51_000,
      dstPort: 443,
      inIf: 3,
      outIf: 4,
      srcNat: '203.0.113.9',
      srcNatPort: 2000,
    },
    {
      src: '198.51.100.7',
      dst: '203.0.113.9',
      srcNat: '198.51.100.7',
      dstNat: '10.0.0.1',
      bytes: 20_000,
      srcPort: 443,
      dstPort: 2000,
      srcNatPort: 443,
      dstNatPort: 51_000,
      inIf: 4,
      outIf: 3,
      protocol: 6,
      startedAt: exportedAtMs - 1000,
    },
  ]);
  t.match(counts(), { flows: 2, records: 1 });
  t.equal(read(asa, [connection(1, 5, 1000, 0)]).flows.length, 1, 'nothing came back');
});

t.test('both directions without translation, over IPv6, with packets', async (t) => {
  const fields: FieldSpec[] = [
    [27, 16],
    [28, 16],
    [61, 1],
    [16, 4],
    [17, 4],
    [231, 8],
    [232, 8],
    [298, 8],
    [299, 8],
  ];
  const a = ip6('2001:db8:0:0:0:0:0:1');
  const b = ip6('2001:db8:0:0:0:0:0:2');
  for (const capacity of [2, 3, 8]) {
    const { flows } = read(fields, Array(5).fill([a, b, 0, 1, 2, 70, 30, 7, 3]), capacity);
    t.equal(flows.length, 10);
    for (let i = 0; i < 10; i += 2) {
      t.match(flows[i], {
        src: '2001:db8:0:0:0:0:0:1',
        bytes: 70,
        packets: 7,
        direction: 1,
        srcAs: 1,
        dstAs: 2,
        natFamily: 0,
      });
      t.match(flows[i + 1], {
        src: '2001:db8:0:0:0:0:0:2',
        dst: '2001:db8:0:0:0:0:0:1',
        bytes: 30,
        packets: 3,
        direction: 2,
        srcAs: 2,
        natFamily: 0,
      });
    }
  }
});

t.test('firewall events: created and denied are no flows; a deletion repeats what updates counted', async (t) => {
  const { flows, counts } = read(asa, [
    connection(1, 1, 0, 0),
    connection(1, 5, 1000, 2000),
    connection(1, 5, 300, 0),
    connection(1, 2, 1300, 2000),
    connection(2, 1, 0, 0),
    connection(2, 2, 77, 0),
    connection(3, 3, 0, 0),
    connection(1, 2, 55, 0),
  ]);
  t.strictSame(
    flows.map(({ bytes }) => bytes),
    [1000, 2000, 300, 77, 55],
    'connection 2 had no updates; the second connection 1 is another',
  );
  t.match(counts(), { firewall_event: 4, records: 8, flows: 5 });
});

t.test('connections of two firewalls are apart', async (t) => {
  const reader = createFlowReader();
  const other = createExporter('192.0.2.2', 4);
  const template = templateSet(256, asa);
  reader.read(datagram9([template, dataSet(256, asa, [connection(1, 5, 1000, 0)])]), exportedAtMs);
  reader.read(datagram9([template, dataSet(256, asa, [connection(1, 2, 900, 0)])]), exportedAtMs, other);
  reader.read(datagram9([dataSet(256, asa, [connection(1, 2, 1000, 0)])], { sequence: 1 }), exportedAtMs);
  t.match(reader.flows, [
    { bytes: 1000, exporter: 3 },
    { bytes: 900, exporter: 4 },
  ]);
});

t.test("ASA's old elements", async (t) => {
  const old: FieldSpec[] = [
    [148, 4],
    [8, 4],
    [12, 4],
    [40_001, 4],
    [40_002, 4],
    [40_003, 2],
    [40_004, 2],
    [40_005, 1],
    [85, 4],
  ];
  const values = (event: number) => [1, inside, server, outside, server, 2000, 443, event, 5000];
  const reader = createFlowReader({ exporter: createExporter('192.0.2.1', 3, { totalsAreDeltas: true }) });
  reader.read(datagram9([templateSet(256, old), dataSet(256, old, [values(1), values(2)])]), exportedAtMs);
  t.match(reader.flows, [{ srcNat: '203.0.113.9', srcNatPort: 2000, bytes: 5000 }]);
  t.match(reader.counts(), { firewall_event: 1, flows: 1 });
});
