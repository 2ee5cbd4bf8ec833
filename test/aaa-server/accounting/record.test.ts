// The stored form of a record, the Class attribute, the event time, and what becomes of an Accounting-Request.
import { createHmac } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { classLength, makeClass, outcomeHash, verifyClass } from '#aaa-server/accounting/class.ts';
import { eventTime } from '#aaa-server/accounting/event-time.ts';
import { createAccountingReceiver } from '#aaa-server/accounting/receive.ts';
import { decodeRecord, encodeRecord } from '#aaa-server/accounting/record.ts';
import type { CredentialRecord, NasRecord } from '#aaa-server/subscribers/records.ts';
import { attribute as attributes } from '#aaa-server/wire/attributes.ts';
import { decodePacket } from '#aaa-server/wire/packet.ts';
import { partitionOf, partitionOfSession } from '#policy/ledger/keys.ts';
import { anyRecord, noonMs, recordOf } from './records.ts';

t.test('a record comes back from its stored form as it was', async () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const decoded = decodeRecord(encodeRecord(record));
      return decoded.ok && isDeepStrictEqual(decoded.record, { ...record });
    }),
  );
});

t.test('a record of everyday size takes less than 200 bytes', async (t) => {
  t.ok(encodeRecord(recordOf(1234, { upOctets: 2 ** 32 - 1, downOctets: 2 ** 32 - 1 })).length < 200);
});

t.test('damaged bytes are refused, never thrown at the reader', async () => {
  const whole = encodeRecord(recordOf(7, { upOctets: 5 }));
  fc.assert(fc.property(fc.nat({ max: whole.length - 1 }), (length) => !decodeRecord(whole.subarray(0, length)).ok));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      decodeRecord(Buffer.from(bytes));
      for (const version of [1, 2]) decodeRecord(Buffer.concat([Buffer.of(version), bytes]));
    }),
  );
});

t.test('a record stored before there were IPv6 prefixes is read without them', async (t) => {
  const without = recordOf(7, { framedIpv6Prefix: '', delegatedIpv6Prefix: '' });
  const versionOne = Buffer.concat([Buffer.of(1), encodeRecord(without).subarray(1, -2)]);
  t.strictSame(decodeRecord(versionOne), { ok: true, record: without });
  t.strictSame(decodeRecord(versionOne.subarray(0, -1)), { ok: false, reason: 'damaged' });
});

t.test('bytes behind a record, another version and a partition that does not exist are refused', async (t) => {
  const whole = encodeRecord(recordOf(7));
  t.strictSame(decodeRecord(Buffer.concat([whole, Buffer.of(0)])), { ok: false, reason: 'damaged' });
  t.strictSame(decodeRecord(Buffer.concat([Buffer.of(3), whole.subarray(1)])), { ok: false, reason: 'version' });
  t.strictSame(decodeRecord(encodeRecord(recordOf(7, { partition: 64 }))), { ok: false, reason: 'damaged' });
});

const classKey = Buffer.alloc(32, 1);
const content = {
  tenantId: 3,
  partition: partitionOf(3, 2 ** 40),
  subscriptionId: 2 ** 40,
  uuid: '0123456789abcdef0123456789abcdef',
  outcomeHash: outcomeHash('accept:5000000/20000000'),
};

t.test('a Class says whose session it is, and nothing when it was altered', async (t) => {
  const bytes = makeClass(classKey, content);
  t.equal(bytes.length, classLength);
  t.strictSame(verifyClass(classKey, 3, bytes), content);
  t.equal(verifyClass(classKey, 4, bytes), undefined, 'of another tenant');
  t.equal(verifyClass(Buffer.alloc(32, 2), 3, bytes), undefined, 'made with another key');
  t.equal(verifyClass(classKey, 3, bytes.subarray(1)), undefined, 'cut');
  for (let at = 0; at < bytes.length; at++) {
    const altered = Buffer.from(bytes);
    altered[at] = altered[at]! ^ 1;
    t.equal(verifyClass(classKey, 3, altered), undefined, `octet ${at} altered`);
  }
});

t.test('the uuid of a Class may be given as octets, and a Class of the first version still counts', async (t) => {
  const octets = makeClass(classKey, { ...content, uuid: Buffer.from(content.uuid, 'hex') });
  t.strictSame(octets, makeClass(classKey, content));
  const first = Buffer.from(octets);
  first[0] = 1;
  t.equal(verifyClass(classKey, 3, first), undefined, 'the code of one version is none of the other');
  createHmac('sha256', classKey).update(first.subarray(0, 28)).update('|3').digest().copy(first, 28, 0, 8);
  t.strictSame(verifyClass(classKey, 3, first), content);
  t.equal(verifyClass(classKey, 4, first), undefined);
  first[30]! ^= 1;
  t.equal(verifyClass(classKey, 3, first), undefined);
});

