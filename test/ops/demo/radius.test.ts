// The simulated access server's packets against our own codec, its retransmission, and how it obeys CoA and Disconnect.
import t from 'tap';
import { buildRequest, readReply as readDynamicReply } from '#aaa-server/enforcement/coa/packet.ts';
import { attribute, firstAttribute, integerOf, octetsAt, textOf } from '#aaa-server/wire/attributes.ts';
import { authenticatorOffset, verifyRequest } from '#aaa-server/wire/authenticators.ts';
import { verifyChap } from '#aaa-server/wire/chap.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { revealPassword } from '#aaa-server/wire/user-password.ts';
import { type ClientCounts, createRadiusClient, type Exchange } from '#ops/demo/radius/client.ts';
import { createDynamicServer, type DynamicCounts } from '#ops/demo/radius/dynamic.ts';
import { chapPassword, encodeRequest, mikrotikAttribute, octetsOf, readReply } from '#ops/demo/radius/packets.ts';
import { parseRateLimit } from '#ops/demo/radius/rate-limit.ts';
import { changeable, createNetwork, fair, type Mishaps } from '#ops/demo/radius/weather.ts';
import { createRandom } from '#ops/demo/random.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { Speed } from '#policy/speed.ts';

const text = 'testing123';
const secret = createSecret(Buffer.from(text));

function decoded(datagram: Buffer): Packet {
  const packet = decodePacket(datagram);
  if (!packet.ok) throw new Error(packet.reason);
  return packet;
}

