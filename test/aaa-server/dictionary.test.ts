// What dictionaries say and how values are shown by them: our own, those of FreeRADIUS, and an operator's.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { loadDictionary, sourceOf } from '#aaa-server/dictionaries/load.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { type Dictionary, readDictionary } from '#aaa-server/wire/dictionary.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { revealSalted } from '#aaa-server/wire/salted.ts';
import { encodeParts, encodeTyped, type Hiding, typedAttributes } from '#aaa-server/wire/typed.ts';
import { revealPassword } from '#aaa-server/wire/user-password.ts';
import { runs } from '#test/support/effort.ts';
import { mulberry32, mutate } from './support/mutate.ts';

const secret = createSecret(Buffer.from('xyzzy5461'));
const builder = createPacketBuilder();

function decoded(data: Buffer): Packet {
  const result = decodePacket(data);
  if (!result.ok) throw new Error(result.reason);
  return result;
}

/** A packet of these attributes in hex; spaces may part them. */
function packetOf(hex: string): Packet {
  const attributes = Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
  const header = Buffer.alloc(20);
  header[0] = code.accessAccept;
  header.writeUInt16BE(20 + attributes.length, 2);
  return decoded(Buffer.concat([header, attributes]));
}

const shown = (packet: Packet, dictionary: Dictionary) =>
  typedAttributes(packet, dictionary).map(({ name, tag, value }) => `${name}${tag ? `:${tag}` : ''} = ${value}`);

/** The attributes on the wire of `Name = text`. */
function wire(dictionary: Dictionary, name: string, text: string, hiding?: Hiding): Packet {
  const encoded = encodeParts(dictionary, name, text, hiding);
  if (!encoded.ok) throw new Error(encoded.reason);
  builder.begin(code.accessAccept, 1);
  for (const { vendor, type, value } of encoded.attributes) {
    if (vendor === 0) builder.add(type, value);
    else builder.addVendor(vendor, type, value);
  }
  if (!builder.finishReply(Buffer.alloc(20), 4, secret)) throw new Error('does not fit');
  return decoded(Buffer.from(builder.data.subarray(0, builder.length())));
}
const hexOf = ({ data, end }: Packet) => data.toString('hex', 20, end);

function read(files: Record<string, string>) {
  return readDictionary({ entry: 'main', read: (file) => files[file] });
}
function dictionaryOf(text: string): Dictionary {
  const result = read({ main: text });
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.dictionary;
}

t.test('our dictionaries read, and every attribute the code speaks of is in them', async (t) => {
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
    t.equal(spoken.replaceAll('-', '').toLowerCase(), name.toLowerCase(), name);
  }
  const chap = packetOf(
    '0108666c6f707379 0313 16e97557c316185895f293ff63440772750406c0a80110 050600000014 060600000002 5902 1202',
  );
  t.strictSame(shown(chap, dictionary), [
    'User-Name = flopsy',
    'CHAP-Password = 0x16e97557c316185895f293ff6344077275',
    'NAS-IP-Address = 192.168.1.16',
    'NAS-Port = 20',
    'Service-Type = Framed-User',
    'Chargeable-User-Identity = 0x',
  ]);
  t.strictSame(shown(packetOf(`0212${'ab'.repeat(16)}`), dictionary), ['User-Password = ***']);
});

t.test('typed values go to octets and back', async (t) => {
  const dictionary = loadDictionary();
  for (const [name, value] of [
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
  ] as const) {
    t.match(typedAttributes(wire(dictionary, name, value), dictionary), [{ name, value }]);
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
    ['Filter-Id', 'x'.repeat(254)],
    ['Mikrotik-Rate-Limit', 'x'.repeat(248)],
    ['Filter-Id:1', 'x'],
    ['Tunnel-Type:32', 'VLAN'],
    ['Tunnel-Type', '16777216'],
  ] as const) {
    t.notOk(encodeTyped(dictionary, name, value).ok, `${name} = ${value}`);
  }
});

t.test('a value of another size than its type is shown as it came', async (t) => {
  const dictionary = loadDictionary();
  t.strictSame(
    shown(packetOf('0404abcd fb05010203 1a07000039e7ff 1a0900003a8c0803ff'), dictionary),
    [
      'NAS-IP-Address = 0xabcd',
      'Attr-251 = 0x010203',
      'Vendor-Specific = 0x000039e7ff',
      'Mikrotik-Rate-Limit = \ufffd',
    ],
    'wrong size, unknown type, a vendor attribute without length, text that is none',
  );
});