t.test('the event time is Event-Timestamp when believable, else the receipt less the delay', async (t) => {
  const second = noonMs / 1000;
  t.equal(eventTime(noonMs, second - 60, undefined), noonMs - 60_000);
  t.equal(eventTime(noonMs, second + 300, 5), noonMs + 300_000, 'up to 300 s ahead');
  t.equal(eventTime(noonMs, second + 301, 5), noonMs - 5000, 'further ahead is not believed');
  t.equal(eventTime(noonMs, second - 86_400, 5), noonMs - 86_400_000, 'up to 24 h behind');
  t.equal(eventTime(noonMs, second - 86_401, undefined), noonMs, 'further behind is not believed');
  t.equal(eventTime(noonMs, undefined, 7), noonMs - 7000);
  t.equal(eventTime(noonMs, undefined, 2 ** 32 - 1), 0, 'a delay beyond 1970 ends there');
});

const nas: NasRecord = {
  tenantId: 3,
  id: 9,
  name: 'bras',
  address: '127.0.0.1/32',
  identifier: null,
  vendor: 'mikrotik',
  secretCiphers: [],
  coaAddress: null,
  coaPort: 3799,
  coaRatePerS: 100,
  mode: 'enforce',
  adoptedAtMs: null,
  messageAuthenticator: 'no',
  limitProxyState: 'yes',
  replyMessageAuthenticator: true,
  learnSinceMs: 0,
};
const credential: CredentialRecord = {
  tenantId: 3,
  realm: '',
  userName: 'anna',
  subscriptionId: 5,
  passwordCipher: Buffer.of(),
  scheme: 'clear',
};
const owners: Readonly<Record<string, number>> = { '/anna': 5, ':mac/001b44113ab7': 6, ':circuit/olt1 1/1/4': 7 };
const receive = createAccountingReceiver({
  classKey,
  snapshot: {
    credential: (tenant, realm, name) => {
      const subscriptionId = owners[`${realm}/${name}`];
      return tenant === 3 && subscriptionId ? { ...credential, subscriptionId } : undefined;
    },
  },
});

type Value = string | number | Buffer;
function attribute(type: number, value: Value): Buffer {
  const octets = typeof value === 'number' ? Buffer.alloc(4) : Buffer.from(value as string);
  if (typeof value === 'number') octets.writeUInt32BE(value);
  return Buffer.concat([Buffer.of(type, octets.length + 2), octets]);
}
function request(list: readonly (readonly [number, Value])[], changes: { several?: boolean } = {}) {
  const body = Buffer.concat(list.map(([type, value]) => attribute(type, value)));
  const header = Buffer.alloc(20);
  header[0] = 4;
  header.writeUInt16BE(20 + body.length, 2);
  const packet = decodePacket(Buffer.concat([header, body]));
  if (!packet.ok) throw new Error(packet.reason);
  return receive({ packet, nas, several: false, sourceAddress: '127.0.0.1', receivedAtMs: noonMs, ...changes });
}
function accepted(list: readonly (readonly [number, Value])[], changes: { several?: boolean } = {}) {
  const result = request(list, changes);
  if (!result.ok) throw new Error(result.reason);
  return result.record;
}
const interim = [
  [attributes.acctStatusType, 3],
  [attributes.acctSessionId, 'a1'],
] as const;

t.test('without a Class the user name, the MAC address or the line says whose it is', async (t) => {
  const ownerOf = (...list: (readonly [number, Value])[]) => accepted([...interim, ...list]).subscriptionId;
  t.equal(ownerOf([attributes.userName, 'anna']), 5);
  t.equal(ownerOf([attributes.userName, '00:1B:44:11:3A:B7']), 6);
  const circuit = Buffer.concat([Buffer.from('00000de9010c', 'hex'), Buffer.from('olt1 1/1/4')]);
  t.equal(ownerOf([attributes.userName, 'dhcp'], [attributes.vendorSpecific, circuit]), 7);
  t.equal(ownerOf([attributes.vendorSpecific, circuit]), 7, 'also without a user name');
  t.equal(ownerOf([attributes.userName, 'nobody']), 0);
});

t.test('an interim becomes a record with everything it says', async (t) => {
  const record = accepted([
    ...interim,
    [attributes.userName, 'anna'],
    [attributes.nasIpAddress, Buffer.of(10, 0, 0, 1)],
    [attributes.nasPort, 17],
    [attributes.nasPortId, 'ether1'],
    [attributes.framedIpAddress, Buffer.of(10, 1, 2, 3)],
    [attributes.framedIpv6Prefix, Buffer.from('004020010db80001', 'hex')],
    [attributes.delegatedIpv6Prefix, Buffer.from('003420010db8f000', 'hex')],
    [attributes.callingStationId, '02:00:00:00:00:01'],
    [attributes.calledStationId, 'pppoe'],
    [attributes.acctSessionTime, 600],
    [attributes.acctInputOctets, 1000],
    [attributes.acctOutputOctets, 2 ** 32 - 1],
    [attributes.acctOutputGigawords, 2],
    [attributes.acctDelayTime, 3],
    [attributes.class, makeClass(classKey, content)],
  ]);
  t.strictSame(record, {
    kind: 'interim',
    receivedAtMs: noonMs,
    eventAtMs: noonMs - 3000,
    tenantId: 3,
    nasId: 9,
    nasInstance: '9',
    sessionId: 'a1',
    partition: content.partition,
    subscriptionId: content.subscriptionId,
    classUuid: content.uuid,
    loginOutcomeHash: content.outcomeHash,
    userName: 'anna',
    sessionTimeS: 600,
    upOctets: 1000,
    upGigawords: null,
    downOctets: 2 ** 32 - 1,
    downGigawords: 2,
    sourceAddress: '127.0.0.1',
    nasIpAddress: '10.0.0.1',
    nasPort: '17',
    nasPortId: 'ether1',
    framedIp: '10.1.2.3',
    framedIpv6Prefix: '2001:db8:1::/64',
    delegatedIpv6Prefix: '2001:db8:f000::/52',
    callingStationId: '02:00:00:00:00:01',
    calledStationId: 'pppoe',
    terminateCause: '',
  });
});

