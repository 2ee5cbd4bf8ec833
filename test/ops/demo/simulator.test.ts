// The simulated ISP without a network: what its links carry, what its access servers report, what its routers export, who crosses when.
import t from 'tap';
import { buildRequest } from '#aaa-server/enforcement/coa/packet.ts';
import { attribute, firstAttribute, integerOf, octetsAt, textOf } from '#aaa-server/wire/attributes.ts';
import { authenticatorOffset } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { flowsOf, newConversation, template } from '#ops/demo/flow/flows.ts';
import { encodeExport, type Template } from '#ops/demo/flow/netflow9.ts';
import { createRouter } from '#ops/demo/flow/router.ts';
import { type AccessServer, createAccessServer } from '#ops/demo/isp/access-server.ts';
import { createDiary, createDurations, createMeters, createRateMeter } from '#ops/demo/isp/meters.ts';
import type { Session } from '#ops/demo/isp/session.ts';
import { createStory } from '#ops/demo/isp/story.ts';
import { createSubscriber, type KnownSubscriber, type Subscriber } from '#ops/demo/isp/subscriber.ts';
import { createRandom } from '#ops/demo/random.ts';
import { carried, createAppetite, moderation } from '#ops/demo/traffic/appetite.ts';
import { activity, clockText, timeFactor, virtualMinute } from '#ops/demo/traffic/virtual-day.ts';
import { createFlowReader } from '#test/flow-collector/wire/support/flows.ts';

const mega = 1_000_000;
const giga = 1_000_000_000;
const secret = createSecret(Buffer.from('testing123'));

function subscriberOf(change: Partial<KnownSubscriber> = {}, seed = 1): Subscriber {
  return createSubscriber(
    {
      userName: 'user0',
      subscriptionId: 1,
      tariffSpeed: { upBps: 5 * mega, downBps: 20 * mega },
      limitBytes: 10 * giga,
      usedToday: 0,
      before: { up: 0, down: 0 },
      ...change,
    },
    createRandom(seed),
  );
}

t.test('traffic', async (t) => {
  await t.test('a link carries what is wanted, at most its speed, in each direction by itself', async (t) => {
    const speed = { upBps: 5 * mega, downBps: 20 * mega };
    const everything = { upBps: Number.POSITIVE_INFINITY, downBps: Number.POSITIVE_INFINITY };
    t.same(carried(everything, speed, 240), { up: 150 * mega, down: 600 * mega });
    t.same(carried({ upBps: mega, downBps: 8 }, speed, 2), { up: 250_000, down: 2 });
    t.same(carried({ upBps: 7, downBps: 9 }, speed, 1), { up: 0, down: 1 }, 'whole bytes');
  });

  await t.test('an appetite stays within reason until it devours', async (t) => {
    const appetite = createAppetite(createRandom(3));
    const wishes = Array.from({ length: 600 }, (_, second) => appetite.wanted(second * 1000, 1, 1).downBps);
    const average = wishes.reduce((sum, bps) => sum + bps, 0) / wishes.length;
    t.ok(average > 0.3 * mega && average < 4 * mega, `${average} bit/s on average`);
    t.ok(new Set(wishes).size > 50, 'it changes');
    t.ok(appetite.wanted(0, 0.1, 1).downBps < appetite.wanted(0, 1, 1).downBps, 'less in the small hours');
    appetite.devour(true);
    t.equal(appetite.wanted(0, 0.1, 0.02).downBps, Number.POSITIVE_INFINITY);
  });

  await t.test('whoever nears the limit holds back', async (t) => {
    t.equal(moderation(0, 10 * giga), 1);
    t.equal(moderation(5 * giga, 10 * giga), 1);
    t.ok(moderation(6 * giga, 10 * giga) < 1);
    t.equal(moderation(9 * giga, 10 * giga), 0.02);
  });

  await t.test('the day of the subscribers begins at six in the evening and is busiest at nine', async (t) => {
    t.equal(timeFactor(null), 60);
    t.equal(timeFactor(60), 240);
    t.equal(timeFactor(1), 3600);
    t.equal(timeFactor(100_000), 60);
    t.equal(clockText(virtualMinute(0, 240)), '18:00');
    t.equal(clockText(virtualMinute(45_000, 240)), '21:00');
    t.equal(clockText(virtualMinute(0.999 * 360_000, 240)), '17:58');
    t.equal(activity(21 * 60), 1);
    t.ok(activity(9 * 60) < 0.11);
  });
});