t.test('IPv6 prefixes: trailing octets may be left out, host bits are zero, more than 128 bits are none', async (t) => {
  const dictionary = loadDictionary();
  for (const [hex, text] of [
    ['7b060030 2001', '2001::/48'],
    ['7b0800 20 20010db8', '2001:db8::/32'],
    ['7b0a00 24 20010db8 ffff', '2001:db8:f000::/36'],
    ['7b04ff00', '::/0'],
    [`7b140080${'00'.repeat(15)}01`, '::1/128'],
    ['7b040081', '0x0081'],
    ['7b0300', '0x00'],
  ] as const) {
    t.strictSame(shown(packetOf(hex), dictionary), [`Delegated-IPv6-Prefix = ${text}`]);
  }
});

t.test('tags are 1 to 31 (RFC 2868 §3), and what only looks like one is not lost', async (t) => {
  const dictionary = loadDictionary();
  for (const [name, text, hex] of [
    ['Tunnel-Type', 'PPTP', '400600000001'],
    ['Tunnel-Type:1', 'VLAN', '40060100000d'],
    ['Tunnel-Type:31', 'VLAN', '40061f00000d'],
    ['Tunnel-Private-Group-Id:1', '100', '510601313030'],
    ['Tunnel-Client-Endpoint', 'foo', '4205666f6f'],
    ['Tunnel-Client-Endpoint', '\x01\x02\x03', '420600010203'],
  ] as const) {
    t.equal(hexOf(wire(dictionary, name, text)), hex, `${name} = ${JSON.stringify(text)}`);
    t.strictSame(shown(packetOf(hex), dictionary), [`${name} = ${text}`]);
  }
  t.strictSame(
    shown(packetOf('400620000001'), dictionary),
    ['Tunnel-Type = 0x20000001'],
    'an integer has one or is none',
  );
  t.strictSame(shown(packetOf('510520616263'.replace('05', '06')), dictionary), ['Tunnel-Private-Group-Id =  abc']);
});

t.test('hidden values are encoded with the secret only, and never shown', async (t) => {
  const result = readDictionary(sourceOf(path.join(import.meta.dirname, '../../aaa-server/dictionaries/main.dict')), {
    entry: 'keys',
    read: () =>
      'VENDOR Microsoft 311\nBEGIN-VENDOR Microsoft\nATTRIBUTE MS-MPPE-Send-Key 16 octets encrypt=2\nATTRIBUTE Old 17 string encrypt=3\nEND-VENDOR Microsoft',
  });
  if (!result.ok) throw new Error(result.problems.join('\n'));
  const { dictionary } = result;
  const authenticator = Buffer.alloc(16, 9);
  let salt = 0;
  const hiding = { secret, authenticator, salt: () => salt++ };
  const tunnel = wire(dictionary, 'Tunnel-Password:1', 'secret words', hiding);
  t.equal(String(revealSalted(tunnel.data.subarray(23, tunnel.end), secret, authenticator)), 'secret words');
  t.strictSame(shown(tunnel, dictionary), ['Tunnel-Password:1 = ***']);
  const key = wire(dictionary, 'MS-MPPE-Send-Key', `0x${'0f'.repeat(16)}`, hiding);
  t.strictSame(revealSalted(key.data.subarray(28, key.end), secret, authenticator), Buffer.alloc(16, 0x0f));
  t.strictSame(shown(key, dictionary), ['MS-MPPE-Send-Key = ***']);
  t.equal(salt, 2, 'each with a salt of its own');
  const password = wire(dictionary, 'User-Password', 'arctangent', hiding);
  t.equal(String(revealPassword(password.data.subarray(22, password.end), secret, authenticator)), 'arctangent');
  t.match(encodeTyped(dictionary, 'Tunnel-Password', 'x'), { ok: false, reason: /with the secret/ });
  t.match(encodeParts(dictionary, 'Old', 'x', hiding), { ok: false, reason: /Ascend/ });
  t.match(encodeParts(dictionary, 'Tunnel-Password', 'x'.repeat(240), hiding), { ok: false, reason: /too long/ });
});

