// softflowd as the exporter: datagrams it sent once, kept as octets, and datagrams it sends now from a capture file.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { missing } from '#test/support/peers.ts';
import { softflowd } from '#test/support/softflowd.ts';
import { until } from '#test/support/wait.ts';
import { ip4, ip6 } from './support/encode9.ts';
import { createFlowReader } from './support/flows.ts';
import { type MadePacket, pcap } from './support/pcap.ts';

/** softflowd 1.1.0 for the packets below: TCP both ways, DNS, ping, and DNS over IPv6, which version 5 leaves out. */
const sent9 = Buffer.from(
  '00090005000000006b0907b10000000100000000000000480400001000080004000c000400160004001500040001000400020004000a0004000e0004003d00010088' +
    '000100070002000b00020004000100060001003c000100050001000000400401000e00080004000c000400160004001500040001000400020004000a0004000e0004' +
    '003d0001008800010020000200040001003c0001000500010000004808000010001b0010001c001000160004001500040001000400020004000a0004000e0004003d' +
    '00010088000100070002000b00020004000100060001003c000100050001000000400801000e001b0010001c001000160004001500040001000400020004000a0004' +
    '000e0004003d000100880001008b000200040001003c0001000500010001001a01000004000c000200040022000400230001005200100100001d0000000000000001' +
    '012f746d702f736f66742e706361700000040000310a00000208080808ffff2116ffff21160000004600000001000000000000000001011388003511000400000000' +
    '0401002c0a00000308080808ffff2120ffff21200000005400000001000000000000000001010800010400000800004820010db8000000000000000000000001' +
    '20010db8000000000000000000000002ffff212affff212a000000aa000000010000000000000000000113880035110006000000040000580a000001c6336407ffff155e' +
    'ffff1cfc00004ede0000001400000000000000000001c73801bb061a0428c63364070a000001ffff155effff1cfc0000753000000014000000000000000001010' +
    '1bbc73806100400',
  'hex',
);
const sent5 = Buffer.from(
  '00050004000000006b0907b20b55bfa800000000000000000a0000020808080800000000000000000000000100000046ffff212effff212e1388003500001100000000' +
    '00000000000a0000030808080800000000000000000000000100000054ffff2138ffff2138000008000000010000000000000000000a000001c633640700000000' +
    '000000000000001400004edeffff1576ffff1d14c73801bb001a06280000000000000000c63364070a00000100000000000000000000001400007530ffff1576' +
    'ffff1d1401bbc738001006000000000000000000',
  'hex',
);

const client = ip4('10.0.0.1');
const server = ip4('198.51.100.7');
const resolver = ip4('8.8.8.8');

function packets(fromMs: number): MadePacket[] {
  const made: MadePacket[] = [];
  for (let i = 0; i < 20; i++) {
    const atMs = fromMs + i * 100;
    const tcpFlags = i === 0 ? 0x02 : 0x18;
    made.push({
      atMs,
      src: client,
      dst: server,
      protocol: 6,
      srcPort: 51_000,
      dstPort: 443,
      tcpFlags,
      tos: 0x28,
      bytes: 1000 + i,
    });
    made.push({ atMs: atMs + 50, src: server, dst: client, protocol: 6, srcPort: 443, dstPort: 51_000, bytes: 1500 });
  }
  made.push({
    atMs: fromMs + 3000,
    src: ip4('10.0.0.2'),
    dst: resolver,
    protocol: 17,
    srcPort: 5000,
    dstPort: 53,
    bytes: 70,
  });
  made.push({
    atMs: fromMs + 3010,
    src: ip4('10.0.0.3'),
    dst: resolver,
    protocol: 1,
    srcPort: 0,
    dstPort: 0x0800,
    bytes: 84,
  });
  const [a, b] = [ip6('2001:db8:0:0:0:0:0:1'), ip6('2001:db8:0:0:0:0:0:2')];
  made.push({ atMs: fromMs + 3020, src: a, dst: b, protocol: 17, srcPort: 5000, dstPort: 53, bytes: 170 });
  return made;
}

