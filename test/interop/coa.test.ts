// CoA and Disconnect against Debian's FreeRADIUS as the access server: agreement, refusal, silence, and who it was asked about.
import { createSocket } from 'node:dgram';
import t from 'tap';
import { type CoaAnswer, type CoaRequest, createCoaClient } from '#aaa-server/enforcement/coa/client.ts';
import { createEnforcementMetrics } from '#aaa-server/enforcement/metrics.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { fakeTimer } from '#test/aaa-server/enforcement/fake-timer.ts';
import { createIsp, throttled } from '#test/aaa-server/enforcement/harness.ts';
import { type FreeradiusNas, startFreeradiusNas } from '#test/support/freeradius-nas.ts';
import { missing } from '#test/support/peers.ts';
import { until } from '#test/support/wait.ts';

const skip = missing('freeradius') || missing('redis-server');
const never = new AbortController().signal;

function request(port: number, userName: string, change: Partial<CoaRequest> = {}): CoaRequest {
  return {
    kind: 'coa',
    nas: '1',
    address: '127.0.0.1',
    port,
    ratePerS: 100,
    secret: createSecret(Buffer.from('testing123')),
    attributes: [
      { vendor: 0, type: 1, value: userName },
      { vendor: 0, type: 44, value: 'session-0' },
      { vendor: 14988, type: 8, value: '2M/2M' },
    ],
    ...change,
  };
}

/** Passes datagrams on to `port` and keeps what it saw: the capture of the wire. */
async function wiretap(t: { teardown(handler: () => unknown): unknown }, port: number) {
  const front = createSocket('udp4');
  await new Promise<void>((done) => front.bind(0, '127.0.0.1', done));
  t.teardown(() => new Promise<void>((done) => front.close(done)));
  const seen: Buffer[] = [];
  front.on('message', (data) => {
    seen.push(Buffer.from(data));
    front.send(data, port, '127.0.0.1');
  });
  return { port: front.address().port, seen };
}

t.test('FreeRADIUS as access server', { skip }, async (t) => {
  const port = await freePort();
  const nas: FreeradiusNas = await startFreeradiusNas(t, { port, nak503: ['gone'], silent: ['silent', 'user9'] });
  const timer = fakeTimer(Date.now());
  const metrics = createEnforcementMetrics(new Registry());
  const coa = createCoaClient({ source: '127.0.0.1', timer, random: () => 0.5, metrics });
  t.teardown(() => coa.stop());
  const text = (index: number) => nas.requests()[index]?.attributes.join('\n') ?? '';

  await t.test('a CoA is signed as FreeRADIUS wants it, understood and acknowledged', async (t) => {
    t.strictSame(await coa.send(request(port, 'user0'), never), { kind: 'ack' });
    t.equal(nas.requests()[0]?.type, 'CoA-Request');
    for (const expected of ['User-Name = "user0"', 'Acct-Session-Id = "session-0"', 'Mikrotik-Rate-Limit = "2M/2M"']) {
      t.match(text(0), expected);
    }
    t.match(text(0), /Event-Timestamp = /);
    t.match(text(0), /Message-Authenticator = 0x/);
  });

  await t.test('a Disconnect is acknowledged', async (t) => {
    const attributes = request(port, 'user0').attributes.slice(0, 2);
    t.strictSame(await coa.send(request(port, 'user0', { kind: 'disconnect', attributes }), never), { kind: 'ack' });
    t.equal(nas.requests()[1]?.type, 'Disconnect-Request');
    t.notMatch(text(1), /Mikrotik/);
  });

  await t.test('a session it does not know is NAK 503', async (t) => {
    t.strictSame(await coa.send(request(port, 'gone'), never), { kind: 'nak', errorCause: 503 });
    const disconnect = request(port, 'gone', { kind: 'disconnect' });
    t.strictSame(await coa.send(disconnect, never), { kind: 'nak', errorCause: 503 });
  });

  await t.test('a wrong secret is met with silence', async (t) => {
    let answer: CoaAnswer | undefined;
    const before = nas.requests().length;
    const wrong = request(port, 'user0', { secret: createSecret(Buffer.from('wrong')) });
    const sent = coa.send(wrong, never).then((result) => (answer = result));
    await until(async () => (await metrics.coaTransmissions.get()).values[0]!.value >= 5, 'it is sent');
    timer.advance(30_000);
    await sent;
    t.strictSame(answer, { kind: 'timeout' });
    t.equal(nas.requests().length, before);
  });

  await t.test('silence: the same bytes four times in 30 seconds', async (t) => {
    const tap = await wiretap(t, port);
    const sent = coa.send(request(tap.port, 'silent'), never);
    for (const [count, waitMs] of [
      [1, 2000],
      [2, 4000],
      [3, 8000],
      [4, 16_000],
    ] as const) {
      await until(() => tap.seen.length === count, `transmission ${count}`);
      timer.advance(waitMs);
    }
    t.strictSame(await sent, { kind: 'timeout' });
    t.ok(tap.seen.every((data) => data.equals(tap.seen[0]!)));
  });

  await t.test('a crossing throttles the session there, an expiry ends it', async (t) => {
    const isp = await createIsp(t, port);
    await isp.node('a').start();
    await isp.open(1);
    const before = nas.requests().length;
    const crossedAtMs = performance.now();
    await isp.cross(1);
    await until(async () => (await isp.session(1)).acked === throttled, 'the ACK is recorded');
    t.ok(performance.now() - crossedAtMs < 1000, 'within a second');
    const own = [/Framed-IP-Address = 10\.0\.0\.7/, /NAS-IP-Address = 127\.0\.0\.1/, /Calling-Station-Id = "AA-BB"/];
    for (const expected of [...own, /Mikrotik-Rate-Limit = "2M\/2M"/]) t.match(text(before), expected);
    isp.subscribe(2, { paidUntilMs: isp.timer.nowMs() + 300 });
    await isp.open(2);
    await until(async () => (await isp.session(2)).acked === 'reject:expired', 'the Disconnect is acknowledged');
    t.equal(nas.requests().at(-1)?.type, 'Disconnect-Request');
  });
});
