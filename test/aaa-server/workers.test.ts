// The worker threads of aaa-server as the main thread runs them: on LMDB, with their own logs, with and without Redis.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { registerNasMetrics } from '#aaa-server/nas-metrics.ts';
import { metaKeys, numberBytes } from '#aaa-server/subscribers/meta.ts';
import { attribute, firstAttribute, octetsAt } from '#aaa-server/wire/attributes.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import { decodeEap, eapOf, eapType } from '#aaa-server/wire/eap.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { eapolTest } from '#test/support/eapol-test.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { makeCertificates } from './support/certificates.ts';
import { nasOf } from './support/isp.ts';
import { startWorkers } from './support/workers.ts';

const login = ['User-Name = "alice"', 'User-Password = "wonderland"'];
const provenLogin = [...login, 'Message-Authenticator = 0x00'];
const start = ['User-Name = "alice"', 'Acct-Status-Type = Start', 'Acct-Session-Id = "81a00001"'];
const skip = missing('radclient', 'redis-server');

t.test(
  'a login that an operator tries is answered by a worker, and each tells of its logins once a second',
  async (t) => {
    const { workers, auth, logins } = await startWorkers(t);
    const anna = { tenantId: 1, userName: 'alice', method: 'pap' } as const;
    for (const method of ['pap', 'chap', 'mschapv2'] as const) {
      const right = await workers.testLogin({ ...anna, method, password: 'wonderland' });
      t.match(right, { ok: true, result: 'accept', outcome: 'accept:5000000/20000000', nasId: 1 }, method);
      const wrong = await workers.testLogin({ ...anna, method, password: 'guess' });
      t.match(wrong, { ok: true, result: 'reject', reason: 'wrong_password' }, method);
    }
    t.strictSame(await workers.testLogin({ ...anna, tenantId: 2, password: 'wonderland' }), {
      ok: false,
      problem: 'nas_unknown',
    });
    const request = ['User-Name = "alice"', 'User-Password = "wonderland"', 'Message-Authenticator = 0x00'];
    if (!missing('radclient')) t.equal((await radclient(auth, 'auth', request)).code, 'Access-Accept');
    const made = missing('radclient') ? 6 : 7;
    const rows = () => logins.reduce((sum, batch) => sum + batch.rows, 0);
    await until(() => rows() === made, `${made} rows of the auth log`, 10_000);
    t.ok(logins.every(({ body }) => body.length > 0));
  },
);

