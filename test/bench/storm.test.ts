// The subscribers of bench:storm: they wait, repeat, give up and begin anew as access servers do, and what comes too late counts as that.
import t from 'tap';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { createExchange, identifiers } from '#bench/storm/exchange.ts';
import { interimLoad } from '#bench/storm/interims.ts';
import { problemsOf, type StormMeasurement } from '#bench/storm/measure.ts';
import { stormTables } from '#bench/storm/report.ts';
import { createStormRequests } from '#bench/storm/requests.ts';
import { createWheel } from '#bench/storm/wheel.ts';

const secret = createSecret(Buffer.from('testing123'));
const requests = createStormRequests({ secret, password: Buffer.from('pass123'), sockets: 2, run: 'run' });

function acceptOf(request: Buffer): Buffer {
  const builder = createPacketBuilder();
  builder.begin(code.accessAccept, request[1] ?? 0);
  builder.messageAuthenticator();
  builder.finishReply(request, 4, secret);
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

function setUp(subscribers = 4) {
  const seen = { sent: [] as { socket: number; request: Buffer }[], answered: [] as number[], givenUp: [] as number[] };
  const exchange = createExchange({
    ...{ subscribers, sockets: 2, secret, timeoutMs: 3000, tries: 3 },
    send: (socket, request) => seen.sent.push({ socket, request }),
    onAnswered: (user) => seen.answered.push(user),
    onGivenUp: (user) => seen.givenUp.push(user),
    onCrowded: () => {
      throw new Error('no identifier is left');
    },
  });
  const begin = (user: number, nowMs: number) =>
    exchange.begin(user, (identifier) => requests.login(user, identifier), nowMs);
  return { seen, exchange, begin };
}

t.test('a login is sent three times in nine seconds with the same octets, then given up', async (t) => {
  const { seen, exchange, begin } = setUp();
  begin(1, 0);
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 5) exchange.advance(nowMs);
  t.equal(seen.sent.length, 3);
  t.ok(seen.sent.every(({ socket, request }) => socket === 1 && request.equals(seen.sent[0]!.request)));
  t.strictSame(seen.givenUp, [1]);
  t.match(exchange.counts, { requests: 1, repeated: 2, givenUp: 1, answered: 0 });
});

t.test('an answer to any of the three counts; a second one, one too late and a wrong one are told apart', async (t) => {
  const { seen, exchange, begin } = setUp();
  begin(0, 0);
  exchange.advance(3000);
  const [first] = seen.sent;
  exchange.onReply(0, acceptOf(first!.request), 3100);
  t.strictSame(seen.answered, [0]);
  exchange.onReply(0, acceptOf(first!.request), 3200);
  begin(1, 4000);
  const late = seen.sent.at(-1)!;
  for (let nowMs = 4000; nowMs <= 14_000; nowMs += 10) exchange.advance(nowMs);
  exchange.onReply(1, acceptOf(late.request), 14_000);
  begin(2, 15_000);
  const forged = acceptOf(seen.sent.at(-1)!.request);
  forged[10] = (forged[10] ?? 0) ^ 1;
  exchange.onReply(0, forged, 15_100);
  t.match(exchange.counts, { requests: 3, answered: 1, again: 1, late: 1, bad: 1 });

  // A wrong answer is wrong however late it is.
  const lateAndForged = acceptOf(late.request);
  lateAndForged[10] = (lateAndForged[10] ?? 0) ^ 1;
  exchange.onReply(1, lateAndForged, 15_200);
  const againAndForged = acceptOf(first!.request);
  againAndForged[10] = (againAndForged[10] ?? 0) ^ 1;
  exchange.onReply(0, againAndForged, 15_200);
  t.match(exchange.counts, { answered: 1, again: 1, late: 1, bad: 3 });
});

t.test('an answer to what had the identifier before is late, also when somebody else has it now', async (t) => {
  const { seen, exchange, begin } = setUp(2 * identifiers + 2);
  begin(0, 0);
  const [first] = seen.sent;
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 10) exchange.advance(nowMs);
  for (let user = 2; user <= 2 * identifiers; user += 2) begin(user, 11_000);
  const now = seen.sent.findLast(({ request }) => request[1] === first!.request[1])!;
  t.notOk(now.request.equals(first!.request));
  exchange.onReply(0, acceptOf(first!.request), 11_100);
  t.match(exchange.counts, { late: 1, bad: 0, answered: 0 });
  exchange.onReply(0, acceptOf(now.request), 11_200);
  t.match(exchange.counts, { late: 1, bad: 0, answered: 1 });
});

