// NetFlow version 9: sets, templates and records by RFC 3954, and what exporters send instead of it.
import t from 'tap';
import { flag, flowDirection } from '#flow-collector/wire/columns.ts';
import { createExporter } from '#flow-collector/wire/exporter.ts';
import {
  commonFields,
  commonValues,
  datagram9,
  dataSet,
  exportedAtMs,
  type FieldSpec,
  ip4,
  ip6,
  set,
  template,
  templateSet,
  unixS,
  uptimeMs,
  type Value,
  variable,
} from './support/encode9.ts';
import { createFlowReader, type Flow } from './support/flows.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

/** Flows of one datagram with one template and its records. */
function flowsOf(fields: readonly FieldSpec[], records: readonly (readonly Value[])[], receivedAtMs = exportedAtMs) {
  const reader = createFlowReader();
  reader.read(datagram9([templateSet(256, fields), dataSet(256, fields, records)]), receivedAtMs);
  return reader;
}

const ends: readonly FieldSpec[] = [
  [8, 4],
  [12, 4],
];
const endValues = [ip4('10.0.0.1'), ip4('198.51.100.7')];

t.test('the template and the records of RFC 3954 §11 decode to what the RFC says', async (t) => {
  const sample = hex(`0009 0004 00000000 65538d80 00000000 00000000
    0000 001c 0100 0005 0008 0004 000c 0004 000f 0004 0002 0004 0001 0004
    0100 0040 c6a8010c 0a050cfe c0a80101 00001391 00518c81
              c0a8011b 0a050c17 c0a80101 000002ec 0005ef46
              c0a80138 0a050c41 c0a80101 00000005 00001986
    0001 0018 0101 0004 0008 0003 0002 0029 0002 002a 0002 0000
    0101 0010 0001 0159 27d9 0002 02b2 4fb2`);
  const reader = createFlowReader();
  reader.read(sample, 0x65538d80 * 1000);
  t.match(reader.flows, [
    { src: '198.168.1.12', dst: '10.5.12.254', packets: 5009, bytes: 5_344_385 },
    { src: '192.168.1.27', dst: '10.5.12.23', packets: 748, bytes: 388_934 },
    { src: '192.168.1.56', dst: '10.5.12.65', packets: 5, bytes: 6534 },
  ]);
  t.strictSame(reader.counts(), { packets: 1, flows: 3, records: 5, options_records: 2, template_received: 2 });
});

t.test('each field of a record fills its column', async (t) => {
  const reader = flowsOf(commonFields, [commonValues]);
  t.strictSame(reader.flows, [
    {
      exporter: 3,
      version: 9,
      receivedAt: exportedAtMs,
      startedAt: exportedAtMs - 15_471,
      endedAt: exportedAtMs - 1,
      bytes: 13_500,
      packets: 12,
      samplingRate: 1,
      flags: 0,
      family: 4,
      natFamily: 0,
      src: '10.0.0.1',
      dst: '198.51.100.7',
      srcNat: '',
      dstNat: '',
      srcPort: 51_000,
      dstPort: 443,
      srcNatPort: 0,
      dstNatPort: 0,
      protocol: 6,
      tcpFlags: 0x1b,
      tos: 0x28,
      direction: flowDirection.ingress,
      inIf: 1,
      outIf: 2,
      srcAs: 65_000,
      dstAs: 4_200_000_001,
    },
  ]);
});

t.test('integers are read at every length from one to eight octets, and stay at 2^53 − 1', async (t) => {
  for (const [length, value, expected] of [
    [1, 0xff, 0xff],
    [2, 0xfffe, 0xfffe],
    [3, 0xfffefd, 0xfffefd],
    [4, 0xfffefdfc, 0xfffefdfc],
    [5, 0xfffefdfcfbn, 0xfffefdfcfb],
    [6, 0xfffefdfcfbfan, 0xfffefdfcfbfa],
    [7, 0x1ffffefdfcfbfan, 0x1ffffefdfcfbfa],
    [7, 0x20000000000000n, Number.MAX_SAFE_INTEGER],
    [8, 0x1ffffefdfcfbfan, 0x1ffffefdfcfbfa],
    [8, 0xffffffffffffffffn, Number.MAX_SAFE_INTEGER],
    [8, 7, 7],
  ] as const) {
    const reader = flowsOf([...ends, [1, length], [10, length]], [[...endValues, value, value]]);
    t.equal(reader.flows[0]!.bytes, expected, `${value.toString(16)} in ${length} octets`);
    t.equal(reader.counts().counter_clamped, value > Number.MAX_SAFE_INTEGER ? 1 : undefined);
    const inIf = Number(BigInt(value) & 0xffffffffn);
    t.equal(reader.flows[0]!.inIf, inIf, 'an interface index has its last four octets');
  }
});