/** What Lastmile answers, by its own codec. */
function reply(request: Buffer, replyCode: number, signed: boolean, rate?: string): Buffer {
  const builder = createPacketBuilder();
  builder.begin(replyCode, request[1]!);
  if (signed) builder.messageAuthenticator();
  if (rate !== undefined) builder.addVendor(14988, 8, rate);
  builder.add(attribute.class, Buffer.from([1, 2, 0xff, 0]));
  builder.finishReply(request, authenticatorOffset, secret);
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

t.test('an Access-Request of the foreign codec is understood by ours', async (t) => {
  const challenge = Buffer.from('0123456789abcdef0123456789abcdef', 'hex');
  const packet = decoded(
    encodeRequest(
      'Access-Request',
      77,
      [
        ['User-Name', 'user0'],
        ['User-Password', 'pass123'],
        ['NAS-Identifier', 'bras1'],
        ['NAS-Port', 0],
      ],
      text,
    ),
  );
  t.equal(packet.code, code.accessRequest);
  t.equal(packet.identifier, 77);
  t.equal(packet.messageAuthenticatorAt, 20, 'Message-Authenticator comes first');
  t.ok(verifyMessageAuthenticator(packet, secret));
  t.notOk(verifyMessageAuthenticator(packet, createSecret(Buffer.from('another'))));
  const hidden = octetsAt(packet, firstAttribute(packet, attribute.userPassword));
  t.equal(revealPassword(hidden, secret, packet.data, authenticatorOffset)?.toString(), 'pass123');
  t.equal(integerOf(packet, attribute.nasPort), 0);
  t.ok(verifyChap(chapPassword(9, 'pass123', challenge), Buffer.from('pass123'), challenge));
  t.notOk(verifyChap(chapPassword(9, 'pass124', challenge), Buffer.from('pass123'), challenge));
});

t.test('an Accounting-Request of the foreign codec is understood by ours', async (t) => {
  const packet = decoded(
    encodeRequest(
      'Accounting-Request',
      3,
      [
        ['Acct-Status-Type', 'Interim-Update'],
        ['Acct-Output-Octets', 0xffff_ffff],
        ['Event-Timestamp', new Date(1_700_000_000_000)],
      ],
      text,
    ),
  );
  t.ok(verifyRequest(packet, secret));
  t.equal(integerOf(packet, attribute.acctStatusType), 3);
  t.equal(integerOf(packet, attribute.acctOutputOctets), 0xffff_ffff);
  t.equal(integerOf(packet, attribute.eventTimestamp), 1_700_000_000);
});

t.test('a reply counts only when it is provably the answer', async (t) => {
  const access = encodeRequest('Access-Request', 5, [['User-Name', 'user0']], text);
  const accept = readReply(reply(access, code.accessAccept, true, '5M/20M'), access, text);
  t.equal(accept?.code, 'Access-Accept');
  t.equal(mikrotikAttribute(accept!, 'Mikrotik-Rate-Limit'), '5M/20M');
  t.same(octetsOf(accept!, attribute.class), [Buffer.from([1, 2, 0xff, 0])]);

  const other = encodeRequest('Access-Request', 5, [['User-Name', 'user0']], text);
  t.equal(readReply(reply(other, code.accessAccept, true), access, text), undefined, 'of another request');
  t.equal(readReply(reply(access, code.accessAccept, true), access, 'another'), undefined, 'by another secret');
  const forged = reply(access, code.accessAccept, true);
  forged[24]! ^= 1;
  t.equal(readReply(forged, access, text), undefined, 'with a wrong Message-Authenticator');
  t.equal(readReply(Buffer.from([2, 5, 0, 20]), access, text), undefined, 'cut short');

  const accounting = encodeRequest('Accounting-Request', 6, [['Acct-Status-Type', 'Start']], text);
  t.equal(readReply(reply(accounting, code.accountingResponse, false), accounting, text)?.code, 'Accounting-Response');
});

t.test('Mikrotik-Rate-Limit is upload before download', async (t) => {
  t.same(parseRateLimit('5M/20M'), { upBps: 5_000_000, downBps: 20_000_000 });
  t.same(parseRateLimit('512k/1500000 1M/2M'), { upBps: 512_000, downBps: 1_500_000 });
  t.same(parseRateLimit('2M'), { upBps: 2_000_000, downBps: 2_000_000 });
  for (const wrong of ['', 'fast', '1M/', '0/1M', '5M/20Mbit']) t.equal(parseRateLimit(wrong), undefined, wrong);
});

function client() {
  const counts: ClientCounts = { requests: 0, retransmissions: 0, answers: 0, strays: 0 };
  const sent: Buffer[] = [];
  const world = { nowMs: 0 };
  const responseTimes: number[] = [];
  const made = createRadiusClient({
    secret: text,
    random: () => 0.5,
    counts,
    nowMs: () => world.nowMs,
    send: (datagram, left) => {
      sent.push(datagram);
      left();
    },
    responseMs: (_, ms) => responseTimes.push(ms),
  });
  const outcomes: string[] = [];
  const exchange = (change: Partial<Exchange> = {}): Exchange => ({
    code: 'Accounting-Request',
    attributes: [['Acct-Status-Type', 'Start']],
    answered: ({ identifier }) => outcomes.push(`answered ${identifier}`),
    givenUp: () => outcomes.push('given up'),
    ...change,
  });
  const at = (nowMs: number) => {
    world.nowMs = nowMs;
    made.tick(nowMs);
  };
  return { made, sent, counts, outcomes, exchange, at, responseTimes };
}

t.test('the client of an access server', async (t) => {
  await t.test('sends the same bytes again until they are answered, at growing distances', async (t) => {
    const { made, sent, counts, outcomes, exchange, at } = client();
    made.request(exchange());
    at(1499);
    t.equal(sent.length, 1);
    at(1500);
    t.equal(sent.length, 2);
    at(4499);
    t.equal(sent.length, 2);
    at(4500);
    t.equal(sent.length, 3);
    t.ok(sent.every((datagram) => datagram.equals(sent[0]!)));
    made.receive(reply(sent[0]!, code.accountingResponse, false), 4600);
    t.same(outcomes, ['answered 0']);
    at(60_000);
    t.equal(sent.length, 3);
    made.receive(reply(sent[0]!, code.accountingResponse, false), 60_001);
    t.match(counts, { requests: 1, retransmissions: 2, answers: 1, strays: 1 });
  });

  await t.test('times only what was sent once, and gives up after its last transmission', async (t) => {
    const { made, sent, outcomes, exchange, at, responseTimes } = client();
    made.request(exchange({ transmissions: 2 }));
    made.request(exchange());
    made.receive(reply(sent[1]!, code.accountingResponse, false), 7);
    t.same(responseTimes, [7]);
    at(1500);
    at(4499);
    t.same(outcomes, ['answered 1']);
    at(4500);
    t.same(outcomes, ['answered 1', 'given up']);
    t.equal(made.outstanding(), 0);
  });

  await t.test('has 256 identifiers, and what comes beyond them waits', async (t) => {
    const { made, sent, exchange, outcomes } = client();
    for (let i = 0; i < 258; i++) made.request(exchange());
    t.equal(sent.length, 256);
    t.equal(new Set(sent.map((datagram) => datagram[1])).size, 256);
    t.equal(made.outstanding(), 258);
    made.receive(reply(sent[9]!, code.accountingResponse, false), 1);
    t.equal(sent.length, 257);
    t.equal(sent[256]![1], 9, 'the identifier that became free');
    made.forget();
    t.equal(outcomes.filter((outcome) => outcome === 'given up').length, 257);
  });
});

t.test('the weather loses, doubles and delays the shares it says', async (t) => {
  const mishaps: Mishaps = { lost: 0, doubled: 0, late: 0 };
  const late: number[] = [];
  const later = (run: () => void, delayMs: number) => {
    late.push(delayMs);
    run();
  };
  const network = createNetwork(changeable, { random: createRandom(1), mishaps, later });
  let delivered = 0;
  const many = 100_000;
  for (let i = 0; i < many; i++) network.pass(() => delivered++);
  t.equal(delivered, many - mishaps.lost + mishaps.doubled);
  for (const share of [mishaps.lost, mishaps.doubled, mishaps.late]) t.ok(Math.abs(share / many - 0.006) < 0.001);
  t.ok(late.every((ms) => ms >= 200 && ms <= 2500));
  const calm = createNetwork(fair, { random: Math.random, mishaps, later });
  let calmly = 0;
  for (let i = 0; i < 1000; i++) calm.pass(() => calmly++);
  t.equal(calmly, 1000);
});

t.test('CoA and Disconnect', async (t) => {
  const sessions = new Map([['s1', { user: 'user0', speed: { upBps: 5e6, downBps: 20e6 } as Speed }]]);
  const counts: DynamicCounts = { coa: 0, disconnects: 0, acked: 0, nacked: 0, repeated: 0, refused: 0 };
  const server = createDynamicServer({
    secret: text,
    address: '127.0.1.1',
    counts,
    sessions: {
      find: (sessionId, userName) => {
        const session = sessions.get(sessionId);
        return session?.user === userName ? session : undefined;
      },
      changeRate: (session, speed) => Object.assign(session, { speed }),
      end: (session) => {
        for (const [id, held] of sessions) if (held === session) sessions.delete(id);
      },
    },
  });
  const now = 1_700_000_000_000;
  const naming = (sessionId: string, user = 'user0', nas = [127, 0, 1, 1]): NasAttribute[] => [
    { vendor: 0, type: attribute.userName, value: user },
    { vendor: 0, type: attribute.acctSessionId, value: sessionId },
    { vendor: 0, type: attribute.nasIpAddress, value: Uint8Array.from(nas) },
  ];
  const rate = { vendor: 14988, type: 8, value: '2M/2M' };
  let identifier = 0;
  const ask = (kind: 'coa' | 'disconnect', attributes: NasAttribute[], key = secret, sentMs = now) => {
    const request = buildRequest({ kind, attributes, secret: key }, identifier++, sentMs)!;
    const answer = server(request, now);
    return answer && readDynamicReply(answer, request, secret);
  };
  const ack = { ok: true, reply: { kind: 'ack' } };
  const nak = (errorCause: number) => ({ ok: true, reply: { kind: 'nak', errorCause } });

  t.same(ask('coa', [...naming('s1'), rate]), ack);
  t.same(sessions.get('s1')?.speed, { upBps: 2e6, downBps: 2e6 }, 'the speed changes at once');
  t.same(ask('coa', [...naming('s2'), rate]), nak(503));
  t.same(ask('coa', [...naming('s1', 'user1'), rate]), nak(503));
  t.same(ask('coa', [...naming('s1', 'user0', [127, 0, 1, 2]), rate]), nak(403));
  t.same(ask('coa', naming('s1')), nak(402));
  t.same(ask('coa', [...naming('s1'), { ...rate, value: 'fast' }]), nak(407));
  t.equal(ask('coa', [...naming('s1'), rate], createSecret(Buffer.from('another'))), undefined);
  t.equal(ask('coa', [...naming('s1'), rate], secret, now - 301_000), undefined, 'older than the window');

  const request = buildRequest({ kind: 'disconnect', attributes: naming('s1'), secret }, 200, now)!;
  const first = server(request, now);
  t.same(readDynamicReply(first!, request, secret), ack);
  t.equal(sessions.size, 0);
  t.ok(server(request, now)?.equals(first!), 'a repetition gets the same answer');
  t.match(counts, { coa: 6, disconnects: 1, acked: 2, nacked: 5, repeated: 1, refused: 2 });
  const tampered = Buffer.from(buildRequest({ kind: 'coa', attributes: naming('s1'), secret }, 201, now)!);
  tampered[22]! ^= 1;
  t.equal(server(tampered, now), undefined, 'a wrong Message-Authenticator is met with silence');
});

t.test('what is read of a name in a packet is what was written', async (t) => {
  const packet = decoded(encodeRequest('Access-Request', 1, [['User-Name', 'Jörg']], text));
  t.equal(textOf(packet, attribute.userName), 'Jörg');
});
