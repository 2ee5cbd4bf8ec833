// Attributes by FreeRADIUS's dictionary, both ways: what its radclient encodes we show the same, what we encode it shows the same.
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import t from 'tap';
import { sourceOf } from '#aaa-server/dictionaries/load.ts';
import { readDictionary } from '#aaa-server/wire/dictionary.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { createSalts } from '#aaa-server/wire/salted.ts';
import { encodeParts, typedAttributes } from '#aaa-server/wire/typed.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';

const file = '/usr/share/freeradius/dictionary';
const skip = missing('radclient') || (!existsSync(file) && 'no FreeRADIUS dictionaries on this machine');
const secret = createSecret(Buffer.from('testing123'));
const long = (octets: number) =>
  `0x${Array.from({ length: octets }, (_, i) => (i & 255).toString(16).padStart(2, '0')).join('')}`;

/** Name, value, and how radclient shows it where that differs from ours. */
const cases: readonly (readonly [string, string, string?])[] = [
  ['Service-Type', 'Framed-User'],
  ['Framed-IP-Address', '10.0.0.7'],
  ['Framed-IPv6-Prefix', '2001:db8:1::/48'],
  ['Delegated-IPv6-Prefix', '2001:db8:2::/56'],
  ['Framed-Interface-Id', '1:2:3:4'],
  ['Class', long(253)],
  ['Tunnel-Type:1', 'PPTP'],
  ['Tunnel-Type', 'L2TP', 'Tunnel-Type:0 = L2TP'],
  ['Tunnel-Private-Group-Id:2', '100'],
  ['Cisco-AVPair', 'ip:addr-pool=main'],
  // RFC 6929: extended, a TLV in an extended one, long-extended of a vendor in two parts (radclient reads no longer lines).
  ['Frag-Status', 'Fragmentation-Supported'],
  ['IP-Port-Ext-IPv4-Addr', '192.0.2.1'],
  ['FreeRADIUS-802.1X-EAPoL-Key-Msg', long(450)],
  ['FreeRADIUS-802.1X-Anonce', long(32)],
  // Vendor formats: a type of two octets, of four without a length, lengths of two, values in parts.
  ['SN-VPN-ID', '7'],
  ['USR-Last-Number-Dialed-Out', '12345'],
  ['WiMAX-Release', '2.1'],
  ['WiMAX-GMT-Timezone-offset', '-3600'],
  ['WiMAX-RRQ-MN-HA-SPI', '99'],
  ['EAP-Message', long(450)],
  ['PKM-SS-Cert', long(450)],
];

function dictionaryOfTheirs() {
  const result = readDictionary(sourceOf(file));
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.dictionary;
}

/** A server that gives each request to `answer` and sends what it returns. */
async function listening(t: { teardown(handler: () => unknown): unknown }, answer: (packet: Packet) => Buffer) {
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (data, { port, address }) => {
    const packet = decodePacket(data);
    if (packet.ok) socket.send(answer(packet), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return `127.0.0.1:${socket.address().port}`;
}

t.test('what radclient encodes is shown the same', { skip }, async (t) => {
  const dictionary = dictionaryOfTheirs();
  const builder = createPacketBuilder();
  let seen: string[] = [];
  const target = await listening(t, (packet) => {
    seen = typedAttributes(packet, dictionary).map(
      ({ name, tag, value }) => `${name}${tag ? `:${tag}` : ''} = ${value}`,
    );
    builder.begin(code.accessAccept, packet.identifier);
    builder.finishReply(packet.data, packet.start + 4, secret);
    return Buffer.from(builder.data.subarray(0, builder.length()));
  });
  for (const [name, value] of cases) {
    const quoted = /^(0x|[\d.:a-f/]+$)/.test(value) || !/[^\w.:/-]/.test(value) ? value : `"${value}"`;
    const reply = await radclient(target, 'auth', [`${name} = ${quoted}`]);
    t.equal(reply.code, 'Access-Accept', name);
    t.ok(seen.includes(`${name} = ${value}`), `${name}: ${seen.join(', ').slice(0, 200)}`);
  }
});

t.test('what we encode radclient shows the same, hidden values revealed', { skip }, async (t) => {
  const dictionary = dictionaryOfTheirs();
  const builder = createPacketBuilder();
  const salt = createSalts(Math.random);
  let wanted: readonly (readonly [string, string])[] = [];
  const target = await listening(t, (packet) => {
    const authenticator = packet.data.subarray(packet.start + 4, packet.start + 20);
    builder.begin(code.accessAccept, packet.identifier);
    builder.messageAuthenticator();
    for (const [name, value] of wanted) {
      const encoded = encodeParts(dictionary, name, value, { secret, authenticator, salt });
      if (!encoded.ok) throw new Error(encoded.reason);
      for (const one of encoded.attributes) {
        if (one.vendor === 0) builder.add(one.type, one.value);
        else builder.addVendor(one.vendor, one.type, one.value);
      }
    }
    if (!builder.finishReply(packet.data, packet.start + 4, secret)) throw new Error('does not fit');
    return Buffer.from(builder.data.subarray(0, builder.length()));
  });
  const hidden = [
    ['Tunnel-Password:1', 'secret words'],
    ['Tunnel-Password:2', 'x'.repeat(200)],
    ['MS-MPPE-Send-Key', long(16)],
    ['MS-MPPE-Recv-Key', long(32)],
  ] as const;
  for (const [name, value, shown] of [...cases, ...hidden] as typeof cases) {
    wanted = [[name, value]];
    const reply = await radclient(target, 'auth', ['User-Name = "alice"']);
    const lines = reply.attributes.map((line) => line.replace(/"/g, ''));
    t.ok(lines.includes(shown ?? `${name} = ${value}`), `${name}: ${lines.join(', ').slice(0, 300)}`);
  }
  wanted = hidden;
  const reply = await radclient(target, 'auth', ['User-Name = "alice"']);
  t.equal(reply.attributes.length, 5, 'several hidden ones in one reply');
  t.equal(reply.value('MS-MPPE-Recv-Key'), long(32));
});
