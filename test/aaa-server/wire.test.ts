// The RADIUS codec against the vectors of the RFCs, the `radius` package as an independent oracle, and mutated packets.
import { createRequire } from 'node:module';
import fc from 'fast-check';
import t from 'tap';
import { loadDictionary } from '#aaa-server/dictionaries/load.ts';
import {
  addressOf,
  attribute,
  eachAttribute,
  eachVendorAttribute,
  firstAttribute,
  firstVendorAttribute,
  integerOf,
  joinedOctets,
  nextAttribute,
  octetsAt,
  textAt,
  textOf,
  vendor,
} from '#aaa-server/wire/attributes.ts';
import { verifyRequest, verifyResponse } from '#aaa-server/wire/authenticators.ts';
import { chapResponse, verifyChap } from '#aaa-server/wire/chap.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket, malformedReasons, type Packet } from '#aaa-server/wire/packet.ts';
import { createSalts, hideSalted, maxSaltedLength, revealSalted } from '#aaa-server/wire/salted.ts';
import { typedAttributes } from '#aaa-server/wire/typed.ts';
import { hidePassword, revealPassword } from '#aaa-server/wire/user-password.ts';
import { runs } from '#test/support/effort.ts';
import { mulberry32, mutate } from './support/mutate.ts';

const secret = createSecret(Buffer.from('xyzzy5461'));
const wrong = createSecret(Buffer.from('xyzzy5462'));
const arctangent = Buffer.from('arctangent');

const vectors = {
  pap: '010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d93d413ce3196e43f782a0aee0406c0a80110050600000003',
  papAccept: '0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103',
  chap: '010100472aee86f08d0d55969ca5978e0d3367a20108666c6f707379031316e97557c316185895f293ff63440772750406c0a80110050600000014060600000002070600000001',
  chapAccept:
    '0201003815efbc7dab26cfa3dc34d9c03c8601a40606000000020706000000010806fffffffe0a06000000020d06000000010c06000005dc',
  challenge:
    '01020039f3a47a1f6a6d76710b947ab93041a03901076d6f707379021233657573778289b570885e15084825c50406c0a80110050600000007',
  statusAuth: '0cda00268a54f4686fb394c52866e302185d062350125a665e2e1e8411f3e243822097c84fa3',
  statusAuthReply: '02da0014ef0d552a4bf2d693ec2b6fe8b5411d66',
  statusAcct: '0cb30026925f6b66dd5fed571fcb1db7ad3882605012e8d6eabda910875cd91fdade26367858',
  statusAcctReply: '05b300140f6f92145f107e2f504e860a4860669c',
  statusUptime: '0c47002cbf58de56ae408ad3b70c8513f9b03fbe0406c00002105012852d6fec61e7ed74b8e32dac2f2a5fb2',
  statusUptimeReply:
    '0247003446f43e62fd0354424cbbebfd6d214e06122052414449555320536572766572207570203220646179732c2031383a3430',
} as const;

function decoded(data: Buffer | string): Packet {
  const result = decodePacket(typeof data === 'string' ? Buffer.from(data, 'hex') : data);
  if (!result.ok) throw new Error(result.reason);
  return result;
}

function answers(reply: string, request: string): boolean {
  return verifyResponse(decoded(reply), decoded(request).data, 4, secret);
}

t.test('the packets of RFC 2865 §7 decode to what the RFC says', async (t) => {
  const pap = decoded(vectors.pap);
  t.equal(pap.code, code.accessRequest);
  t.equal(pap.identifier, 0);
  t.equal(textOf(pap, attribute.userName), 'nemo');
  t.equal(addressOf(pap, attribute.nasIpAddress), '192.168.1.16');
  t.equal(integerOf(pap, attribute.nasPort), 3);
  const hidden = octetsAt(pap, firstAttribute(pap, attribute.userPassword));
  t.equal(String(revealPassword(hidden, secret, pap.data, 4)), 'arctangent');
  t.strictSame(hidePassword(arctangent, secret, pap.data, 4), hidden);
  t.ok(answers(vectors.papAccept, vectors.pap));

  const chap = decoded(vectors.chap);
  const chapPassword = octetsAt(chap, firstAttribute(chap, attribute.chapPassword));
  t.ok(verifyChap(chapPassword, arctangent, chap.data.subarray(4, 20)));
  t.notOk(verifyChap(chapPassword, Buffer.from('arctangenT'), chap.data.subarray(4, 20)));
  t.strictSame(chapResponse(0x16, arctangent, chap.data.subarray(4, 20)), chapPassword.subarray(1));
  t.ok(answers(vectors.chapAccept, vectors.chap));
  t.equal(integerOf(decoded(vectors.chapAccept), 10), 2, 'Framed-Routing is 2 on the wire, whatever the text says');

  const challenge = decoded(vectors.challenge);
  const asked = octetsAt(challenge, firstAttribute(challenge, attribute.userPassword));
  t.equal(String(revealPassword(asked, secret, challenge.data, 4)), 'challenge');
});

