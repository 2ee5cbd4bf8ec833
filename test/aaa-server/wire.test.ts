// The RADIUS codec against the vectors of the RFCs, the `radius` package as an independent oracle, and mutated packets.
import { existsSync, readFileSync } from 'node:fs';
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
  nextAttribute,
  octetsAt,
  textAt,
  textOf,
  vendor,
} from '#aaa-server/wire/attributes.ts';
import { verifyRequest, verifyResponse } from '#aaa-server/wire/authenticators.ts';
import { chapResponse, verifyChap } from '#aaa-server/wire/chap.ts';
import { readDictionary } from '#aaa-server/wire/dictionary.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket, malformedReasons, type Packet } from '#aaa-server/wire/packet.ts';
import { encodeTyped, typedAttributes } from '#aaa-server/wire/typed.ts';
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

t.test('our dictionaries read, and what they say is what the packets hold', async (t) => {
  const dictionary = loadDictionary();
  for (const [name, type] of [
    ['User-Name', 1],
    ['Message-Authenticator', 80],
    ['Delegated-IPv6-Prefix', 123],
    ['Error-Cause', 101],
  ] as const) {
    t.equal(dictionary.attribute(name)?.type, type, name);
  }
  for (const [name, number] of Object.entries(attribute)) {
    const spoken = dictionary.attributeOf(0, number)?.name ?? '';
    if (number === attribute.chargeableUserIdentity) continue;
    t.equal(spoken.replaceAll('-', '').toLowerCase(), name.toLowerCase(), name);
  }
  const chap = typedAttributes(decoded(vectors.chap), dictionary).map(({ name, value }) => `${name} = ${value}`);
  t.strictSame(
    chap.filter((line) => !line.startsWith('CHAP')),
    [
      'User-Name = flopsy',
      'NAS-IP-Address = 192.168.1.16',
      'NAS-Port = 20',
      'Service-Type = Framed-User',
      'Framed-Protocol = PPP',
    ],
  );
  t.match(typedAttributes(decoded(vectors.pap), dictionary), [{}, { name: 'User-Password', value: '***' }]);
});

t.test('typed values go to octets and back', async (t) => {
  const dictionary = loadDictionary();
  const builder = createPacketBuilder();
  const cases = [
    ['Framed-IP-Address', '10.0.0.7'],
    ['Service-Type', 'Framed-User'],
    ['Service-Type', '200'],
    ['Mikrotik-Rate-Limit', '5M/20M'],
    ['WISPr-Bandwidth-Max-Up', '4294967295'],
    ['Event-Timestamp', '2026-11-21T08:00:00Z'],
    ['NAS-IPv6-Address', '2001:db8::1'],
    ['Framed-IPv6-Prefix', '2001:db8:1::/48'],
    ['Delegated-IPv6-Prefix', '::/0'],
    ['Framed-Interface-Id', '1:2:3:4'],
    ['State', '0x00ff'],
    ['Error-Cause', 'Session-Context-Not-Found'],
  ] as const;
  for (const [name, value] of cases) {
    const encoded = encodeTyped(dictionary, name, value);
    if (!encoded.ok) throw new Error(encoded.reason);
    builder.begin(code.accessAccept, 1);
    if (encoded.vendor === 0) builder.add(encoded.type, encoded.value);
    else builder.addVendor(encoded.vendor, encoded.type, encoded.value);
    builder.finishReply(Buffer.alloc(20), 4, secret);
    const [typed] = typedAttributes(decoded(builder.data.subarray(0, builder.length())), dictionary);
    t.match(typed, { name, value });
  }
  for (const [name, value] of [
    ['Framed-IP-Address', '10.0.0.256'],
    ['Service-Type', 'Framed'],
    ['Service-Type', '4294967296'],
    ['NAS-IPv6-Address', '1:2:3:4:5:6:7:8:9'],
    ['NAS-IPv6-Address', '1::2::3'],
    ['Framed-IPv6-Prefix', '2001:db8::/129'],
    ['State', 'ff'],
    ['No-Such-Attribute', '1'],
    ['User-Password', 'clear'],
  ] as const) {
    t.notOk(encodeTyped(dictionary, name, value).ok, `${name} = ${value}`);
  }
  // RFC 4818: trailing octets of a prefix may be left out, host bits are zero when read.
  const short = Buffer.from('0200001a00000000000000000000000000000000', 'hex');
  const prefix = Buffer.concat([short, Buffer.from('7b06003020010db8', 'hex').subarray(0, 6)]);
  t.match(typedAttributes(decoded(prefix), dictionary), [{ name: 'Delegated-IPv6-Prefix', value: '2001::/48' }]);
  const wrongSize = Buffer.from(`02000018${'00'.repeat(16)}0404abcd`, 'hex');
  t.match(typedAttributes(decoded(wrongSize), dictionary), [{ name: 'NAS-IP-Address', value: '0xabcd' }]);
});