t.test('fields of no octets, repeated fields and addresses of a wrong length are left out', async (t) => {
  const reader = flowsOf(
    [...ends, [1, 0], [2, 4], [8, 4], [12, 6], [1, 4], [7, 9], [11, 0]],
    [[...endValues, 0, 3, ip4('192.0.2.99'), Buffer.alloc(6, 9), 700, Buffer.alloc(9, 1), 0]],
  );
  t.match(reader.flows, [{ src: '10.0.0.1', dst: '198.51.100.7', bytes: 700, packets: 3, srcPort: 0, dstPort: 0 }]);
});

t.test('octets and packets of the direction that the exporter fills count', async (t) => {
  const fields: FieldSpec[] = [...ends, [1, 4], [23, 8], [2, 4], [24, 8]];
  const reader = flowsOf(fields, [
    [...endValues, 500, 0, 5, 0],
    [...endValues, 0, 900, 0, 9],
  ]);
  t.match(reader.flows, [
    { bytes: 500, packets: 5 },
    { bytes: 900, packets: 9 },
  ]);
});

t.test('totals count only for exporters that send each flow once', async (t) => {
  const fields: FieldSpec[] = [...ends, [85, 4], [86, 4]];
  const datagram = datagram9([templateSet(256, fields), dataSet(256, fields, [[...endValues, 4000, 4]])]);
  const plain = createFlowReader();
  plain.read(datagram, exportedAtMs);
  t.equal(plain.flows.length, 0);
  t.strictSame(plain.counts(), { packets: 1, records: 1, totals_ignored: 1, template_received: 1 });
  const once = createFlowReader({ exporter: createExporter('192.0.2.1', 3, { totalsAreDeltas: true }) });
  once.read(datagram, exportedAtMs);
  t.match(once.flows, [{ bytes: 4000, packets: 4 }]);
  plain.exporter.totalsAreDeltas = true;
  plain.read(datagram, exportedAtMs);
  t.equal(plain.flows.length, 1, 'the setting may change at any time');
});

t.test('IPv6, and templates that carry both families with one of them zero', async (t) => {
  const six: FieldSpec[] = [
    [27, 16],
    [28, 16],
  ];
  const a = ip6('2001:db8:0:0:0:0:0:1');
  const b = ip6('2001:db8:ffff:0:0:0:0:2');
  const none = Buffer.alloc(16);
  t.match(flowsOf([...six, [1, 4]], [[a, b, 9]]).flows, [
    { family: 6, src: '2001:db8:0:0:0:0:0:1', dst: '2001:db8:ffff:0:0:0:0:2' },
  ]);
  const both = flowsOf(
    [...ends, ...six, [1, 4]],
    [
      [...endValues, none, none, 1],
      [ip4('0.0.0.0'), ip4('0.0.0.0'), a, b, 2],
      [ip4('0.0.0.0'), ip4('0.0.0.0'), none, none, 3],
    ],
  );
  t.match(both.flows, [
    { family: 4, src: '10.0.0.1', dst: '198.51.100.7' },
    { family: 6, src: '2001:db8:0:0:0:0:0:1', dst: '2001:db8:ffff:0:0:0:0:2' },
    { family: 4, src: '0.0.0.0', dst: '0.0.0.0' },
  ]);
  const told = flowsOf(
    [...ends, ...six, [60, 1], [1, 4]],
    [
      [...endValues, a, b, 6, 1],
      [...endValues, a, b, 4, 2],
      [ip4('0.0.0.0'), ip4('0.0.0.0'), none, b, 0, 3],
    ],
  );
  t.strictSame(
    told.flows.map(({ family }) => family),
    [6, 4, 6],
    'ipVersion decides',
  );
});

