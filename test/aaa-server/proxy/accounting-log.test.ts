// The accounting that waits for one destination, with a home server that is a function: what it takes, what it leaves unanswered, what is given up.
import path from 'node:path';
import t from 'tap';
import { type AccountingLogOptions, openAccountingLog } from '#aaa-server/proxy/accounting-log.ts';
import { encodeWaiting } from '#aaa-server/proxy/accounting-record.ts';
import type { ServerState } from '#aaa-server/proxy/health.ts';
import type { Answered, HomePort } from '#aaa-server/proxy/home-port.ts';
import { createUnderWay } from '#aaa-server/proxy/under-way.ts';
import { attribute, integerOf, textOf } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { until } from '#test/support/wait.ts';
import { type Teardown, temporaryFolder } from './harness.ts';

t.setTimeout(120_000);

const secret = createSecret(Buffer.from('s'));
const builder = createPacketBuilder();
const [start, on] = [1, 7];

function packetOf(session: string, kind = start): Packet {
  builder.begin(code.accountingRequest, 1);
  builder.add(attribute.acctStatusType, kind);
  builder.add(attribute.acctSessionId, session);
  builder.finishRequest(secret);
  const packet = decodePacket(Buffer.from(builder.data.subarray(0, builder.length())));
  if (!packet.ok) throw new Error(packet.reason);
  return packet;
}

const recordOf = (session: string, kind = start) => encodeWaiting(packetOf(session, kind), Date.now());
const sessionOf = (packet: Packet) => textOf(packet, attribute.acctSessionId) ?? '';

/** What becomes of a request: answered, left unanswered, or neither for now. */
type Does = 'answers' | 'is silent' | 'takes its time';

function createHome(does: (session: string, asked: number) => Does) {
  const asked: string[] = [];
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  const home = { state: 'alive' as ServerState, asked, taken, does, outstanding: 0, most: 0 };
  const port = {
    ...{ server: { id: 1 }, secret },
    state: () => home.state,
    outstanding: () => home.outstanding,
    ask(make: (identifier: number) => Buffer | null, answered: Answered) {
      const request = make(1)!;
      const packet = decodePacket(request);
      if (!packet.ok) throw new Error(packet.reason);
      const session = `${sessionOf(packet)}${integerOf(packet, attribute.acctStatusType) === on ? ' on' : ''}`;
      asked.push(session);
      home.most = Math.max(home.most, ++home.outstanding);
      const what = home.does(session, asked.length);
      const end = () => {
        home.outstanding--;
        if (what !== 'answers') return answered.silent();
        taken.push(session);
        answered.reply(packet, request);
      };
      if (what === 'takes its time') waiting.push(end);
      else setImmediate(end);
      return { again: () => undefined, cancel: () => undefined };
    },
    close() {
      for (const end of waiting.splice(0)) end();
    },
  } as unknown as HomePort;
  return Object.assign(home, { port });
}

async function openLog(t: Teardown, home: ReturnType<typeof createHome>, change: Partial<AccountingLogOptions> = {}) {
  const counted = { forwarded: 0, lost: new Map<string, number>(), warned: 0 };
  const { folder = path.join(temporaryFolder(t), 'log') } = change;
  const log = await openAccountingLog({
    ...{ folder, keeping: { keepMs: 3_600_000, bytes: 1_000_000_000 }, mark: Buffer.from('mark'), nowMs: Date.now },
    target: () => ({ homes: [home.port], choice: 'order', userNameOf: () => undefined }),
    metrics: {
      forwarded: () => void counted.forwarded++,
      lost: (reason, count = 1) => void counted.lost.set(reason, (counted.lost.get(reason) ?? 0) + count),
    },
    problem: (error) => t.teardown(() => Promise.reject(error)),
    refused: () => void counted.warned++,
    pauses: { firstMs: 1, longestMs: 2 },
    ...change,
  });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= log.stop();
    home.port.close();
    return stopped;
  };
  t.teardown(stop);
  await log.start();
  return { log, counted, folder, stop };
}

t.test(
  'a record that a server never answers is given up while it takes others, and what follows arrives',
  async (t) => {
    const home = createHome((session) => (session === 'bad' ? 'is silent' : 'answers'));
    const { log, counted } = await openLog(t, home);
    await log.append(recordOf('bad'));
    let n = 0;
    await until(async () => {
      await log.append(recordOf(`good ${n++}`));
      return counted.lost.get('refused') === 1;
    }, 'it is given up');
    await until(() => counted.forwarded === n, 'all others are taken');
    t.equal(counted.warned, 1, 'the operator is told');
    t.ok(home.asked.filter((session) => session === 'bad').length >= 10, 'it was tried ten times at least');
    t.equal(log.backlogBytes(), 0, 'nothing waits any more');
  },
);