const counts = { requests: 0, repeated: 0, answered: 0, refused: 0, givenUp: 0, late: 0, again: 0, bad: 0 };
const group = { p50: 0, p99: 0, max: 0, ninetyPercentMs: 3400 };
const stormed: StormMeasurement = {
  ...{ server: 'Lastmile', seconds: 300, online: 50_000, reported: 50_000, windows: [], interims: null },
  ...{ logins: counts, starts: counts, startMs: group, serverCores: 1.5, unanswered: null },
  ...{ quick: { ...group, subscribers: 45_000 }, slow: { ...group, subscribers: 5000 } },
  ...{ capacityPerSecond: 90_000, goodputShare: 0.1, wastedShare: 0.01, dropped: { logins: 0, starts: 0 } },
};

t.test('who is missing at the end is an error at Lastmile, and stands in the row of any other server', async (t) => {
  const missed = { ...stormed, online: 48_766, reported: 48_700 };
  t.strictSame(problemsOf(stormed, { everybody: true, quick: false }), []);
  t.strictSame(problemsOf(missed, { everybody: true, quick: false }), [
    '1300 were offline or not reported after 300 s',
  ]);
  t.strictSame(problemsOf(missed, { everybody: false, quick: false }), []);
  t.match(stormTables([missed]), /not within 300: 1,234 missing/);
  t.match(problemsOf({ ...missed, online: 0 }, { everybody: false, quick: false }), ['nobody is online']);
});

t.test('answers that come too late are a timeout spiral, and so are two calls in vain', async (t) => {
  const problems = (measured: StormMeasurement, everybody = true) => problemsOf(measured, { everybody, quick: false });
  t.strictSame(problems({ ...stormed, wastedShare: 0.2 }), ['20.0 % of the answers to logins came too late']);
  for (const ninetyPercentMs of [28_500, null]) {
    const late = { ...stormed, quick: { ...stormed.quick, ninetyPercentMs } };
    t.match(problems(late), [/two calls take 28 s/]);
    t.strictSame(problems(late, false), []);
    t.strictSame(problemsOf(late, { everybody: true, quick: true }), [], 'says nothing about speed');
  }
});

t.test('a timer that is set again is due once, and none is before its instant', async (t) => {
  const due: [number, number][] = [];
  const wheel = createWheel(3, 10, (thing, nowMs) => {
    due.push([thing, nowMs]);
    if (thing === 2 && nowMs < 100) wheel.set(2, nowMs + 10);
  });
  wheel.set(0, 50);
  wheel.set(0, 70);
  wheel.set(1, 20);
  wheel.cancel(1);
  wheel.set(2, 95);
  for (let nowMs = 0; nowMs <= 200; nowMs += 10) wheel.advance(nowMs);
  t.strictSame(due, [
    [0, 70],
    [2, 100],
  ]);
});

t.test(
  'intervals that are a fifth shorter or longer flatten what began in one second; equal ones never do',
  async (t) => {
    const online = new Float64Array(50_000).map((_, user) => user / 50);
    const jittered = interimLoad(
      online,
      Float64Array.from(online, (_, user) => 240 + ((user * 7919) % 121)),
    );
    const equal = interimLoad(online, new Float64Array(50_000).fill(300));
    t.ok(jittered && equal);
    t.equal(Math.round(equal!.meanPerSecond), 167);
    t.ok(equal!.busiestFirst >= 40_000 && equal!.busiestAfterAnHour >= 40_000, `${equal!.busiestFirst} in one second`);
    t.ok(
      jittered!.busiestFirst < 3 * jittered!.meanPerSecond,
      `${jittered!.busiestFirst} in the busiest second of the first round`,
    );
    // Whole seconds: those that have the same interval stay together.
    t.ok(jittered!.busiestAfterAnHour < 3000, `${jittered!.busiestAfterAnHour} after an hour`);
  },
);