t.test('the packets of RFC 5997 §6 verify, and only with their secret', async (t) => {
  for (const [request, reply] of [
    [vectors.statusAuth, vectors.statusAuthReply],
    [vectors.statusAcct, vectors.statusAcctReply],
    [vectors.statusUptime, vectors.statusUptimeReply],
  ] as const) {
    t.ok(verifyMessageAuthenticator(decoded(request), secret));
    t.notOk(verifyMessageAuthenticator(decoded(request), wrong));
    t.ok(answers(reply, request));
    t.notOk(verifyResponse(decoded(reply), decoded(request).data, 4, wrong));
  }
  t.equal(textOf(decoded(vectors.statusUptimeReply), attribute.replyMessage), 'RADIUS Server up 2 days, 18:40');
});

type Oracle = {
  encode(packet: object): Buffer;
  decode(packet: object): { code: string; identifier: number; attributes: Record<string, unknown> };
  encode_response(reply: object): Buffer;
  verify_response(reply: object): boolean;
  add_dictionary(file: string): void;
};
const oracle = createRequire(import.meta.url)('radius') as Oracle;

/** Text without NUL, since both sides take those off a password's end; at most `octets` long in UTF-8. */
const text = (octets: number) =>
  fc
    .string({ minLength: 1, maxLength: octets })
    .filter((value) => Buffer.byteLength(value) <= octets && !value.includes('\0'));
const secretText = fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme-ascii' });

t.test('what the radius package encodes is read the same', async (t) => {
  fc.assert(
    fc.property(
      fc.record({
        user: text(60),
        password: text(100),
        secret: secretText,
        port: fc.nat(),
        identifier: fc.nat(255),
        vendorText: text(40),
      }),
      ({ user, password, secret: shared, port, identifier, vendorText }) => {
        const data = oracle.encode({
          code: 'Access-Request',
          identifier,
          secret: shared,
          add_message_authenticator: true,
          attributes: [
            ['User-Name', user],
            ['User-Password', password],
            ['NAS-Port', port],
            ['Vendor-Specific', 14988, [[8, Buffer.from(vendorText)]]],
          ],
        });
        const packet = decoded(data);
        const key = createSecret(Buffer.from(shared));
        const hidden = octetsAt(packet, firstAttribute(packet, attribute.userPassword));
        return (
          packet.identifier === identifier &&
          verifyMessageAuthenticator(packet, key) &&
          textOf(packet, attribute.userName) === user &&
          integerOf(packet, attribute.nasPort) === port &&
          String(revealPassword(hidden, key, packet.data, 4)) === password &&
          textAt(packet, firstVendorAttribute(packet, vendor.mikrotik, 8)) === vendorText
        );
      },
    ),
    { numRuns: runs(300) },
  );
  t.pass('300 packets');
});

t.test('what we encode the radius package reads the same, and it verifies our replies', async (t) => {
  const builder = createPacketBuilder();
  fc.assert(
    fc.property(
      fc.record({
        user: text(60),
        password: text(100),
        secret: secretText,
        authenticator: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      }),
      ({ user, password, secret: shared, authenticator }) => {
        const key = createSecret(Buffer.from(shared));
        const random = Buffer.from(authenticator);
        builder.begin(code.accessRequest, 3);
        builder.add(attribute.userName, user);
        builder.add(attribute.userPassword, hidePassword(Buffer.from(password), key, random));
        builder.messageAuthenticator();
        builder.finishAccessRequest(random, key);
        const request = Buffer.from(builder.data.subarray(0, builder.length()));
        const seen = oracle.decode({ packet: request, secret: shared });
        builder.begin(code.accessAccept, 3);
        builder.messageAuthenticator();
        builder.add(attribute.replyMessage, user);
        builder.finishReply(request, 4, key);
        const response = builder.data.subarray(0, builder.length());
        return (
          seen.code === 'Access-Request' &&
          seen.attributes['User-Name'] === user &&
          seen.attributes['User-Password'] === password &&
          verifyMessageAuthenticator(decoded(response), key, request, 4) &&
          oracle.verify_response({ request, response, secret: shared })
        );
      },
    ),
    { numRuns: runs(300) },
  );
  t.pass('300 packets');
});

