// Octets of a session as its access server means them.
import t from 'tap';
import { octetsOfSession } from '#aaa-server/accounting/octets-of.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';
import { configuredNas, type NasSettings } from '#policy/nas/configured.ts';

type Attribute = readonly [vendor: number, type: number, value: number | Buffer];

function read(settings: NasSettings, attributes: readonly Attribute[]) {
  const builder = createPacketBuilder();
  builder.begin(code.accountingRequest, 1);
  for (const [vendor, type, value] of attributes) {
    if (vendor === 0) builder.add(type, value);
    else builder.addVendor(vendor, type, value);
  }
  builder.finishRequest(createSecret(Buffer.from('s')));
  const packet = decodePacket(Buffer.from(builder.data.subarray(0, builder.length())));
  if (!packet.ok) throw new Error(packet.reason);
  return octetsOfSession(packet, configuredNas(settings));
}

const four: Attribute[] = [
  [0, 42, 1000],
  [0, 43, 2000],
];
const missing = { upOctets: null, upGigawords: null, downOctets: null, downGigawords: null };

t.test('input is upload, unless the access server swaps the two', async (t) => {
  t.match(read({ vendor: 'mikrotik' }, four), { upOctets: 1000, downOctets: 2000, upGigawords: null });
  t.match(read({ vendor: 'mikrotik', swapOctets: true }, four), { upOctets: 2000, downOctets: 1000 });
  t.strictSame(read({ vendor: 'mikrotik' }, []), missing);
});

t.test('Huawei counts IPv6 apart: both are added; a NAS that counts it in says so', async (t) => {
  const both: Attribute[] = [...four, [0, 52, 1], [2011, 144, 30], [2011, 145, 40], [2011, 149, 2]];
  t.match(read({ vendor: 'huawei' }, both), {
    upOctets: 1030,
    upGigawords: 1,
    downOctets: 2040,
    downGigawords: 2,
  });
  t.match(read({ vendor: 'huawei', ipv6Rule: 'subset' }, both), { upOctets: 1000, upGigawords: 1, downOctets: 2000 });
});

t.test('Juniper counts IPv6 in already; a NAS that does not says so', async (t) => {
  const both: Attribute[] = [...four, [4874, 151, 30], [4874, 152, 40]];
  t.match(read({ vendor: 'juniper' }, both), { upOctets: 1000, downOctets: 2000 });
  t.match(read({ vendor: 'juniper', ipv6Rule: 'sum' }, both), { upOctets: 1030, downOctets: 2040 });
});

t.test('a NAS that counts kilobytes is counted in bytes', async (t) => {
  t.match(read({ vendor: 'huawei', octetUnit: 1024 }, four), {
    upOctets: 1_024_000,
    upGigawords: 0,
    downOctets: 2_048_000,
  });
});

t.test('Nokia counts each queue: without the standard counters those of a direction are added', async (t) => {
  const queue = (id: number, octets: bigint) => {
    const value = Buffer.alloc(10);
    value.writeUInt16BE(id, 0);
    value.writeBigUInt64BE(octets, 2);
    return value;
  };
  const queues: Attribute[] = [
    [6527, 19, queue(1, 100n)],
    [6527, 19, queue(2, 1n << 32n)],
    [6527, 20, queue(1, 11n)],
    [6527, 21, queue(1, 5n)],
    [6527, 23, queue(1, 999n)],
    [6527, 21, Buffer.alloc(4)],
  ];
  t.strictSame(read({ vendor: 'nokia' }, queues), {
    upOctets: 111,
    upGigawords: 1,
    downOctets: 5,
    downGigawords: 0,
  });
  t.match(read({ vendor: 'nokia' }, [...four, ...queues]), { upOctets: 1000, downOctets: 2000 });
  t.strictSame(read({ vendor: 'mikrotik' }, queues), missing, 'what another vendor means by them is not known');
  t.strictSame(read({ vendor: 'nokia' }, [[6527, 19, queue(1, 1n << 60n)]]), missing, 'no session has that many');
});
