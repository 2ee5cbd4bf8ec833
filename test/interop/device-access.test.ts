// What lets staff into each vendor's device, read by Wireshark with its own dictionaries.
import t from 'tap';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { authenticatorOffset } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { type DeviceAccess, deviceAccesses } from '#policy/nas/device-access.ts';
import { nasProfile, type Vendor, vendors } from '#policy/nas/vendors.ts';
import { missing } from '#test/support/peers.ts';
import { type Sent, seenByTshark } from '#test/support/tshark.ts';

const secretText = 'testing123';
const secret = createSecret(Buffer.from(secretText));

type Read = Readonly<Record<DeviceAccess, readonly string[]>>;
/** Names that Wireshark has from other vendors for NAS-Prompt and Administrative. */
const prompt = 'Service-Type=Exec-User(7)';
const administrative = 'Service-Type=Shell-User(6)';
const plain: Read = { read: [prompt], write: [administrative], full: [administrative] };
const role = (type: number, value: number) => `attribute ${type} of Cambium is ${value}`;

/** What Wireshark must read, and nothing else. */
const expected: Readonly<Record<Exclude<Vendor, 'cambium'>, Read>> = {
  generic: plain,
  coova: plain,
  'accel-ppp': plain,
  mikrotik: { read: ['Mikrotik-Group=read'], write: ['Mikrotik-Group=write'], full: ['Mikrotik-Group=full'] },
  cisco: {
    read: [prompt, 'Cisco-AVPair=shell:priv-lvl=1'],
    write: [prompt, 'Cisco-AVPair=shell:priv-lvl=7'],
    full: [prompt, 'Cisco-AVPair=shell:priv-lvl=15'],
  },
  juniper: {
    read: ['Juniper-Local-User-Name=lastmile-read'],
    write: ['Juniper-Local-User-Name=lastmile-write'],
    full: ['Juniper-Local-User-Name=lastmile-full'],
  },
  huawei: {
    read: [administrative, 'Huawei-Exec-Privilege=1'],
    write: [administrative, 'Huawei-Exec-Privilege=2'],
    full: [administrative, 'Huawei-Exec-Privilege=15'],
  },
  nokia: {
    read: ['Timetra-Access=console(2)', 'Timetra-Profile=lastmile-read', 'Timetra-Default-Action=none(3)'],
    write: ['Timetra-Access=console(2)', 'Timetra-Profile=lastmile-write', 'Timetra-Default-Action=none(3)'],
    full: ['Timetra-Access=both(3)', 'Timetra-Profile=administrative', 'Timetra-Default-Action=none(3)'],
  },
  zte: {
    read: [prompt, 'ZTE-SW-Privilege=1'],
    write: [administrative, 'ZTE-SW-Privilege=10'],
    full: [administrative, 'ZTE-SW-Privilege=15'],
  },
  edgeos: {
    read: [prompt, 'Cisco-AVPair=shell:priv-lvl=1'],
    write: [administrative, 'Cisco-AVPair=shell:priv-lvl=7'],
    full: [administrative, 'Cisco-AVPair=shell:priv-lvl=15'],
  },
};

function packetsOf(vendor: Vendor, access: DeviceAccess): Sent[] {
  const request = createPacketBuilder();
  request.begin(code.accessRequest, 7);
  request.add(attribute.userName, 'anna');
  request.messageAuthenticator();
  if (!request.finishAccessRequest(Buffer.alloc(16, 5), secret)) throw new Error('too long');
  const asked = Buffer.from(request.data.subarray(0, request.length()));
  const reply = createPacketBuilder();
  reply.begin(code.accessAccept, 7);
  reply.messageAuthenticator();
  for (const { vendor: id, type, value } of nasProfile(vendor).deviceAccess(access)) {
    if (id === 0) reply.add(type, value);
    else reply.addVendor(id, type, value);
  }
  if (!reply.finishReply(asked, authenticatorOffset, secret)) throw new Error('too long');
  return [
    { data: asked, fromPort: 40_000, toPort: 1812 },
    { data: Buffer.from(reply.data.subarray(0, reply.length())), fromPort: 1812, toPort: 40_000 },
  ];
}

t.test('Wireshark reads the rights that staff get on each vendor’s device', { skip: missing('tshark') }, async (t) => {
  const cases = vendors.flatMap((vendor) => deviceAccesses.map((access) => ({ vendor, access })));
  const seen = seenByTshark(
    cases.flatMap(({ vendor, access }) => packetsOf(vendor, access)),
    secretText,
  );
  for (const [index, { vendor, access }] of cases.entries()) {
    const accept = seen[2 * index + 1];
    if (!accept) throw new Error('no packet');
    t.match(accept.text, 'Valid Authenticator: True', `${vendor} ${access}`);
    t.notMatch(accept.text, /malformed/i, `${vendor} ${access}`);
    if (vendor === 'cambium') {
      // Wireshark 4.0 has no dictionary of Cambium: numbers and octets are all it can tell.
      for (const [type, value] of [
        [1, access === 'read' ? 1 : 2],
        [50, { read: 5, write: 2, full: 3 }[access]],
      ] as const)
        t.match(accept.text, new RegExp(`VSA: t=\\S+\\(${type}\\) l=6 val=0000000${value}`), role(type, value));
      continue;
    }
    const read = accept.attributes.filter((one) => !/^(Message-Authenticator|Vendor-Specific)=/.test(one));
    t.same(read, expected[vendor][access], `${vendor} ${access}`);
  }
});