t.test('an Accounting-Request is proven by its secret, with and without Message-Authenticator', async (t) => {
  const builder = createPacketBuilder();
  for (const withMessageAuthenticator of [false, true]) {
    builder.begin(code.accountingRequest, 9);
    builder.add(attribute.acctStatusType, 1);
    if (withMessageAuthenticator) builder.messageAuthenticator();
    t.ok(builder.finishRequest(secret));
    const packet = decoded(Buffer.from(builder.data.subarray(0, builder.length())));
    t.ok(verifyRequest(packet, secret));
    t.notOk(verifyRequest(packet, wrong));
    t.equal(verifyMessageAuthenticator(packet, secret), withMessageAuthenticator);
    const theirs = oracle.encode({
      code: 'Accounting-Request',
      identifier: 1,
      secret: 'xyzzy5461',
      attributes: [['Acct-Status-Type', 'Start']],
    });
    t.ok(verifyRequest(decoded(theirs), secret));
  }
});

t.test('a secret longer than a hash block and passwords of every length keep their meaning', async (t) => {
  const authenticator = Buffer.alloc(16, 7);
  for (const length of [1, 63, 64, 65, 200]) {
    const key = createSecret(Buffer.alloc(length, 0x61));
    const packet = decoded(
      oracle.encode({
        code: 'Access-Request',
        identifier: 1,
        secret: 'a'.repeat(length),
        add_message_authenticator: true,
        attributes: [['User-Name', 'alice']],
      }),
    );
    t.ok(verifyMessageAuthenticator(packet, key), `a secret of ${length} octets`);
  }
  for (const length of [0, 1, 15, 16, 17, 127, 128]) {
    const password = Buffer.alloc(length, 0x62);
    const hidden = hidePassword(password, secret, authenticator);
    t.equal(hidden.length, Math.max(16, Math.ceil(length / 16) * 16));
    t.strictSame(revealPassword(hidden, secret, authenticator), password);
  }
  t.equal(revealPassword(Buffer.alloc(15), secret, authenticator), undefined);
  t.equal(revealPassword(Buffer.alloc(144), secret, authenticator), undefined);
  t.throws(() => hidePassword(Buffer.alloc(129), secret, authenticator));
  t.throws(() => createSecret(Buffer.alloc(0)));
});

const freeradiusKey = createSecret(Buffer.from('testing123'));

/** Captures of tcpdump (RADIUS-RFC4675.pcap, RADIUS-RFC5176.pcap) and Wireshark (radius_localhost.pcapng), all with the secret testing123. */
const captures = {
  tagged:
    '01460050f44757bc498c3393763a27d0b2393702010c626f622d7461676765640212a30e22b0369e89f89eb6e0612c2c3c2304067f0000010506000000015012ffb19e8ea9620aec372d7fa3b2c76287',
  taggedAccept:
    '02460035766a0314eaf4b95f1ec271ae19cb3bdc38063100007b3906000000013a0b31766c616e6e616d653b0a6162636461626364',
  untagged:
    '01b5005211851d8b1b483f54a864b703ea21f4dc010e626f622d756e7461676765640212f969a007453d0f91bb586e8ed679bf4604067f0000010506000000015012af8f6f9bd87d66d1c364ad3bfe9e525b',
  untaggedAccept: '02b5002be223a663823b20ccc18bcf90c3ecbe2738063200007b3906000000023a0b32766c616e6e616d65',
  steve:
    '0167005740b664dbf5d681b2adbd1769515118c8010773746576650212dbc6c4b758be14f005b3877c9e2fb6010406c0a8001c05060000007b50125f0f8647e8c89bd881364268fcd045324f0c0266000a017374657665',
  steveChallenge:
    '0b67008383ece707a2f31bb65badfb22a64023d90606000000020706000000010806ac1003210906ffffff000a06000000030b097374642e7070700c06000005dc0d06000000014f18016700160410ff0bf1d6e401a9cbe5b46eb943e5549a50126e794a020c45c66f4247ba8c5ff04ed11812736f868573088277414ae3f31eac34e9',
  steveMd5:
    '01680075b3e22ff855a690280e6c3444c46e663b010773746576650212fb92fb798ed9d630275018e45c6c8ba20406c0a8001c05060000007b50128f34afd11960af922582abea64ffc2f31812736f868573088277414ae3f31eac34e94f18026700160410c76e1d28726fd1c0cb671a5424168d26',
  steveReject: '0368002c71624da25c0b5897f70539e019a81eae4f06046700045012ce70fe87a997b44de583cd19bea29321',
  disconnect: '28010026e1792d2b4ab349f1a4c0fcc733d091c1501258513d662847e5f8734a30dbdac8e4af',
} as const;