t.test('Accounting-On does not wait for ever for a record that nobody answers', async (t) => {
  const home = createHome((session) => (session === 'bad' ? 'is silent' : 'answers'));
  const { log } = await openLog(t, home);
  for (const record of [recordOf('good'), recordOf('bad'), recordOf('bad'), recordOf('all', on), recordOf('next')]) {
    await log.append(record);
  }
  await until(() => home.taken.includes('next'), 'what is behind it arrives');
  t.strictSame(home.taken, ['good', 'all on', 'next']);
  const before = home.asked.indexOf('all on');
  t.equal(home.asked.slice(0, before).filter((session) => session === 'bad').length, 10, 'it waited for ten rounds');
});

t.test('a server that takes nothing, or is overloaded, loses nothing', async (t) => {
  const home = createHome(() => 'is silent');
  const { log, counted } = await openLog(t, home);
  for (let n = 0; n < 5; n++) await log.append(recordOf(`s${n}`));
  await until(() => home.asked.length > 200, 'it leaves all of them unanswered, many times');
  t.equal(counted.lost.size, 0);
  home.does = (_session, asked) => (asked % 5 === 0 ? 'answers' : 'is silent');
  let n = 5;
  for (const more = home.asked.length + 4000; home.asked.length < more; n++) {
    await log.append(recordOf(`s${n}`));
  }
  t.equal(counted.lost.size, 0, 'nor does one that takes the lesser part');
  home.does = () => 'answers';
  await until(() => counted.forwarded === n, 'it has got all of them in the end');
  t.equal(counted.lost.size, 0);
});

t.test('thousands go on while some wait for their answer, no more of them at a time than a buffer holds', async (t) => {
  const home = createHome((session) => (session.startsWith('slow') ? 'takes its time' : 'answers'));
  const { log, counted, folder, stop } = await openLog(t, home);
  const slow = Array.from({ length: 30 }, (_, n) => `slow ${n}`);
  await Promise.all(slow.map((session) => log.append(recordOf(session))));
  await until(() => home.asked.length === 30, 'these are under way');
  await Promise.all(Array.from({ length: 5000 }, (_, n) => log.append(recordOf(`s${n % 1000}`))));
  await until(() => counted.forwarded === 5000, 'the others have arrived meanwhile', 30_000);
  t.ok(home.most <= 128, `${home.most} at a time`);
  t.ok(log.backlogBytes() > 0, 'those are not forgotten');
  home.does = () => 'answers';
  await stop();
  const again = await openLog(t, home, { folder });
  await until(() => slow.every((session) => home.taken.includes(session)), 'they are sent after a restart');
  t.equal(again.counted.lost.size, 0);
});

t.test('every third answer is lost: each record arrives, those of a session in order', async (t) => {
  const home = createHome((_session, asked) => (asked % 3 === 0 ? 'is silent' : 'answers'));
  const { log, counted } = await openLog(t, home);
  const sessions = Array.from({ length: 300 }, (_, n) => `s${n}`);
  for (let round = 0; round < 5; round++) {
    await Promise.all(sessions.map((session) => log.append(recordOf(session))));
  }
  await until(() => counted.forwarded === 1500, 'all are taken', 30_000);
  t.equal(counted.lost.size, 0);
});

t.test('so many are read ahead, and one at a time beyond when all of these were left unanswered', async (t) => {
  const rounds: ((rounds: number) => void)[] = [];
  const underWay = createUnderWay({
    deliver: (_record, _position, unanswered) => new Promise(() => void rounds.push(unanswered)),
    onEnd: () => undefined,
    onChange: () => undefined,
  });
  let position = 0;
  const add = async (count: number) => {
    for (let n = 0; n < count; n++) {
      underWay.add(++position, { receivedAtMs: position, packet: packetOf(`s${position}`) });
    }
    await until(() => rounds.length === position, 'they are sent');
  };
  const nobodyAnswers = () => {
    for (const unanswered of rounds) unanswered(1);
  };
  while (underWay.room() > 0) await add(underWay.room());
  t.equal(position, 4096);
  nobodyAnswers();
  t.equal(underWay.room(), 1);
  await add(1);
  t.equal(underWay.room(), 0);
  nobodyAnswers();
  t.equal(underWay.room(), 1);
  await add(4095);
  nobodyAnswers();
  t.equal(underWay.room(), 0, 'until memory for twice as many is taken');
  t.strictSame(underWay.oldest(), { position: 1, receivedAtMs: 1 });
});