t.test('ICMP keeps type and code in the destination port', async (t) => {
  const fields: FieldSpec[] = [...ends, [4, 1], [1, 4], [11, 2], [32, 2]];
  const flows = flowsOf(fields, [
    [...endValues, 1, 84, 0x0800, 0],
    [...endValues, 1, 84, 0, 0x0303],
  ]).flows;
  t.match(flows, [{ dstPort: 0x0800 }, { dstPort: 0x0303 }]);
});

t.test('direction is told, or not', async (t) => {
  const flows = flowsOf(
    [...ends, [1, 4], [61, 1]],
    [
      [...endValues, 1, 0],
      [...endValues, 1, 1],
      [...endValues, 1, 255],
    ],
  ).flows;
  t.strictSame(
    flows.map(({ direction }) => direction),
    [flowDirection.ingress, flowDirection.egress, flowDirection.notTold],
  );
});

t.test('flows that the router dropped or consumed are flagged', async (t) => {
  const flows = flowsOf(
    [...ends, [1, 4], [89, 1]],
    [
      [...endValues, 1, 0x40],
      [...endValues, 1, 0x7f],
      [...endValues, 1, 0x80],
      [...endValues, 1, 0xc1],
      [...endValues, 1, 0],
    ],
  ).flows;
  t.strictSame(
    flows.map(({ flags }) => flags),
    [0, 0, flag.notForwarded, flag.notForwarded, 0],
  );
});

t.test('absolute times are read in every form', async (t) => {
  const endMs = exportedAtMs - 250;
  const startMs = endMs - 4000;
  const ntp = (ms: number) => {
    const data = Buffer.alloc(8);
    data.writeUInt32BE((Math.floor(ms / 1000) + 2_208_988_800) % 2 ** 32, 0);
    data.writeUInt32BE(Math.floor(((ms % 1000) / 1000) * 2 ** 32) + 1, 4);
    return data;
  };
  for (const [name, start, end, values, expected] of [
    ['milliseconds', [152, 8], [153, 8], [startMs, endMs], [startMs, endMs]],
    ['seconds', [150, 4], [151, 4], [unixS - 5, unixS - 1], [(unixS - 5) * 1000, (unixS - 1) * 1000]],
    ['microseconds', [154, 8], [155, 8], [ntp(startMs), ntp(endMs)], [startMs, endMs]],
    ['nanoseconds', [156, 8], [157, 8], [ntp(startMs), ntp(endMs)], [startMs, endMs]],
    ['deltas', [158, 4], [159, 4], [4_250_000, 250_000], [startMs, endMs]],
  ] as const) {
    const [flow] = flowsOf([...ends, [1, 4], start, end], [[...endValues, 1, ...values]]).flows as [Flow];
    t.strictSame([flow.startedAt, flow.endedAt], expected, name);
    t.equal(flow.flags, 0);
  }
  const afterEra = 2_085_978_496_000 + 5000;
  const [flow] = flowsOf([...ends, [1, 4], [155, 8]], [[...endValues, 1, ntp(afterEra)]], afterEra).flows as [Flow];
  t.equal(flow.endedAt, afterEra, 'NTP starts anew in 2036');
});

t.test('a flow without times has those of its datagram; one time stands for both', async (t) => {
  t.match(flowsOf([...ends, [1, 4]], [[...endValues, 1]]).flows, [{ startedAt: exportedAtMs, endedAt: exportedAtMs }]);
  const onlyStart = flowsOf([...ends, [1, 4], [22, 4]], [[...endValues, 1, uptimeMs - 700]]);
  t.match(onlyStart.flows, [{ startedAt: exportedAtMs - 700, endedAt: exportedAtMs - 700 }]);
});

