// The CoA client against an access server on a real socket, with time in the hand of the test.
import t from 'tap';
import {
  type CoaAnswer,
  type CoaClient,
  type CoaRequest,
  createCoaClient,
} from '#aaa-server/enforcement/coa/client.ts';
import { createPacer } from '#aaa-server/enforcement/coa/pacer.ts';
import { nextTimeoutMs } from '#aaa-server/enforcement/coa/retransmit.ts';
import { createEnforcementMetrics } from '#aaa-server/enforcement/metrics.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { until } from '#test/support/wait.ts';
import { fakeTimer } from './fake-timer.ts';
import { type Answer, scriptedNas } from './scripted-nas.ts';

type Setup = { timer: ReturnType<typeof fakeTimer>; nas: Awaited<ReturnType<typeof scriptedNas>>; client: CoaClient };

async function setup(
  t: { teardown(handler: () => unknown): unknown },
  options: { source?: string; socketLimit?: number } = {},
) {
  const timer = fakeTimer();
  const nas = await scriptedNas(t);
  const metrics = createEnforcementMetrics(new Registry());
  const client = createCoaClient({ source: '', timer, random: () => 0.5, metrics, ...options });
  t.teardown(() => client.stop());
  const dropped = async (reason: string) =>
    (await metrics.coaDropped.get()).values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
  return { timer, nas, client, metrics, dropped } satisfies Setup & { metrics: unknown; dropped: unknown };
}

function request(port: number, change: Partial<CoaRequest> = {}): CoaRequest {
  return {
    kind: 'coa',
    nas: '1',
    address: '127.0.0.1',
    port,
    ratePerS: 10_000,
    secret: createSecret(Buffer.from('testing123')),
    attributes: [
      { vendor: 0, type: 1, value: 'user0' },
      { vendor: 0, type: 44, value: 'session-0' },
      { vendor: 14988, type: 8, value: '2M/2M' },
    ],
    ...change,
  };
}

const never = new AbortController().signal;

t.test('an access server that agrees is heard, and sees a signed request', async (t) => {
  const { nas, client } = await setup(t);
  t.strictSame(await client.send(request(nas.port), never), { kind: 'ack' });
  t.match(nas.received[0], { kind: 'coa', userName: 'user0', sessionId: 'session-0', rate: '2M/2M' });
  t.strictSame(nas.received[0]!.types, [80, 1, 44, 26, 55], 'Message-Authenticator first, Event-Timestamp last');
});

t.test('a refusal comes with its Error-Cause', async (t) => {
  const { nas, client } = await setup(t);
  nas.answer = () => 503;
  t.strictSame(await client.send(request(nas.port), never), { kind: 'nak', errorCause: 503 });
  t.strictSame(await client.send(request(nas.port, { kind: 'disconnect' }), never), { kind: 'nak', errorCause: 503 });
});

t.test('an Error-Cause that no RFC defines makes no series of its own', async (t) => {
  const { nas, client, metrics } = await setup(t);
  const causes = [503, 4_000_000_000, 777];
  nas.answer = () => causes.shift() ?? null;
  for (let i = 0; i < 3; i++) await client.send(request(nas.port), never);
  const results = (await metrics.coaRequests.get()).values.filter(({ value }) => value > 0);
  t.strictSame(
    results.map(({ labels, value }) => [labels.result, value]),
    [
      ['nak_503', 1],
      ['nak_other', 2],
    ],
  );
});

t.test('silence is met with the same bytes after 2, 4 and 8 seconds, and given up after 30', async (t) => {
  const { timer, nas, client } = await setup(t);
  nas.answer = () => null;
  let answer: CoaAnswer | undefined;
  void client.send(request(nas.port), never).then((result) => (answer = result));
  for (const [count, waitMs] of [
    [1, 2000],
    [2, 4000],
    [3, 8000],
  ] as const) {
    await until(() => nas.received.length === count, `${count} transmissions`);
    timer.advance(waitMs - 1);
    t.equal(nas.received.length, count);
    timer.advance(1);
  }
  await until(() => nas.received.length === 4, 'the fourth transmission');
  timer.advance(15_999);
  t.equal(answer, undefined);
  timer.advance(1);
  await until(() => answer, 'the end');
  t.strictSame(answer, { kind: 'timeout' });
  t.ok(nas.received.every(({ data, port }) => data.equals(nas.received[0]!.data) && port === nas.received[0]!.port));
});

t.test('timeouts double with a tenth of jitter and never pass 16 seconds and a tenth', (t) => {
  for (const random of [0, 0.3, 0.999]) {
    let previous = nextTimeoutMs(null, () => random);
    t.ok(Math.abs(previous - 2000) <= 200, `${previous} first`);
    for (let count = 0; count < 5; count++) {
      const next = nextTimeoutMs(previous, () => random);
      t.ok(next <= 17_600 && (next >= previous * 1.9 || next >= 14_400), `${next} after ${previous}`);
      previous = next;
    }
  }
  t.end();
});