const extended = dictionaryOf(`
VENDOR One 1
VENDOR Chunks 24757 format=1,1,c
VENDOR Wide 429 format=4,0
VENDOR Double 8164 format=2,2
ATTRIBUTE E1 241 extended
ATTRIBUTE E1-Text 241.1 string
ATTRIBUTE E1-Tlv 241.2 tlv
BEGIN-TLV E1-Tlv
ATTRIBUTE E1-Tlv-Number 1 short
ATTRIBUTE E1-Tlv-Other 2 octets
ATTRIBUTE E1-Tlv-Deep 3 tlv
END-TLV E1-Tlv
ATTRIBUTE E1-Tlv-Deep-Octets 241.2.3.1 octets
ATTRIBUTE E1-Tlv-Deep-Text 241.2.3.2 string
ATTRIBUTE E5 245 long-extended
ATTRIBUTE E5-Text 245.1 string
ATTRIBUTE E5-Octets 245.4 octets
BEGIN-VENDOR One format=Extended-Vendor-Specific-1
ATTRIBUTE One-Text 4 string
ATTRIBUTE One-Tlv 5 tlv
ATTRIBUTE One-Tlv-Text 5.3 string
END-VENDOR One
BEGIN-VENDOR One format=Extended-Vendor-Specific-5
ATTRIBUTE One-Long 6 octets
END-VENDOR One
BEGIN-VENDOR Chunks
ATTRIBUTE Chunk 26 octets
END-VENDOR Chunks
BEGIN-VENDOR Wide
ATTRIBUTE Wide-Text 0x9876 string
END-VENDOR Wide
BEGIN-VENDOR Double
ATTRIBUTE Double-Text 300 string
END-VENDOR Double
ATTRIBUTE Whole 79 octets concat
ATTRIBUTE Servers 150 ipaddr array
ATTRIBUTE Internal 1000 string
`);

t.test('the examples of RFC 6929 §9: extended, long-extended, vendor and TLV attributes', async (t) => {
  for (const [name, text, hex] of [
    ['E1-Text', 'bob', 'f10601626f62'],
    ['E1-Tlv-Number', '9029', 'f1070201042345'],
    ['E1-Tlv-Deep-Octets', '0xabcd', 'f1090203060104abcd'],
    ['One-Text', 'test', 'f10c1a000000010474657374'],
    ['One-Tlv-Text', 'test', 'f10e1a0000000105030674657374'],
    ['E5-Text', 'bob', 'f5070100626f62'],
    ['E5-Octets', `0x${'aa'.repeat(251)}${'cc'.repeat(15)}`, `f5ff0480${'aa'.repeat(251)}f5130400${'cc'.repeat(15)}`],
    ['One-Long', `0x${'aa'.repeat(246)}bb`, `f5ff1a800000000106${'aa'.repeat(246)}f5051a00bb`],
    ['Wide-Text', 'x', '1a0b000001ad0000987678'],
    ['Double-Text', 'x', '1a0b00001fe4012c000578'],
    ['Servers', '10.0.0.1, 10.0.0.2', '960a0a0000010a000002'],
    ['Chunk', '0x01', '1a0a000060b51a040001'],
    ['Chunk', `0x${'aa'.repeat(246)}bb`, `1aff000060b51af980${'aa'.repeat(246)}1a0a000060b51a0400bb`],
    ['Whole', `0x${'aa'.repeat(253)}bb`, `4fff${'aa'.repeat(253)}4f03bb`],
  ] as const) {
    t.equal(hexOf(wire(extended, name, text)), hex, name);
    t.strictSame(shown(packetOf(hex), extended), [`${name} = ${text}`]);
  }
  t.strictSame(
    shown(packetOf('f112 02 01042345 030b 0104abcd 0205666f6f'), extended),
    ['E1-Tlv-Number = 9029', 'E1-Tlv-Deep-Octets = 0xabcd', 'E1-Tlv-Deep-Text = foo'],
    'several in one',
  );
  t.match(encodeTyped(extended, 'Internal', 'x'), { ok: false, reason: /never on the wire/ });
  t.match(encodeTyped(extended, 'E1-Text', 'x'.repeat(253)), { ok: false, reason: /too long/ });
  t.match(encodeTyped(extended, 'E5-Text', 'bob'), { ok: true, vendor: 0, type: 245, value: Buffer.from('\x01\0bob') });
  t.match(encodeTyped(extended, 'E5-Text', 'x'.repeat(300)), { ok: false, reason: /for one attribute/ });
});