t.test('meters', async (t) => {
  await t.test('a rate is of the last seconds that are over', async (t) => {
    const meter = createRateMeter(5);
    for (let second = 0; second < 10; second++) meter.add(7, second * 1000 + 300);
    t.equal(meter.perSecond(10_000), 7);
    t.equal(meter.perSecond(12_000), (3 * 7) / 5);
    t.equal(meter.perSecond(60_000), 0);
  });

  await t.test('percentiles are of the last 2000', async (t) => {
    const durations = createDurations();
    t.equal(durations.percentile(0.5), null);
    for (let ms = 0; ms < 4000; ms++) durations.add(ms);
    t.equal(durations.percentile(0), 2000);
    t.equal(durations.percentile(0.5), 3000);
    t.equal(durations.percentile(0.99), 3980);
  });

  await t.test('what goes on being wrong is said once', async (t) => {
    const diary = createDiary(() => 5);
    for (let i = 0; i < 3; i++) diary.note('trouble', 'no answer');
    diary.note('change', 'one');
    t.same(diary.last(9), [
      { atMs: 5, kind: 'change', text: 'one' },
      { atMs: 5, kind: 'trouble', text: 'no answer' },
    ]);
    t.same(diary.troubles(), ['no answer']);
  });
});

/** An access server with a Lastmile that answers when it is told to, and a clock of its own. */
function accessServer(options: { factor?: number } = {}) {
  const meters = createMeters(createDiary(() => world.nowMs));
  const sent: { kind: 'auth' | 'acct'; datagram: Buffer; packet: Packet }[] = [];
  const tapped: string[] = [];
  const world = { nowMs: 1_700_000_000_300 };
  const server: AccessServer = createAccessServer({
    name: 'bras1',
    address: '127.0.1.1',
    place: 0,
    secret: 'testing123',
    run: 'abcd',
    interimMs: 4000,
    factor: options.factor ?? 240,
    random: createRandom(9),
    meters,
    nowMs: () => world.nowMs,
    tap: { opened: ({ id }) => tapped.push(`opened ${id}`), closed: ({ id }) => tapped.push(`closed ${id}`) },
    send(kind, datagram, left) {
      const packet = decodePacket(datagram);
      if (!packet.ok) throw new Error(packet.reason);
      sent.push({ kind, datagram, packet });
      left();
    },
  });
  const self = {
    server,
    meters,
    sent,
    tapped,
    world,
    /** Lastmile answers everything that was sent; gives the requests. */
    answer(rate = '5M/20M', login: number = code.accessAccept): Packet[] {
      return sent.splice(0).map(({ kind, datagram, packet }) => {
        const builder = createPacketBuilder();
        builder.begin(kind === 'auth' ? login : code.accountingResponse, packet.identifier);
        if (kind === 'auth') builder.messageAuthenticator();
        if (kind === 'auth' && login === code.accessAccept) {
          builder.addVendor(14988, 8, rate);
          builder.add(attribute.class, Buffer.from('class of the login'));
        }
        builder.finishReply(datagram, authenticatorOffset, secret);
        server.receive(kind, Buffer.from(builder.data.subarray(0, builder.length())));
        return packet;
      });
    },
    pass(ms: number): void {
      for (let past = 0; past < ms; past += 50) {
        world.nowMs += 50;
        server.tick(world.nowMs, 50, 1);
      }
    },
    boot(): void {
      self.pass(50);
      self.answer();
      self.pass(1000);
    },
    session: (): Session => [...server.sessions().values()][0]!,
  };
  return self;
}