const expected = [
  {
    src: '10.0.0.1',
    dst: '198.51.100.7',
    protocol: 6,
    srcPort: 51_000,
    dstPort: 443,
    tcpFlags: 0x1a,
    tos: 0x28,
    bytes: 20_190,
    packets: 20,
  },
  { src: '10.0.0.2', dst: '8.8.8.8', protocol: 17, srcPort: 5000, dstPort: 53, bytes: 70, packets: 1 },
  { src: '10.0.0.3', dst: '8.8.8.8', protocol: 1, srcPort: 0, dstPort: 0x0800, bytes: 84, packets: 1 },
  { src: '198.51.100.7', dst: '10.0.0.1', protocol: 6, srcPort: 443, dstPort: 51_000, bytes: 30_000, packets: 20 },
  { src: '2001:db8:0:0:0:0:0:1', dst: '2001:db8:0:0:0:0:0:2', protocol: 17, bytes: 170, packets: 1 },
];
const bySource = <T extends { src: string }>(flows: readonly T[]) =>
  [...flows].sort((a, b) => (a.src < b.src ? -1 : 1));

t.test('datagrams that softflowd sent, version 9', async (t) => {
  const reader = createFlowReader();
  reader.read(sent9, 0x6b0907b1 * 1000);
  t.match(bySource(reader.flows), expected);
  t.strictSame(reader.counts(), { packets: 1, flows: 5, records: 6, options_records: 1, template_received: 5 });
  const tcp = reader.flows.find(({ src }) => src === '10.0.0.1');
  t.equal(tcp!.endedAt - tcp!.startedAt, 1950);
});

t.test('datagrams that softflowd sent, version 5', async (t) => {
  const reader = createFlowReader();
  reader.read(sent5, 0x6b0907b2 * 1000);
  t.match(bySource(reader.flows), expected.slice(0, 4));
  t.strictSame(reader.counts(), { packets: 1, flows: 4, records: 4 });
});

/** Everything softflowd exports for the capture, decoded as it comes. */
async function exported(
  t: Test,
  version: 5 | 9,
  made: readonly MadePacket[],
  flows: number,
  more: readonly string[] = [],
) {
  const reader = createFlowReader({ capacity: 64 });
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (datagram) => reader.read(datagram, Date.now()));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  await softflowd(pcap(made), { port: socket.address().port, version }, more);
  await until(
    () => reader.flows.length >= flows,
    () => `${flows} flows came: ${reader.flows.length}`,
    15_000,
  );
  t.equal(reader.flows.length, flows);
  return reader;
}

const skip = missing('softflowd');

t.test('softflowd now, version 9', { skip }, async (t) => {
  const fromMs = Date.now() - 60_000;
  const reader = await exported(t, 9, packets(fromMs), 5);
  t.match(bySource(reader.flows), expected);
  for (const { startedAt, endedAt, flags } of reader.flows) {
    t.equal(flags, 0);
    t.ok(Math.abs(startedAt - fromMs) < 10_000 && endedAt >= startedAt, 'the times are those of the packets');
  }
});

t.test('softflowd now, version 5', { skip }, async (t) => {
  const reader = await exported(t, 5, packets(Date.now() - 60_000).slice(0, -1), 4);
  t.match(bySource(reader.flows), expected.slice(0, 4));
});

t.test('softflowd now: the octets of many flows add up to those of the capture', { skip }, async (t) => {
  const fromMs = Date.now() - 60_000;
  for (const version of [5, 9] as const) {
    const made = Array.from({ length: 2000 }, (_, i) => {
      const src = Buffer.from([10, 1, i % 200, 1]);
      return {
        atMs: fromMs + i,
        src,
        dst: server,
        protocol: 17,
        srcPort: 1000 + (i % 200),
        dstPort: 53,
        bytes: 100 + (i % 1300),
      };
    });
    const reader = await exported(t, version, made, 200);
    const sum = (values: readonly { bytes: number }[]) => values.reduce((total, { bytes }) => total + bytes, 0);
    t.equal(sum(reader.flows), sum(made), `version ${version}`);
    t.match(reader.counts(), {
      flows: 200,
      lost_packets: undefined,
      lost_flows: undefined,
      exporter_restart: undefined,
    });
  }
});

t.test('softflowd now: its sampling rate arrives with the flows', { skip }, async (t) => {
  const made = Array.from({ length: 1000 }, (_, i) => ({
    ...packets(Date.now() - 60_000)[0]!,
    atMs: Date.now() - 60_000 + i,
  }));
  const reader = await exported(t, 9, made, 1, ['-s', '10']);
  t.match(reader.flows, [{ samplingRate: 10, packets: 100 }]);
});