t.test('what is malformed inside stays octets under the number of what holds it', async (t) => {
  for (const [hex, ...lines] of [
    ['f10301', 'E1 = 0x01'],
    ['f103 1a', 'E1 = 0x1a'],
    ['f108 1a 0000000104', 'E1 = 0x1a0000000104'],
    ['f107 02 01052345', 'E1-Tlv = 0x01052345'],
    ['f106 09 626f62', 'Attr-241.9 = 0x626f62'],
    ['f10c 1a 00000009 04 74657374', 'Attr-241.26.9.4 = 0x74657374'],
    ['f503 01', 'E5 = 0x01'],
    ['f504 0100', 'E5 = 0x0100'],
    ['f507 0180 626f62', 'E5 = 0x0180626f62'],
    ['f507 0180 626f62 0105626f62', 'E5 = 0x0180626f62', 'Attr-1 = 0x626f62'],
    ['f507 0180 626f62 f5050200 62', 'E5 = 0x0180626f62', 'Attr-245.2 = 0x62'],
    ['1a0a 000060b5 1a 05 00 01', 'Attr-26 = 0x000060b51a050001'],
    ['1a06 00000001', 'Attr-26 = 0x00000001'],
    ['1a0a 00000001 0102 0202', 'Attr-none'],
  ] as const) {
    const expected = lines[0] === 'Attr-none' ? [] : lines;
    t.strictSame(shown(packetOf(hex), extended), expected, hex);
  }
});

t.test('what is encoded is read the same, whatever the value', async (t) => {
  const names = ['E1-Tlv-Other', 'E5-Octets', 'One-Long', 'Chunk', 'Whole'] as const;
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.uint8Array({ minLength: 1, maxLength: 2000 }), (name, octets) => {
      const text = `0x${Buffer.from(octets).toString('hex')}`;
      const encoded = encodeParts(extended, name, text);
      if (!encoded.ok) return name === 'E1-Tlv-Other' && octets.length > 250;
      return shown(wire(extended, name, text), extended).join() === `${name} = ${text}`;
    }),
    { numRuns: runs(300) },
  );
  t.pass('300 values');
});

const freeradius = '/usr/share/freeradius';
/** Types that FreeRADIUS has wrong before 3.2.6. */
const wrongUntil326 = ['ZTE-Client-DNS-Pri', 'ZTE-Client-DNS-Sec', 'ZTE-Context-Name'];
const noneOfTheirs = !existsSync(freeradius) && 'no FreeRADIUS dictionaries on this machine';

t.test("FreeRADIUS's own dictionary is read whole, and ours agrees with it", { skip: noneOfTheirs }, async (t) => {
  const result = readDictionary(sourceOf(`${freeradius}/dictionary`));
  if (!result.ok) throw new Error(result.problems.join('\n'));
  const theirs = result.dictionary;
  t.ok(theirs.attributes().length > 7000, `${theirs.attributes().length} attributes`);
  const ours = loadDictionary();
  for (const one of ours.attributes()) {
    const other = theirs.attribute(one.name);
    if (!other || wrongUntil326.includes(one.name)) continue;
    const facts = ({ vendor, path, kind, encrypt, hasTag, concat }: typeof one) => ({
      vendor,
      path,
      kind,
      encrypt,
      hasTag,
      concat,
    });
    t.strictSame(facts(one), facts(other), one.name);
  }
  t.ok(ours.attributes().length >= 130);
  t.match(theirs.attribute('FreeRADIUS-802.1X-Anonce'), { extendedSpace: 245, vendor: 11344, path: [1] });
  t.match(theirs.formatOf(429), { typeOctets: 4, lengthOctets: 0 });
  const both = loadDictionary(`${freeradius}/dictionary.starent`);
  t.match(both.attribute('SN-VPN-ID'), { vendor: 8164 }, 'a file of theirs may be given beside ours');
});

t.test('every dictionary FreeRADIUS ships is read by itself', { skip: noneOfTheirs }, async (t) => {
  const dictionary = dictionaryOf(readFileSync(`${freeradius}/dictionary.rfc2868`, 'latin1'));
  t.strictSame(shown(packetOf('40060100000c'), dictionary), ['Tunnel-Type:1 = IP-in-IP']);
  const wimax = dictionaryOf(readFileSync(`${freeradius}/dictionary.wimax.wichorus`, 'latin1'));
  t.same(wimax.attribute('WiMAX-Release')?.path, [1, 1], 'a TLV by BEGIN-TLV');
});