const statusOf = (packet: Packet) => integerOf(packet, attribute.acctStatusType);
const total = (packet: Packet, octets: number, gigawords: number) =>
  (integerOf(packet, octets) ?? 0) + (integerOf(packet, gigawords) ?? 0) * 2 ** 32;
const downOf = (packet: Packet) => total(packet, attribute.acctOutputOctets, attribute.acctOutputGigawords);
const upOf = (packet: Packet) => total(packet, attribute.acctInputOctets, attribute.acctInputGigawords);

t.test('an access server', async (t) => {
  await t.test('says that it has booted, and takes nobody in the same second', async (t) => {
    const { server, sent, answer, pass } = accessServer();
    t.equal(server.phase(), 'down');
    pass(50);
    t.equal(server.phase(), 'booting');
    t.equal(statusOf(sent[0]!.packet), 7);
    t.equal(textOf(sent[0]!.packet, attribute.nasIdentifier), 'bras1');
    answer();
    pass(600);
    t.equal(server.phase(), 'booting');
    pass(100);
    t.equal(server.phase(), 'up', 'in the next second');
  });

  await t.test('reports a session from Start to Stop, with totals beyond 32 bits', async (t) => {
    const isp = accessServer({ factor: 3600 });
    isp.boot();
    const subscriber = subscriberOf();
    subscriber.appetite.devour(true);
    isp.server.logIn(subscriber);
    const [access] = isp.answer();
    t.equal(textOf(access!, attribute.userName), 'user0');
    t.equal(subscriber.state, 'online');
    const [start] = isp.answer();
    t.equal(statusOf(start!), 1);
    t.equal(octetsAt(start!, firstAttribute(start!, attribute.class)).toString(), 'class of the login');
    isp.pass(6000);
    const interims = isp.answer();
    t.ok(interims.length >= 1 && interims.every((packet) => statusOf(packet) === 3));
    t.ok(downOf(interims.at(-1)!) > 2 ** 32);
    t.same(subscriber.acked, { up: upOf(interims.at(-1)!), down: downOf(interims.at(-1)!) });
    isp.server.close();
    const [stop] = isp.answer();
    t.equal(statusOf(stop!), 2);
    t.equal(downOf(stop!), subscriber.carried.down);
    t.same(subscriber.acked, subscriber.carried, 'everything carried is acknowledged');
    t.same(subscriber.sent, subscriber.carried);
    t.ok(integerOf(stop!, attribute.eventTimestamp)! * 1000 >= isp.world.nowMs, 'a Stop is not before its last byte');
    t.same(isp.tapped, ['opened abcd0000001', 'closed abcd0000001']);
    t.equal(isp.server.unanswered().count, 0);
  });

  await t.test('carries no more than the speed it was given, and a CoA changes that at once', async (t) => {
    const isp = accessServer({ factor: 100 });
    isp.boot();
    const subscriber = subscriberOf();
    subscriber.appetite.devour(true);
    isp.server.logIn(subscriber);
    isp.answer();
    isp.answer();
    isp.pass(1000);
    t.equal(subscriber.carried.down, (20 * mega * 100) / 8);
    const before = subscriber.carried.down;
    const attributes = [
      { vendor: 0, type: attribute.userName, value: 'user0' },
      { vendor: 0, type: attribute.acctSessionId, value: isp.session().id },
      { vendor: 14988, type: 8, value: '2M/2M' },
    ];
    t.ok(isp.server.answerTo(buildRequest({ kind: 'coa', attributes, secret }, 1, isp.world.nowMs)!));
    t.equal(subscriber.throttled, true);
    isp.pass(1000);
    t.equal(subscriber.carried.down - before, (2 * mega * 100) / 8);
    t.match(isp.meters.diary.last(1), [{ kind: 'change', text: 'user0 has 2M/2M now' }]);
  });

  await t.test('tells a crossing from another change by what it has reported', async (t) => {
    const isp = accessServer();
    isp.boot();
    const subscriber = subscriberOf({ usedToday: 10 * giga - 1 });
    isp.server.logIn(subscriber);
    isp.answer();
    isp.answer();
    while (isp.sent.length === 0) isp.pass(50);
    isp.pass(100);
    isp.answer();
    isp.pass(4000);
    isp.answer();
    const attributes = [
      { vendor: 0, type: attribute.userName, value: 'user0' },
      { vendor: 0, type: attribute.acctSessionId, value: isp.session().id },
      { vendor: 14988, type: 8, value: '2M/2M' },
    ];
    isp.server.answerTo(buildRequest({ kind: 'coa', attributes, secret }, 1, isp.world.nowMs)!);
    t.match(isp.meters.diary.last(1), [{ kind: 'crossing', text: 'user0 crossed 10 GB → 2M/2M in 4100 ms' }]);
    t.equal(isp.meters.lagMs.percentile(0.5), 4100, 'since the record that reached the limit');
  });

  await t.test('ends a session on Disconnect, and lets the subscriber in again', async (t) => {
    const isp = accessServer();
    isp.boot();
    const subscriber = subscriberOf();
    isp.server.logIn(subscriber);
    isp.answer();
    isp.answer();
    const attributes = [
      { vendor: 0, type: attribute.userName, value: 'user0' },
      { vendor: 0, type: attribute.acctSessionId, value: isp.session().id },
    ];
    isp.server.answerTo(buildRequest({ kind: 'disconnect', attributes, secret }, 1, isp.world.nowMs)!);
    t.equal(isp.server.sessions().size, 0);
    t.equal(subscriber.state, 'offline');
    const [stop] = isp.answer();
    t.equal(integerOf(stop!, attribute.acctTerminateCause), 6);
    isp.server.logIn(subscriber);
    isp.answer('5M/20M', code.accessReject);
    t.equal(subscriber.state, 'offline');
    t.equal(isp.meters.rejects, 1);
    isp.server.logIn(subscriber);
    isp.answer();
    t.equal(subscriber.state, 'online');
  });

  await t.test('loses its sessions in a reboot: what was acknowledged last counts', async (t) => {
    const isp = accessServer();
    isp.boot();
    const subscriber = subscriberOf();
    subscriber.appetite.devour(true);
    isp.server.logIn(subscriber);
    isp.answer();
    isp.answer();
    isp.pass(5000);
    const interims = isp.answer();
    while (isp.sent.length === 0) isp.pass(50);
    isp.server.reboot();
    const carried = { ...subscriber.carried };
    isp.pass(1000);
    t.equal(isp.server.phase(), 'draining', 'its last record is on its way');
    const last = isp.answer();
    isp.pass(50);
    t.equal(isp.server.phase(), 'down');
    t.equal(isp.server.sessions().size, 0);
    t.same(subscriber.carried, carried, 'no traffic since it failed');
    t.equal(subscriber.acked.down, downOf(last[0]!), 'answered before the end');
    t.ok(downOf(last[0]!) > downOf(interims.at(-1)!));
    t.equal(isp.meters.sessionsLost, 1);
    isp.pass(4000);
    const on = isp.answer().find((packet) => statusOf(packet) === 7);
    t.ok(on, 'Accounting-On');
    isp.pass(1000);
    t.equal(isp.server.phase(), 'up');
  });

  await t.test('of an answer that never came, nobody knows whether it was counted', async (t) => {
    const isp = accessServer();
    isp.boot();
    const subscriber = subscriberOf();
    isp.server.logIn(subscriber);
    isp.answer();
    isp.answer();
    isp.pass(6000);
    t.ok(isp.server.unanswered().count > 0);
    t.same(subscriber.acked, { up: 0, down: 0 });
    t.ok(subscriber.sent.down > 0);
  });
});