t.test('what a packet does not say is missing, not zero', async (t) => {
  const record = accepted(interim);
  t.strictSame(
    [record.sessionTimeS, record.upOctets, record.downOctets, record.upGigawords, record.downGigawords],
    [null, null, null, null, null],
  );
  t.equal(accepted([...interim, [attributes.acctSessionTime, 0]]).sessionTimeS, 0);
  t.equal(accepted([...interim, [attributes.acctInputOctets, 'abc']]).upOctets, null, 'a value of another size');
});

t.test('IPv6 prefixes are kept in their shortest text, one address as a prefix of its own', async (t) => {
  const prefixes = (list: [number, Value][]) => {
    const { framedIpv6Prefix, delegatedIpv6Prefix } = accepted([...interim, ...list]);
    return [framedIpv6Prefix, delegatedIpv6Prefix];
  };
  const address = Buffer.from('20010db8000000000000000000000007', 'hex');
  t.strictSame(prefixes([]), ['', '']);
  t.strictSame(prefixes([[attributes.framedIpv6Address, address]]), ['2001:db8::7/128', '']);
  const link = Buffer.from('004020010db800000005ffffffffffffffff', 'hex');
  t.strictSame(
    prefixes([
      [attributes.framedIpv6Address, address],
      [attributes.framedIpv6Prefix, link],
    ]),
    ['2001:db8:0:5::/64', ''],
    'the host bits are cleared, and the prefix comes before the address',
  );
  for (const broken of ['', '00', '0081', '0000', `0040${'00'.repeat(17)}`]) {
    const octets = Buffer.from(broken, 'hex');
    t.strictSame(prefixes([[attributes.framedIpv6Prefix, octets]]), ['', ''], `no prefix: ${broken}`);
    t.strictSame(prefixes([[attributes.delegatedIpv6Prefix, octets]]), ['', '']);
  }
  t.strictSame(prefixes([[attributes.framedIpv6Address, address.subarray(1)]]), ['', '']);
});

t.test('without a Class of ours the user name says whose it is, and nobody is a subscriber too', async (t) => {
  const named = accepted([...interim, [attributes.userName, 'anna'], [attributes.class, 'of somebody else']]);
  t.match(named, { subscriptionId: 5, partition: partitionOf(3, 5), classUuid: '', loginOutcomeHash: '' });
  const unknown = accepted([...interim, [attributes.userName, 'nobody']]);
  t.match(unknown, { subscriptionId: 0, partition: partitionOfSession(3, '9', 'a1'), userName: 'nobody' });
  const second = accepted([...interim, [attributes.class, 'other'], [attributes.class, makeClass(classKey, content)]]);
  t.equal(second.subscriptionId, content.subscriptionId, 'ours may be the second Class');
});

t.test('behind a shared record the NAS-Identifier, else the source, names the instance', async (t) => {
  t.equal(accepted([...interim, [attributes.nasIdentifier, 'pop-1']]).nasInstance, '9');
  t.equal(accepted([...interim, [attributes.nasIdentifier, 'pop-1']], { several: true }).nasInstance, '9/pop-1');
  t.equal(accepted(interim, { several: true }).nasInstance, '9/127.0.0.1');
});

t.test('On and Off concern the NAS and no session', async (t) => {
  const on = accepted([[attributes.acctStatusType, 7]]);
  t.match(on, { kind: 'on', sessionId: '', subscriptionId: 0, partition: partitionOfSession(3, '9', '') });
  const off = accepted([
    [attributes.acctStatusType, 8],
    [attributes.acctSessionId, '00000000'],
    [attributes.userName, 'anna'],
  ]);
  t.match(off, { kind: 'off', sessionId: '', subscriptionId: 0, userName: '' });
});

t.test('a request that cannot be recorded is not answered, one with nothing to record is', async (t) => {
  t.strictSame(request([[attributes.acctSessionId, 'a1']]), { ok: false, reason: 'no_status_type', ack: false });
  t.strictSame(request([[attributes.acctStatusType, 1]]), { ok: false, reason: 'no_session_id', ack: false });
  t.strictSame(
    request([
      [attributes.acctStatusType, 9],
      [attributes.acctSessionId, 'a1'],
    ]),
    {
      ok: false,
      reason: 'unsupported_status_type',
      ack: true,
    },
  );
});