t.test('mutated packets with every envelope neither crash nor lose octets silently', async (t) => {
  const seed = Number(process.env.FUZZ_SEED ?? 20_261_127);
  t.comment(`FUZZ_SEED=${seed}`);
  const random = mulberry32(seed);
  const originals = [
    'f112 02 01042345 030b 0104abcd 0205666f6f f10c1a000000010474657374',
    `f5ff0480${'aa'.repeat(251)}f5130400${'cc'.repeat(15)}`,
    `1aff000060b51af980${'aa'.repeat(246)}1a0a000060b51a0400bb 1a0b00001fe4012c000578`,
    '40060100000d 4f050102034f03ff 7b06003020 01',
  ].map((hex) => {
    const { data, end } = packetOf(hex);
    return Buffer.from(data.subarray(0, end));
  });
  let read = 0;
  for (const original of originals) {
    for (let i = 0; i < runs(2500); i++) {
      const packet = decodePacket(mutate(original, random));
      if (!packet.ok) continue;
      read++;
      for (const { name, value } of typedAttributes(packet, extended)) {
        if (name === '' || value.length > 3 * 4096 + 100) throw new Error(`${name} = ${value}`);
      }
    }
  }
  t.ok(read > runs(1000), `${read} packets read`);
});

t.test('every problem of a dictionary is told with file and line', async (t) => {
  const problemsOf = (files: Record<string, string>) => {
    const result = read(files);
    return result.ok ? [] : result.problems;
  };
  t.strictSame(
    problemsOf({ main: 'ATTRIBUTE A 1 string # fine\nVALUE A one 1\n\nattribute b 2 OCTETS[4] encrypt=1,has_tag\n' }),
    [],
  );
  t.strictSame(problemsOf({ main: 'VALUE A one 1\nATTRIBUTE A 1 integer' }), [], 'a VALUE may come first');
  t.strictSame(
    problemsOf({ main: '$INCLUDE- absent\n$INCLUDE other', other: 'VENDOR V 9\nATTRIBUTE A 1 string V' }),
    [],
  );
  const problems = problemsOf({
    main: [
      'ATTRIBUTE A 65536 string',
      'ATTRIBUTE B 2 strnig',
      'ATTRIBUTE C 3 string',
      'ATTRIBUTE C 4 string',
      'VALUE D one 1',
      'VALUE C',
      'BEGIN-VENDOR Nobody',
      'VENDOR V 0',
      'VENDOR W 7 format=3,1',
      'END-TLV A',
      '$INCLUDE ../../etc/passwd',
      '$INCLUDE absent',
      '$INCLUDE main',
      'COLOUR red',
      'ATTRIBUTE D 5 struct',
      'ATTRIBUTE E 6 string shiny',
      'ATTRIBUTE F 3.1 string',
      'BEGIN-TLV C',
      'VENDOR X 5',
      'BEGIN-VENDOR X format=Extended-Vendor-Specific-7',
      'ATTRIBUTE G 256 string',
    ].join('\n'),
  });
  for (const line of [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21]) {
    t.ok(
      problems.some((problem) => problem.startsWith(`main:${line}: `)),
      `line ${line}`,
    );
  }
  t.match(problems.join('\n'), /END-VENDOR X is missing/);
  t.match(problems.join('\n'), /main:15: D has the type struct/);
});

t.test("an operator's dictionary adds to ours and may not contradict it", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dictionary-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'own');
  writeFileSync(
    path.join(folder, 'more'),
    'VENDOR Acme 99999\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-Colour 1 string\nEND-VENDOR Acme\n',
  );
  writeFileSync(file, '$INCLUDE more\nATTRIBUTE User-Name 1 string\n');
  const dictionary = loadDictionary(file);
  t.equal(dictionary.attribute('Acme-Colour')?.vendor, 99_999);
  t.equal(dictionary.attribute('Mikrotik-Rate-Limit')?.vendor, 14_988);
  writeFileSync(file, '$INCLUDE more\n\nATTRIBUTE User-Name 1 integer\n');
  t.throws(() => loadDictionary(file), / - dictionary own:3: User-Name is defined already, differently$/);
  t.throws(() => loadDictionary(path.join(folder, 'absent')), /there is no file absent/);
});