t.test('captures of tcpdump and Wireshark verify with their secret, and only with it', async (t) => {
  const capture = (name: keyof typeof captures) => decoded(captures[name]);
  for (const [request, reply] of [
    ['tagged', 'taggedAccept'],
    ['untagged', 'untaggedAccept'],
    ['steve', 'steveChallenge'],
    ['steveMd5', 'steveReject'],
  ] as const) {
    const asked = capture(request);
    const answered = capture(reply);
    t.ok(verifyMessageAuthenticator(asked, freeradiusKey), request);
    t.notOk(verifyMessageAuthenticator(asked, wrong));
    t.ok(verifyResponse(answered, asked.data, 4, freeradiusKey), reply);
    t.equal(asked.hasEap, request.startsWith('steve'));
    if (answered.messageAuthenticatorAt < 0) continue;
    t.ok(verifyMessageAuthenticator(answered, freeradiusKey, asked.data, 4), reply);
    t.notOk(verifyMessageAuthenticator(answered, wrong, asked.data, 4));
  }
  t.ok(verifyRequest(capture('disconnect'), freeradiusKey));
  t.ok(verifyMessageAuthenticator(capture('disconnect'), freeradiusKey));
});

t.test(
  'a salted value (RFC 2868 §3.5, RFC 2548 §2.4.2) comes back, and another salt, secret or request hides it differently',
  async (t) => {
    const authenticator = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
    const salts = createSalts(() => 0.5);
    const seen = new Set<number>();
    for (let i = 0; i < 0x8000; i++) seen.add(salts());
    t.equal(seen.size, 0x8000, 'no salt repeats before all were used');
    for (const length of [0, 1, 14, 15, 16, 31, 32, maxSaltedLength]) {
      const value = Buffer.alloc(length, 0x61);
      const hidden = hideSalted(value, secret, authenticator, 0, salts());
      t.ok((hidden[0] ?? 0) >= 0x80, 'the highest bit is set');
      t.equal(hidden.length, 2 + 16 * Math.ceil((length + 1) / 16), `${length} octets`);
      t.strictSame(revealSalted(hidden, secret, authenticator), value);
      t.notSame(revealSalted(hidden, wrong, authenticator), value);
      t.notSame(hideSalted(value, secret, authenticator, 0, salts()).subarray(2), hidden.subarray(2));
    }
    t.equal(revealSalted(Buffer.alloc(17), secret, authenticator), undefined);
    t.equal(revealSalted(Buffer.alloc(2), secret, authenticator), undefined);
    t.throws(() => hideSalted(Buffer.alloc(maxSaltedLength + 1), secret, authenticator, 0, 1));
    const theirs = Buffer.from('997305 1de6c557307dacd5daa599f4e26e7e'.replaceAll(' ', ''), 'hex');
    t.equal(String(revealSalted(theirs, freeradiusKey, authenticator)), 'foo', 'as FreeRADIUS hides it');
  },
);