t.test('an exporter with a wrong clock or uptime has the times of receipt', async (t) => {
  const fields: FieldSpec[] = [...ends, [1, 4], [22, 4], [21, 4]];
  const wrongClock = flowsOf(fields, [[...endValues, 1, uptimeMs - 5, uptimeMs - 1]], exportedAtMs + 90_000_000);
  t.match(wrongClock.flows, [{ startedAt: exportedAtMs + 90_000_000, endedAt: exportedAtMs + 90_000_000 }]);
  t.equal(wrongClock.counts().time_clamped, 1);
  const wrongUptime = flowsOf(fields, [[...endValues, 1, uptimeMs + 200_000_000, uptimeMs + 200_000_100]]);
  t.match(wrongUptime.flows, [{ startedAt: exportedAtMs, endedAt: exportedAtMs, flags: flag.timeClamped }]);
});

t.test('padding of a set is no record, whatever its length', async (t) => {
  for (let padding = 0; padding < 45; padding++) {
    const reader = createFlowReader();
    const records = [commonValues, commonValues];
    reader.read(
      datagram9([templateSet(256, commonFields, padding), dataSet(256, commonFields, records, padding)]),
      exportedAtMs,
    );
    t.equal(reader.flows.length, 2);
  }
});

t.test('zeros behind the last set are padding, as Palo Alto sends them', async (t) => {
  const reader = createFlowReader();
  const sets = [templateSet(256, commonFields), dataSet(256, commonFields, [commonValues]), Buffer.alloc(900)];
  reader.read(datagram9(sets), exportedAtMs);
  t.strictSame(reader.counts(), { packets: 1, flows: 1, records: 1, template_received: 1 });
});

t.test('what comes before a malformed set is kept, nothing behind it is read', async (t) => {
  const good = [templateSet(256, commonFields), dataSet(256, commonFields, [commonValues])];
  for (const bad of ['0100 0003', '0100 0000', '0100 ffff', '0000 0001', '0100 0005', '00ff 0006 00']) {
    const reader = createFlowReader();
    reader.read(datagram9([...good, hex(bad), ...(bad.length > 9 ? [] : good)]), exportedAtMs);
    t.match(reader.counts(), { flows: 1, malformed_length: 1 }, bad);
  }
});

t.test('the count of the header is not relied on', async (t) => {
  for (const count of [0, 1, 65_535]) {
    const reader = createFlowReader();
    const sets = [templateSet(256, commonFields), dataSet(256, commonFields, [commonValues, commonValues])];
    reader.read(datagram9(sets, { count }), exportedAtMs);
    t.equal(reader.flows.length, 2);
  }
});

t.test('records of no octets end, and are counted', async (t) => {
  for (const fields of [
    [
      [8, 0],
      [1, 0],
    ],
    [[1, 0]],
  ] as FieldSpec[][]) {
    const reader = createFlowReader();
    reader.read(datagram9([templateSet(256, fields), set(256, Buffer.alloc(40))]), exportedAtMs);
    t.strictSame(reader.counts(), { packets: 1, template_received: 1, zero_length_record: 1 });
  }
});

t.test('reserved set ids are skipped by their length', async (t) => {
  const reader = createFlowReader();
  const sets = [
    set(2, Buffer.alloc(8)),
    templateSet(256, commonFields),
    set(255, Buffer.alloc(5)),
    dataSet(256, commonFields, [commonValues]),
  ];
  reader.read(datagram9(sets), exportedAtMs);
  t.match(reader.counts(), { flows: 1, reserved_set: 2 });
});

t.test('several templates in one set, several sets of one template', async (t) => {
  const small: FieldSpec[] = [...ends, [1, 4]];
  const reader = createFlowReader();
  const templates = set(0, Buffer.concat([template(256, commonFields), template(300, small)]), 2);
  const sets = [
    templates,
    dataSet(300, small, [[...endValues, 1]]),
    dataSet(256, commonFields, [commonValues], 3),
    dataSet(300, small, [
      [...endValues, 2],
      [...endValues, 3],
    ]),
  ];
  reader.read(datagram9(sets), exportedAtMs);
  t.strictSame(
    reader.flows.map(({ bytes }) => bytes),
    [1, 13_500, 2, 3],
  );
});