t.test('the story of a run', async (t) => {
  const subscribers = Array.from({ length: 60 }, (_, place) =>
    subscriberOf({ userName: `user${place}`, usedToday: place < 10 ? 9 * giga : 0 }, place),
  );
  const suspended: string[] = [];
  const story = createStory({
    subscribers,
    servers: [],
    durationMs: 60_000,
    random: createRandom(4),
    suspend: ({ userName }) => suspended.push(userName),
  });
  for (const subscriber of subscribers) subscriber.state = 'online';
  story.tick(0);
  t.equal(subscribers.filter(({ appetite }) => appetite.devouring()).length, 0);
  story.tick(30_000);
  const devouring = subscribers.filter(({ appetite }) => appetite.devouring());
  t.equal(devouring.length, 9, 'fifteen percent download without end by half-time');
  t.ok(
    devouring.every(({ usedToday }) => usedToday === 0),
    'of those who can still cross',
  );
  t.equal(suspended.length, 1, 'the office suspends one');
  for (const subscriber of devouring) subscriber.throttled = true;
  story.tick(31_000);
  story.tick(41_000);
  t.ok(
    devouring.every(({ appetite }) => !appetite.devouring()),
    'the throttled are satisfied after a while',
  );
});

t.test('NetFlow v9', async (t) => {
  await t.test('FlowSets are those of the example of RFC 3954', async (t) => {
    const example: Template = { id: 256, fields: [8, 12, 15, 2, 1].map((type) => ({ type, length: 4 })) };
    const octets = (address: string) => Uint8Array.from(address.split('.').map(Number));
    const records = [
      [octets('198.168.1.12'), octets('10.5.12.254'), octets('192.168.1.1'), 5009, 5_344_385],
      [octets('192.168.1.27'), octets('10.5.12.23'), octets('192.168.1.1'), 748, 388_934],
      [octets('192.168.1.56'), octets('10.5.12.65'), octets('192.168.1.1'), 5, 6534],
    ];
    const header = { sysUptimeMs: 1_234_567, unixS: 1_700_000_000, sequence: 42, sourceId: 7 };
    const packet = encodeExport(header, example, records, true);
    t.equal(packet.toString('hex', 0, 20), '000900040012d6876553f1000000002a00000007');
    t.equal(
      packet.toString('hex', 20, 48),
      '0000001c0100000500080004000c0004000f00040002000400010004',
      'the template FlowSet of 28 octets',
    );
    t.equal(
      packet.toString('hex', 48),
      '01000040c6a8010c0a050cfec0a801010000139100518c81' +
        'c0a8011b0a050c17c0a80101000002ec0005ef46' +
        'c0a801380a050c41c0a801010000000500001986',
      'the data FlowSet of 64 octets',
    );
    t.equal(encodeExport(header, example, records, false).length, 20 + 64);
  });

  await t.test('FlowSets end at 32 bits, counters may have eight octets', async (t) => {
    const odd: Template = {
      id: 300,
      fields: [
        { type: 1, length: 8 },
        { type: 4, length: 1 },
      ],
    };
    const header = { sysUptimeMs: 0, unixS: 0, sequence: 2 ** 32 + 1, sourceId: 0 };
    const packet = encodeExport(header, odd, [[2 ** 52 + 1, 6]], false);
    t.equal(packet.length % 4, 0);
    t.equal(packet.readUInt16BE(22), 16);
    t.equal(packet.readBigUInt64BE(24), 2n ** 52n + 1n);
    t.equal(packet.readUInt32BE(12), 1, 'the sequence wraps');
  });

  await t.test('no byte of a session is in two flows or in none', async (t) => {
    const random = createRandom(5);
    for (let round = 0; round < 500; round++) {
      const bytes = { up: Math.floor(random() * 1e9), down: round % 7 === 0 ? 0 : Math.floor(random() * 1e10) };
      const conversations = Array.from({ length: 1 + (round % 5) }, () => newConversation(random));
      const [first, ...more] = conversations;
      const flows = flowsOf(Uint8Array.from([10, 64, 0, 1]), bytes, [first!, ...more], 1000, 5000);
      t.same(
        flows.reduce((sum, flow) => ({ up: sum.up + flow.bytes.up, down: sum.down + flow.bytes.down }), {
          up: 0,
          down: 0,
        }),
        bytes,
      );
      const bytesAt = template.fields.findIndex(({ type }) => type === 1);
      t.ok(flows.every(({ record, bytes: { up, down } }) => record[bytesAt] === up + down));
      t.ok(flows.every(({ record }) => record.length === template.fields.length));
    }
  });
});