t.test('attributes without a value are as good as absent, except where that says something', async (t) => {
  const attributes = ['0102', '0105616c69', '0202', '5902', '4f02'].join('');
  const packet = decoded(`010000${(20 + attributes.length / 2).toString(16)}${'00'.repeat(16)}${attributes}`);
  t.equal(textOf(packet, attribute.userName), 'ali', 'the first that has a value');
  t.equal(firstAttribute(packet, attribute.userPassword), -1);
  t.not(firstAttribute(packet, attribute.chargeableUserIdentity), -1, 'RFC 4372 asks so for an identity');
  t.not(firstAttribute(packet, attribute.eapMessage), -1, 'RFC 3579 §2.1 begins so');
});

t.test('values in several attributes are one, in their order', async (t) => {
  const builder = createPacketBuilder();
  const whole = Buffer.from(Array.from({ length: 600 }, (_, i) => i & 255));
  builder.begin(code.accessRequest, 1);
  builder.add(attribute.eapMessage, whole.subarray(0, 253));
  builder.add(attribute.userName, 'alice');
  builder.add(attribute.eapMessage, whole.subarray(253, 506));
  builder.add(attribute.eapMessage, whole.subarray(506));
  builder.finishAccessRequest(Buffer.alloc(16), secret);
  const packet = decoded(builder.data.subarray(0, builder.length()));
  t.strictSame(joinedOctets(packet, attribute.eapMessage), whole);
  t.strictSame(joinedOctets(packet, attribute.userName), Buffer.from('alice'));
  t.equal(joinedOctets(packet, attribute.chapChallenge), undefined);
});

t.test('lengths: what RFC 2865 §3 and §5 forbid is dropped with its reason, padding is not', async (t) => {
  const header = (length: number, rest = '') =>
    Buffer.from(`0100${length.toString(16).padStart(4, '0')}${'00'.repeat(16)}${rest}`, 'hex');
  const reason = (data: Buffer) => {
    const result = decodePacket(data);
    return result.ok ? 'ok' : result.reason;
  };
  t.equal(reason(Buffer.alloc(0)), 'too_short');
  t.equal(reason(Buffer.alloc(19)), 'too_short');
  t.equal(reason(header(19)), 'bad_length');
  t.equal(reason(header(4097, '00'.repeat(5000))), 'too_long');
  t.equal(reason(header(21)), 'truncated');
  t.equal(reason(header(20)), 'ok');
  t.equal(reason(header(20, 'ff'.repeat(5000))), 'ok', 'octets behind Length are padding');
  t.equal(reason(header(21, '01')), 'attribute_overflow');
  t.equal(reason(header(22, '0002')), 'attribute_type_zero');
  t.equal(reason(header(22, '0100')), 'attribute_length');
  t.equal(reason(header(22, '0101')), 'attribute_length');
  t.equal(reason(header(22, '0103')), 'attribute_overflow');
  t.equal(reason(header(22, '0102')), 'ok', 'an empty value is allowed');
  t.equal(reason(header(20 + 400, '0102'.repeat(200))), 'ok');
  t.equal(reason(header(20 + 402, '0102'.repeat(201))), 'too_many_attributes');
  t.equal(reason(header(24, '50040000')), 'message_authenticator_length');
  t.equal(reason(header(56, `5012${'00'.repeat(16)}`.repeat(2))), 'message_authenticator_twice');
  t.equal(reason(Buffer.from('02030045f3a47a1f', 'hex')), 'too_short');
});

t.test('a packet that lies anywhere in a larger buffer is read the same', async (t) => {
  const request = Buffer.from(vectors.statusUptime, 'hex');
  const larger = Buffer.concat([Buffer.alloc(37, 0xee), request, Buffer.alloc(11, 0xee)]);
  const packet = decodePacket(larger, 37, request.length);
  if (!packet.ok) throw new Error(packet.reason);
  t.ok(verifyMessageAuthenticator(packet, secret));
  t.equal(addressOf(packet, attribute.nasIpAddress), '192.0.2.16');
});