t.test(
  'two workers share the ports; without Redis logins and accounting are answered all the same',
  { skip },
  async (t) => {
    const { auth, acct, workers, node, metric, fatal } = await startWorkers(t);
    for (let i = 0; i < 8; i++) t.equal((await radclient(auth, 'auth', login)).code, 'Access-Accept');
    t.equal((await radclient(acct, 'acct', start)).code, 'Accounting-Response');
    t.equal(await metric(/^lastmile_radius_replies_total\{code="access_accept"/), 8, 'summed over the workers');
    t.equal(await metric(/^lastmile_radius_handling_seconds_count\{kind="access"/), 8);
    t.equal(await metric(/^lastmile_radius_handling_seconds_bucket\{kind="access",le="\+Inf"/), 8);
    t.equal(await metric(/^lastmile_accounting_appended_total/), 1, 'what a worker keeps in a registry of its own');
    const remembered = (event: string) =>
      metric(new RegExp(`^lastmile_radius_remembered_logins_total\\{event="${event}"`));
    t.equal(await remembered('unproven'), 8);
    await node.put(metaKeys.mirrorInStep, numberBytes(Date.now()));
    for (let i = 0; i < 8; i++) t.equal((await radclient(auth, 'auth', provenLogin)).code, 'Access-Accept');
    const [unknown, kept, answered] = [
      await remembered('unknown'),
      await remembered('kept'),
      await remembered('answered'),
    ];
    t.ok(unknown >= 1 && unknown <= 2 && kept === unknown, `${kept} of two workers remember the login`);
    t.equal(unknown + answered, 8);
    t.strictSame(await workers.unknownClients(), { clients: [], networks: [] });
    await workers.stop();
    t.strictSame(fatal, [], 'a stop that was asked for is no death');
  },
);

t.test(
  'what one worker learns of an access server the main thread hears, and the others from it',
  { skip },
  async (t) => {
    const { auth, workers, snapshot, isp, learned } = await startWorkers(t);
    isp.setNases([nasOf({ address: '127.0.0.1/32', messageAuthenticator: 'auto', learnSinceMs: Date.now() - 1000 })]);
    await snapshot.put(isp.rows());
    await until(async () => {
      await radclient(auth, 'auth', login);
      return learned.length > 0;
    }, 'the lesson');
    t.match(learned, [{ nasId: 1, messageAuthenticator: { value: 'no' } }]);
    workers.teach([{ nasId: 1, messageAuthenticator: { value: 'yes', atMs: Date.now() }, limitProxyState: null }]);
    const quick = { timeoutS: 1, retries: 1 };
    await until(async () => (await radclient(auth, 'auth', login, quick)).code === 'none', 'one worker to know');
    for (let i = 0; i < 2; i++) t.equal((await radclient(auth, 'auth', login, quick)).code, 'none', 'either worker');
    t.equal((await radclient(auth, 'auth', provenLogin)).code, 'Access-Accept');
  },
);

t.test('a session that opens is an event for the main thread', { skip }, async (t) => {
  const redis = await redisForTest(t);
  const { acct, events } = await startWorkers(t, { count: 1, redisUrl: redis.url });
  t.equal((await radclient(acct, 'acct', start)).code, 'Accounting-Response');
  await until(() => events.length > 0, 'the event');
});

t.test('each access server has series of its own, summed over the workers', { skip }, async (t) => {
  const { auth, acct, metric, workers, registry, isp } = await startWorkers(t);
  isp.setNases([nasOf(), nasOf({ id: 2, name: 'tower "2"', address: '10.0.0.2/32' })]);
  registerNasMetrics(registry, {
    snapshot: isp.snapshot,
    activities: workers.nasActivities,
    startedAtMs: 5000,
    nowMs: Date.now,
  });
  const before = Date.now() / 1000;
  for (let i = 0; i < 6; i++) await radclient(auth, 'auth', login);
  await radclient(auth, 'auth', [login[0]!, 'User-Password = "wrong"']);
  await radclient(acct, 'acct', start);
  await radclient(acct, 'acct', start, { secret: 'another secret', retries: 1, timeoutS: 1 });
  const first = 'tenant="1",nas="1",name="tower"';
  t.equal(await metric(new RegExp(`^lastmile_nas_requests_total{${first},kind="access"}`)), 7);
  t.equal(await metric(new RegExp(`^lastmile_nas_requests_total{${first},kind="accounting"}`)), 2);
  t.equal(await metric(new RegExp(`^lastmile_nas_rejects_total{${first}}`)), 1);
  t.equal(await metric(new RegExp(`^lastmile_nas_dropped_total{${first}}`)), 1, 'the one that does not verify');
  t.ok((await metric(new RegExp(`^lastmile_nas_last_packet_seconds{${first}}`))) >= before);
  const second = String.raw`tenant="1",nas="2",name="tower \\"2\\""`;
  t.equal(await metric(new RegExp(`^lastmile_nas_last_packet_seconds{${second}}`)), 5, 'silent since the start');
});

t.test('access servers beyond the limit have no series', async (t) => {
  const registry = new Registry();
  const nasList = () => Array.from({ length: 1029 }, (_, id) => nasOf({ id }));
  const deps = { activities: async () => new Map(), startedAtMs: 0, nowMs: Date.now };
  registerNasMetrics(registry, { snapshot: { nasList }, ...deps });
  const series = (await registry.metrics()).match(/^lastmile_nas_rejects_total{/gm);
  t.equal(series?.length, 1024);
});

/** Codes of the replies to one login from each of eight source ports, which the kernel spreads over the workers; 0 = none. */
async function loginsFromEverywhere(port: number, secretText = 'testing123'): Promise<number[]> {
  const secret = createSecret(Buffer.from(secretText));
  const builder = createPacketBuilder();
  const ask = async () => {
    const socket = createSocket('udp4');
    const authenticator = randomBytes(16);
    builder.begin(code.accessRequest, 1);
    builder.messageAuthenticator();
    builder.add(attribute.userName, 'alice');
    builder.add(attribute.userPassword, hidePassword(Buffer.from('wonderland'), secret, authenticator));
    builder.finishAccessRequest(authenticator, secret);
    socket.send(Buffer.from(builder.data.subarray(0, builder.length())), port, '127.0.0.1');
    try {
      const [reply] = (await once(socket, 'message', { signal: AbortSignal.timeout(300) })) as [Buffer];
      return reply[0]!;
    } catch {
      return 0;
    } finally {
      socket.close();
    }
  };
  return Promise.all(Array.from({ length: 8 }, ask));
}

t.test('a change of a NAS or a subscriber is live in every worker within a second', async (t) => {
  const { authPort, snapshot, isp } = await startWorkers(t);
  const all = async (expected: number, secret?: string) =>
    (await loginsFromEverywhere(authPort, secret)).every((answer) => answer === expected);
  await until(() => all(code.accessAccept), 'every worker accepts');
  isp.changeSubscription(1, { customerStatus: 'blocked' });
  await snapshot.put(isp.rows());
  const changedMs = performance.now();
  await until(() => all(code.accessReject), 'every worker rejects');
  t.ok(performance.now() - changedMs < 1000, `${Math.round(performance.now() - changedMs)} ms`);
  isp.setNases([nasOf({ secrets: ['another secret'] })]);
  await snapshot.put(isp.rows());
  await until(() => all(code.accessReject, 'another secret'), 'every worker knows the new secret');
  t.ok(await all(0), 'and the old one no more');
});

t.test('a port in use is an error at the start, not a silent share', { skip }, async (t) => {
  const { authPort, acctPort } = await startWorkers(t, { count: 1 });
  await t.rejects(startWorkers(t, { count: 1, ports: [authPort, acctPort] }), { code: 'EADDRINUSE' });
});

/** A worker that says it is ready, and then does what `afterwards` says. */
const program = (afterwards: string) =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from 'node:worker_threads';
      parentPort.on('message', ({ type, id }) => {
        if (type === 'report') parentPort.postMessage({ type, id, report: { unknownClients: { clients: [], networks: [] }, nasActivities: [], metrics: [] } });
        if (type === 'stop') parentPort.close();
      });
      parentPort.postMessage({ type: 'ready', authPort: 1, acctPort: 2, radsecPort: null, udpDriver: 'dgram' });
      ${afterwards}`)}`,
  );

t.test('a worker that dies is told with its reason, once', async (t) => {
  const { fatal } = await startWorkers(t, {
    count: 2,
    script: program("setTimeout(() => { throw new Error('torn') }, 200);"),
  });
  await until(() => fatal.length === 2, 'both deaths');
  fatal.sort((a, b) => a.message.localeCompare(b.message));
  t.match(fatal[0], { message: 'radius worker 0 died', cause: { message: 'torn' } });
  const ended = await startWorkers(t, { count: 1, script: program('setTimeout(() => process.exit(3), 200);') });
  await until(() => ended.fatal.length === 1, 'the end');
  t.match(ended.fatal[0]?.message, /radius worker 0 ended with 3/);
});

t.test('a worker that cannot start fails the start with its reason', async (t) => {
  const script = new URL("data:text/javascript,throw new Error('cannot');");
  await t.rejects(startWorkers(t, { script }), { message: 'radius worker 0 died', cause: { message: 'cannot' } });
});

t.test('a conversation of EAP goes on with its worker, whichever receives the next packet', async (t) => {
  const { authPort, metric, fatal } = await startWorkers(t);
  const secret = createSecret(Buffer.from('testing123'));
  const builder = createPacketBuilder();
  /** From a source port of its own, which the kernel gives to one of the workers. */
  const ask = async (eap: Buffer, state?: Buffer): Promise<Packet> => {
    const socket = createSocket('udp4');
    builder.begin(code.accessRequest, 1);
    builder.messageAuthenticator();
    builder.add(attribute.userName, 'alice');
    builder.add(attribute.eapMessage, eap);
    if (state) builder.add(attribute.state, state);
    builder.finishAccessRequest(randomBytes(16), secret);
    socket.send(Buffer.from(builder.data.subarray(0, builder.length())), authPort, '127.0.0.1');
    const [reply] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    socket.close();
    const packet = decodePacket(reply);
    if (!packet.ok) throw new Error(packet.reason);
    return packet;
  };
  for (let i = 0; i < 20; i++) {
    const challenge = await ask(Buffer.from('0201000a01616c696365', 'hex'));
    const { identifier, data } = decodeEap(eapOf(challenge))!;
    const value = chapResponse(identifier, Buffer.from('wonderland'), data.subarray(1, 17));
    const answer = Buffer.concat([Buffer.of(2, identifier, 0, 22, eapType.md5, 16), value]);
    const state = octetsAt(challenge, firstAttribute(challenge, attribute.state));
    t.equal((await ask(answer, state)).code, code.accessAccept);
  }
  t.ok((await metric(/^lastmile_radius_eap_total\{event="handed_over"/)) > 0);
  t.equal(await metric(/^lastmile_radius_eap_total\{event="started"/), 20);
  t.strictSame(fatal, []);
});

t.test('a worker speaks TLS with the certificate of the settings', { skip: missing('eapol_test') }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { authPort, fatal } = await startWorkers(t, { identity: makeCertificates(folder) });
  const device = {
    eap: 'PEAP',
    identity: '"alice"',
    password: '"wonderland"',
    ca_cert: '"ca.pem"',
    phase2: '"auth=MSCHAPV2"',
  };
  for (let i = 0; i < 4; i++) t.ok((await eapolTest(folder, authPort, device, true)).ok);
  t.strictSame(fatal, []);
});
