// NetFlow version 5: the header and the 48 octets of each record, by Cisco's format.
import t from 'tap';
import { flag } from '#flow-collector/wire/columns.ts';
import { createExporter } from '#flow-collector/wire/exporter.ts';
import { createFlowReader } from './support/flows.ts';

const exportedAtMs = 1_700_000_000_123;

/** Two records: TCP 10.0.0.1:51000 → 198.51.100.7:443 and an ICMP echo reply back. */
const header = (count: number, { uptimeMs = 600_000, sampling = 0, sequence = 100 } = {}) => {
  const data = Buffer.alloc(24);
  data.writeUInt16BE(5, 0);
  data.writeUInt16BE(count, 2);
  data.writeUInt32BE(uptimeMs, 4);
  data.writeUInt32BE(1_700_000_000, 8);
  data.writeUInt32BE(123_456_789, 12);
  data.writeUInt32BE(sequence, 16);
  data.writeUInt16BE(0x0102, 20);
  data.writeUInt16BE(sampling, 22);
  return data;
};
const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');
const tcp = hex(`0a000001 c6336407 0a0000fe 0001 0002 0000000c 000034bc 0008ef90 000927bf
  c738 01bb 00 1b 06 28 fde8 fbf0 18 10 0000`);
const icmp = hex(`c6336407 0a000001 00000000 0002 0001 00000001 00000054 00092000 00092000
  0000 0000 00 00 01 00 fbf0 fde8 10 18 0000`);

t.test('each field of a record fills its column', async (t) => {
  const reader = createFlowReader();
  t.same(reader.read(Buffer.concat([header(2), tcp, icmp]), exportedAtMs + 40), { ok: true });
  t.strictSame(reader.flows[0], {
    exporter: 3,
    version: 5,
    receivedAt: exportedAtMs + 40,
    startedAt: exportedAtMs - (600_000 - 0x0008ef90),
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
    direction: 0,
    inIf: 1,
    outIf: 2,
    srcAs: 65_000,
    dstAs: 64_496,
  });
  t.match(reader.flows[1], { src: '198.51.100.7', dst: '10.0.0.1', protocol: 1, bytes: 84, tcpFlags: 0, tos: 0 });
  t.strictSame(reader.counts(), { packets: 1, flows: 2, records: 2 });
});

t.test('the sampling rate is the low 14 bits; without one the setting of the exporter holds', async (t) => {
  for (const [sampling, setting, expected] of [
    [0x4064, null, 100],
    [0xbfff, 7, 16_383],
    [0x4000, null, 1],
    [0, 512, 512],
    [1, 512, 1],
  ] as const) {
    const reader = createFlowReader({ exporter: createExporter('192.0.2.1', 3, { samplingRate: setting }) });
    reader.read(Buffer.concat([header(1, { sampling }), tcp]), exportedAtMs);
    t.equal(reader.flows[0]!.samplingRate, expected, `${sampling.toString(16)} with setting ${setting}`);
  }
});

t.test('a count beyond the datagram is counted, and the whole records are kept', async (t) => {
  const reader = createFlowReader();
  reader.read(Buffer.concat([header(30), tcp, icmp.subarray(0, 47)]), exportedAtMs);
  t.equal(reader.flows.length, 1);
  t.strictSame(reader.counts(), { packets: 1, flows: 1, records: 1, malformed_length: 1 });
});

t.test('a count below the octets that follow leaves the rest unread', async (t) => {
  const reader = createFlowReader();
  reader.read(Buffer.concat([header(1), tcp, icmp]), exportedAtMs);
  reader.read(header(0, { sequence: 101 }), exportedAtMs);
  t.equal(reader.flows.length, 1);
  t.strictSame(reader.counts(), { packets: 2, flows: 1, records: 1 });
});

t.test('times are right on either side of the wrap of the uptime', async (t) => {
  const record = Buffer.from(tcp);
  record.writeUInt32BE(2 ** 32 - 3000, 24);
  record.writeUInt32BE(2 ** 32 - 1000, 28);
  const reader = createFlowReader();
  reader.read(Buffer.concat([header(1, { uptimeMs: 500 }), record]), exportedAtMs);
  t.match(reader.flows[0], { startedAt: exportedAtMs - 3500, endedAt: exportedAtMs - 1500, flags: 0 });
  record.writeUInt32BE(2 ** 32 - 1000, 24);
  record.writeUInt32BE(40, 28);
  reader.read(Buffer.concat([header(1, { uptimeMs: 2 ** 32 - 10 }), record]), exportedAtMs);
  t.match(
    reader.flows[1],
    { startedAt: exportedAtMs - 990, endedAt: exportedAtMs + 50 },
    'it wrapped before the header',
  );
});

t.test('a time more than a day from the receipt becomes the time of receipt', async (t) => {
  const reader = createFlowReader();
  const receivedAtMs = exportedAtMs + 86_400_000 + 1;
  reader.read(Buffer.concat([header(1), tcp]), receivedAtMs);
  t.match(reader.flows[0], { startedAt: receivedAtMs, endedAt: receivedAtMs, flags: flag.timeClamped });
  t.equal(reader.counts().time_clamped, 1);
  const record = Buffer.from(tcp);
  record.writeUInt32BE((600_000 - 90_000_000) >>> 0, 24);
  reader.read(Buffer.concat([header(1), record]), exportedAtMs);
  t.match(reader.flows[1], { startedAt: exportedAtMs - 1, endedAt: exportedAtMs - 1 }, 'only the start is off');
  record.writeUInt32BE(599_999, 24);
  record.writeUInt32BE(599_000, 28);
  reader.read(Buffer.concat([header(1), record]), exportedAtMs);
  t.match(
    reader.flows[2],
    { startedAt: exportedAtMs - 1000, endedAt: exportedAtMs - 1000, flags: 0 },
    'never after the end',
  );
});

t.test('other versions and short datagrams are refused with the reason', async (t) => {
  const reader = createFlowReader();
  const version = (number: number) => Buffer.concat([hex(number.toString(16).padStart(4, '0')), Buffer.alloc(30)]);
  t.same(reader.read(Buffer.alloc(0), exportedAtMs), { ok: false, reason: 'too_short' });
  t.same(reader.read(Buffer.from([5]), exportedAtMs), { ok: false, reason: 'too_short' });
  t.same(reader.read(header(1).subarray(0, 23), exportedAtMs), { ok: false, reason: 'too_short' });
  t.same(reader.read(version(10), exportedAtMs), { ok: false, reason: 'unsupported_version' });
  for (const number of [0, 1, 7, 8, 0x0500]) {
    t.same(reader.read(version(number), exportedAtMs), { ok: false, reason: 'bad_version' });
  }
  t.strictSame(reader.counts(), { packets: 9, too_short: 3, bad_version: 5, unsupported_version: 1 });
});

t.test('a batch that is full is handed over in the middle of a datagram', async (t) => {
  const reader = createFlowReader({ capacity: 2 });
  const records = Array.from({ length: 9 }, (_, i) => {
    const record = Buffer.from(tcp);
    record.writeUInt32BE(1000 + i, 20);
    return record;
  });
  reader.read(Buffer.concat([header(9), ...records]), exportedAtMs);
  t.strictSame(
    reader.flows.map(({ bytes }) => bytes),
    [1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008],
  );
});