t.test('a reply with a wrong authenticator or from another port is not taken', async (t) => {
  const { timer, nas, client, dropped } = await setup(t);
  const answers = ['tampered', 'other_port', 'ack'] as const;
  nas.answer = () => answers[nas.received.length - 1]!;
  const done = client.send(request(nas.port), never);
  await until(async () => (await dropped('bad_authenticator')) === 1, 'the tampered reply is dropped');
  timer.advance(2000);
  await until(async () => (await dropped('other_source')) === 1, 'the reply of another port is dropped');
  timer.advance(4000);
  t.strictSame(await done, { kind: 'ack' });
});

t.test('a reply that comes too late is dropped', async (t) => {
  const { timer, nas, client, dropped } = await setup(t);
  nas.answer = () => null;
  const done = client.send(request(nas.port), never);
  await until(() => nas.received.length === 1, 'the request');
  timer.advance(60_000);
  t.strictSame(await done, { kind: 'timeout' });
  nas.ack(nas.received[0]!);
  await until(async () => (await dropped('late_or_unknown')) === 1, 'the late reply is counted');
});

t.test('300 requests at once use a second socket, and no identifier twice on one', async (t) => {
  const { nas, client } = await setup(t, { source: '127.0.0.1' });
  const all = 300;
  nas.answer = async (): Promise<Answer> => {
    await until(() => nas.received.length === all, 'all requests are outstanding');
    return 'ack';
  };
  const waiting: Promise<CoaAnswer>[] = [];
  while (waiting.length < all) {
    const before = waiting.length;
    for (let index = 0; index < 50; index++) {
      waiting.push(client.send(request(nas.port, { nas: String(before + index) }), never));
    }
    await until(() => nas.received.length === waiting.length, 'these have arrived: a receive buffer is small');
  }
  const answers = await Promise.all(waiting);
  t.ok(answers.every(({ kind }) => kind === 'ack'));
  t.equal(new Set(nas.received.map(({ port }) => port)).size, 2);
  t.equal(new Set(nas.received.map(({ port, identifier }) => `${port}/${identifier}`)).size, all);
});

t.test('more than the sockets may hold is refused, not forgotten', async (t) => {
  const { nas, client } = await setup(t, { socketLimit: 1 });
  nas.answer = () => null;
  const stop = new AbortController();
  const waiting: Promise<CoaAnswer>[] = [];
  while (waiting.length < 256) {
    for (let index = 0; index < 64; index++) waiting.push(client.send(request(nas.port, { nas: 'a' }), stop.signal));
    await until(() => nas.received.length === waiting.length, 'these have arrived');
  }
  t.strictSame(await client.send(request(nas.port, { nas: 'b' }), never), { kind: 'unsent', reason: 'no_identifier' });
  stop.abort();
  t.ok((await Promise.all(waiting)).every((answer) => answer.kind === 'unsent' && answer.reason === 'aborted'));
});

t.test('a request that has lost its owner is not sent again', async (t) => {
  const { timer, nas, client } = await setup(t);
  nas.answer = () => null;
  const owner = new AbortController();
  const done = client.send(request(nas.port), owner.signal);
  await until(() => nas.received.length === 1, 'the request');
  owner.abort();
  t.strictSame(await done, { kind: 'unsent', reason: 'aborted' });
  timer.advance(60_000);
  t.equal(timer.pending(), 0);
});

t.test('an access server gets no more than its rate; a full queue refuses', async (t) => {
  const timer = fakeTimer();
  const pacer = createPacer({ timer, queueLimit: 30 });
  let granted = 0;
  const turns = Array.from({ length: 40 }, () =>
    pacer.turn('nas', 100, never).then((turn) => {
      if (turn) granted++;
      return turn;
    }),
  );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  await settle();
  t.equal(granted, 10, 'a tenth of a second at once');
  t.equal(pacer.waiting(), 30);
  t.equal(await pacer.turn('nas', 100, never), false);
  t.equal(await pacer.turn('another', 100, never), true);
  timer.advance(100);
  await settle();
  t.equal(granted, 20);
  timer.advance(200);
  await settle();
  t.equal(granted, 40);
  t.ok((await Promise.all(turns)).every(Boolean));
});

t.test('what is urgent goes first; a silent access server holds 256 turns and no more', async (t) => {
  const timer = fakeTimer();
  const pacer = createPacer({ timer, queueLimit: 1000 });
  const order: string[] = [];
  const turn = (name: string, ratePerS: number, urgent = false) =>
    pacer.turn('nas', ratePerS, never, urgent).then(() => order.push(name));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  for (const name of ['first', 'second', 'third']) void turn(name, 1);
  void turn('urgent', 1, true);
  timer.advance(1000);
  await settle();
  t.strictSame(order, ['first', 'urgent']);
  for (let count = 0; count < 300; count++) void turn('more', 10_000);
  timer.advance(1000);
  await settle();
  t.equal(order.length, 256);
  t.equal(await pacer.turn('another', 100, never), true, 'others are not held up');
  pacer.done('nas');
  await settle();
  t.equal(order.length, 257);
});