t.test('vendor attributes are found one by one or several in one, other formats are passed over', async (t) => {
  const builder = createPacketBuilder();
  builder.begin(code.accessAccept, 1);
  builder.add(attribute.vendorSpecific, Buffer.from('0000000900ff00ff', 'hex'));
  builder.add(attribute.vendorSpecific, Buffer.from('00003a8c', 'hex'));
  builder.add(
    attribute.vendorSpecific,
    Buffer.concat([Buffer.from('00003a8c0104aabb', 'hex'), Buffer.from('0804cccc', 'hex')]),
  );
  builder.addVendor(vendor.mikrotik, 8, '5M/20M');
  builder.finishReply(Buffer.alloc(20), 4, secret);
  const packet = decoded(builder.data.subarray(0, builder.length()));
  t.equal(octetsAt(packet, firstVendorAttribute(packet, vendor.mikrotik, 8)).toString('hex'), 'cccc');
  t.equal(firstVendorAttribute(packet, vendor.cisco, 1), -1);
  const found: string[] = [];
  for (let at = firstAttribute(packet, attribute.vendorSpecific); at >= 0; at = nextAttribute(packet, at)) {
    const read = eachVendorAttribute(packet, at, (id, type) => found.push(`${id}.${type}`));
    if (!read) found.push('other format');
  }
  t.strictSame(found, ['other format', 'other format', '14988.1', '14988.8', '14988.8']);
});

t.test('what does not fit a packet is not sent', async (t) => {
  const builder = createPacketBuilder();
  builder.begin(code.accessAccept, 1);
  builder.add(attribute.class, Buffer.alloc(254));
  t.notOk(builder.finishReply(Buffer.alloc(20), 4, secret), 'a value of 254 octets');
  builder.begin(code.accessAccept, 1);
  for (let i = 0; i < 16; i++) builder.add(attribute.class, Buffer.alloc(253));
  t.notOk(builder.finishReply(Buffer.alloc(20), 4, secret), 'more than 4096 octets');
  builder.begin(code.accessAccept, 1);
  builder.add(attribute.class, Buffer.alloc(253));
  t.ok(builder.finishReply(Buffer.alloc(20), 4, secret), 'the next packet starts afresh');
});

/** The vectors, and what else the ports see: accounting, CoA and Disconnect with a vendor attribute. */
function everyKind(): [string, Buffer][] {
  const builder = createPacketBuilder();
  const made = (['accountingRequest', 'coaRequest', 'disconnectRequest', 'coaNak'] as const).map((name) => {
    builder.begin(code[name], 5);
    builder.messageAuthenticator();
    builder.add(attribute.acctSessionId, '81a00001');
    builder.add(attribute.acctInputOctets, 0xffff_ffff);
    builder.addVendor(vendor.mikrotik, 8, '5M/20M');
    builder.finishRequest(secret);
    return [name, Buffer.from(builder.data.subarray(0, builder.length()))] as [string, Buffer];
  });
  return [
    ...Object.entries(vectors).map(([name, hex]) => [name, Buffer.from(hex, 'hex')] as [string, Buffer]),
    ...made,
  ];
}

t.test('ten thousand mutations of every packet never crash, and each drop has a reason', async (t) => {
  const seed = Number(process.env.FUZZ_SEED ?? 20_261_121);
  t.comment(`FUZZ_SEED=${seed}`);
  const random = mulberry32(seed);
  const reasons = new Map<string, number>();
  const dictionary = loadDictionary();
  for (const [name, original] of everyKind()) {
    let mutations = 0;
    for (; mutations < runs(10_000); mutations++) {
      const data = mutate(original, random);
      const packet = decodePacket(data);
      const label = packet.ok ? 'ok' : packet.reason;
      reasons.set(label, (reasons.get(label) ?? 0) + 1);
      if (!packet.ok) {
        if (!malformedReasons.includes(packet.reason)) throw new Error(`no reason: ${packet.reason}`);
        continue;
      }
      verifyMessageAuthenticator(packet, secret);
      verifyRequest(packet, secret);
      eachAttribute(packet, (type, at) => {
        if (at + 2 > packet.end) throw new Error(`attribute ${type} outside`);
        revealPassword(octetsAt(packet, at), secret, packet.data, 4);
        integerOf(packet, type);
        addressOf(packet, type);
      });
      if (mutations % 10 === 0) typedAttributes(packet, dictionary);
      firstVendorAttribute(packet, vendor.mikrotik, 8);
    }
    t.equal(mutations, runs(10_000), name);
  }
  t.ok(reasons.size >= 6, [...reasons].map(([reason, count]) => `${reason} ${count}`).join(', '));
});