t.test('a malformed template ends its set only', async (t) => {
  for (const bad of ['0100 0100 0008 0004', '00ff 0001 0008 0004', '0100 0002 0008 0004 0001']) {
    const reader = createFlowReader();
    const sets = [templateSet(300, commonFields), set(0, hex(bad)), dataSet(300, commonFields, [commonValues])];
    reader.read(datagram9(sets), exportedAtMs);
    t.match(reader.counts(), { flows: 1, template_malformed: 1, template_received: 1 }, bad);
  }
  for (const bad of [
    '0100 0003 0004 0001 0004 0022 0004',
    '0100 0004 0006 0001 0004 0022 0004',
    '0100 0100 0004 0001 0004',
  ]) {
    const reader = createFlowReader();
    const sets = [templateSet(300, commonFields), set(1, hex(bad)), dataSet(300, commonFields, [commonValues])];
    reader.read(datagram9(sets), exportedAtMs);
    t.match(reader.counts(), { flows: 1, template_malformed: 1, template_received: 1 }, bad);
  }
});

t.test('fields of variable length are passed over, as H3C sends them', async (t) => {
  const fields: FieldSpec[] = [[82, variable], ...ends, [1, 4], [83, variable], [2, 4]];
  const long = Buffer.alloc(300, 7);
  const reader = flowsOf(fields, [
    [Buffer.from('GigabitEthernet1/0/1'), ...endValues, 100, Buffer.alloc(0), 1],
    [Buffer.alloc(0), ...endValues, 200, long, 2],
    [long, ...endValues, 300, Buffer.from('x'), 3],
  ]);
  t.match(reader.flows, [
    { bytes: 100, packets: 1, src: '10.0.0.1' },
    { bytes: 200, packets: 2, dst: '198.51.100.7' },
    { bytes: 300, packets: 3 },
  ]);
  const cut = createFlowReader();
  const whole = dataSet(256, fields, [[Buffer.from('a'), ...endValues, 100, Buffer.from('b'), 1]]);
  for (let length = 5; length < whole.length; length++) {
    const part = Buffer.from(whole.subarray(0, length));
    part.writeUInt16BE(length, 2);
    cut.read(datagram9([templateSet(256, fields), part]), exportedAtMs);
  }
  t.equal(cut.flows.length, 0, 'a record that its set cuts is none');
});

t.test('records without addresses or without counters are no flows', async (t) => {
  const reader = createFlowReader();
  const noAddress: FieldSpec[] = [
    [10, 4],
    [1, 4],
  ];
  const noCounter: FieldSpec[] = [...ends, [10, 4]];
  const sets = [
    templateSet(256, noAddress),
    templateSet(257, noCounter),
    dataSet(256, noAddress, [[1, 2]]),
    dataSet(257, noCounter, [
      [...endValues, 1],
      [...endValues, 2],
    ]),
  ];
  reader.read(datagram9(sets), exportedAtMs);
  t.strictSame(reader.counts(), { packets: 1, template_received: 2, records: 3, not_a_flow: 3 });
});

t.test('a datagram too short for its header is refused', async (t) => {
  const reader = createFlowReader();
  const datagram = datagram9([]);
  t.same(reader.read(datagram.subarray(0, 19), exportedAtMs), { ok: false, reason: 'too_short' });
  t.same(reader.read(datagram, exportedAtMs), { ok: true });
});

t.test('what one exporter leaves out is 0, though another filled the same row before', async (t) => {
  const reader = createFlowReader({ capacity: 3 });
  const bare: FieldSpec[] = [...ends, [2, 4]];
  const sets = [
    templateSet(256, commonFields),
    templateSet(257, bare),
    dataSet(256, commonFields, [commonValues, commonValues]),
  ];
  reader.read(datagram9(sets), exportedAtMs);
  reader.read(
    datagram9([
      dataSet(257, bare, [
        [...endValues, 4],
        [...endValues, 5],
      ]),
    ]),
    exportedAtMs,
  );
  const zero = {
    bytes: 0,
    srcPort: 0,
    dstPort: 0,
    protocol: 0,
    tos: 0,
    tcpFlags: 0,
    inIf: 0,
    outIf: 0,
    srcAs: 0,
    dstAs: 0,
  };
  t.match(reader.flows.slice(2), [
    { ...zero, packets: 4 },
    { ...zero, packets: 5 },
  ]);
});