const freeradiusDictionaries = '/usr/share/freeradius';
const noneOfTheirs = !existsSync(freeradiusDictionaries) && 'no FreeRADIUS dictionaries on this machine';

t.test('the dictionaries agree with those of FreeRADIUS', { skip: noneOfTheirs }, async (t) => {
  const dictionary = loadDictionary();
  const files = ['rfc2865', 'rfc2866', 'rfc2869', 'rfc3162', 'rfc4818', 'mikrotik', 'wispr'];
  const result = readDictionary('all', (file) =>
    file === 'all'
      ? files.map((name) => `$INCLUDE ${name}`).join('\n')
      : readFileSync(`${freeradiusDictionaries}/dictionary.${file}`, 'latin1'),
  );
  if (!result.ok) throw new Error(result.problems.join('\n'));
  for (const ours of dictionary.attributes()) {
    const other = result.dictionary.attribute(ours.name);
    if (!other) continue;
    t.strictSame([ours.vendor, ours.type, ours.kind], [other.vendor, other.type, other.kind], ours.name);
  }
  t.ok(dictionary.attributes().length >= 115);
});

t.test('every problem of a dictionary is told with file and line', async (t) => {
  const problemsOf = (files: Record<string, string>) => {
    const result = readDictionary('main', (file) => files[file]);
    return result.ok ? [] : result.problems;
  };
  t.strictSame(
    problemsOf({ main: 'ATTRIBUTE A 1 string # fine\nVALUE A one 1\n\nattribute b 2 OCTETS[4] encrypt=1,has_tag\n' }),
    [],
  );
  t.strictSame(problemsOf({ main: 'VALUE A one 1\nATTRIBUTE A 1 integer' }), [], 'a VALUE may come first');
  t.strictSame(
    problemsOf({
      main: 'ATTRIBUTE A 241 tlv\nATTRIBUTE A-1 241.1 integer\nBEGIN-TLV A\nATTRIBUTE X 999 integer\nEND-TLV A',
    }),
    [],
  );
  t.strictSame(
    problemsOf({ main: '$INCLUDE- absent\n$INCLUDE other', other: 'VENDOR V 9\nATTRIBUTE A 1 string V' }),
    [],
  );
  const problems = problemsOf({
    main: [
      'ATTRIBUTE A 256 string',
      'ATTRIBUTE B 2 strnig',
      'ATTRIBUTE C 3 string',
      'ATTRIBUTE C 4 string',
      'VALUE D one 1',
      'VALUE C',
      'BEGIN-VENDOR Nobody',
      'VENDOR V 0',
      'VENDOR W 7 format=2,1',
      'END-TLV A',
      '$INCLUDE ../../etc/passwd',
      '$INCLUDE absent',
      '$INCLUDE main',
      'COLOUR red',
      'VENDOR X 5',
      'BEGIN-VENDOR X',
    ].join('\n'),
  });
  for (const line of [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]) {
    t.ok(
      problems.some((problem) => problem.startsWith(`main:${line}: `)),
      `line ${line}`,
    );
  }
  t.match(problems.join('\n'), /END-VENDOR X is missing/);
});