t.test('a router, read by flow-collector', async (t) => {
  const world = { nowMs: 1_700_000_000_400 };
  const startMs = world.nowMs;
  const datagrams: Buffer[] = [];
  const router = createRouter({
    sourceId: 3,
    lostShare: 0.1,
    random: createRandom(11),
    nowMs: () => world.nowMs,
    send: (datagram) => datagrams.push(datagram),
  });
  const subscribers = Array.from({ length: 40 }, (_, place) => subscriberOf({}, place));
  const sessions = subscribers.map((subscriber, place) => ({
    subscriber,
    framedIp: `10.64.0.${place + 1}`,
    knownAtMs: place === 0 ? null : world.nowMs,
    carried: { up: 0, down: 0 },
  })) as unknown as Session[];
  for (const session of sessions) router.opened(session);
  for (let tick = 0; tick < 1200; tick++) {
    world.nowMs += 50;
    for (const session of sessions) {
      session.carried.up += 1001;
      session.carried.down += 20_003;
    }
    router.tick(world.nowMs);
  }
  t.same(subscribers[0]!.exported, { up: 0, down: 0 }, 'whose address nobody can know yet is not exported');
  for (const session of sessions) router.closed(session);
  router.tick(world.nowMs);

  t.equal(datagrams.length, router.counts.datagrams - router.counts.lost);
  t.ok(router.counts.lost > 0, `${router.counts.lost} datagrams lost on purpose`);
  for (const { exported, exportLost } of subscribers) {
    t.same(
      { up: exported.up + exportLost.up, down: exported.down + exportLost.down },
      { up: 1_201_200, down: 24_003_600 },
    );
  }
  const sequences = datagrams.map((datagram) => datagram.readUInt32BE(12));
  t.ok(
    sequences.every((sequence, place) => place === 0 || sequence > sequences[place - 1]!),
    'sequences only grow',
  );
  t.equal(sequences.at(-1)! - sequences[0]! + 1, router.counts.datagrams, 'and count what was lost');
  const withTemplate = datagrams.filter((datagram) => datagram.readUInt16BE(20) === 0);
  t.equal(datagrams[0]!.readUInt16BE(20), 0, 'the template comes first');
  t.ok(withTemplate.length >= 60_000 / 5000 - 2, 'and again and again');
  const reader = createFlowReader();
  for (const datagram of datagrams) reader.read(datagram, world.nowMs);
  const { packets, flows, lost_packets, unknown_template } = reader.counts();
  t.equal(packets, datagrams.length);
  t.equal(unknown_template, undefined, 'every record follows its template');
  t.ok((lost_packets ?? 0) <= router.counts.lost, 'and misses no more than was lost');
  t.ok(datagrams.every(({ length }) => length <= 1472));
  t.equal(flows, reader.flows.length);
  const decodedBytes = (of: (flow: (typeof reader.flows)[number]) => boolean) =>
    reader.flows.filter(of).reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { subscriber, framedIp } of sessions) {
    const seen = { up: decodedBytes(({ src }) => src === framedIp), down: decodedBytes(({ dst }) => dst === framedIp) };
    if (seen.up !== subscriber.exported.up || seen.down !== subscriber.exported.down)
      t.fail(`${framedIp}: decoded ${JSON.stringify(seen)}, exported ${JSON.stringify(subscriber.exported)}`);
  }
  t.ok(
    reader.flows.every(
      ({ startedAt, endedAt }) => startedAt >= startMs && endedAt <= world.nowMs && endedAt > startedAt,
    ),
    'flow-collector reads the bytes of every subscriber, at the right time',
  );
  const uptimes = datagrams.map((datagram) => datagram.readUInt32BE(8) * 1000 - datagram.readUInt32BE(4));
  t.equal(new Set(uptimes).size, 1, 'every header tells the same instant of its start');
});
