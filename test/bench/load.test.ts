// The generator's parts: packets a server can trust, a window that is kept, replies that are checked, latencies that are right.
import { createSocket, type RemoteInfo } from 'node:dgram';
import fc from 'fast-check';
import radius from 'radius';
import t from 'tap';
import { verifyRequest } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { decodePacket } from '#aaa-server/wire/packet.ts';
import { accessPackets } from '#bench/load/access-packets.ts';
import { accountingPackets, recordsPerSession } from '#bench/load/accounting-packets.ts';
import { createHistogram } from '#bench/load/histogram.ts';
import { createLoad } from '#bench/load/load.ts';
import { makePackets, type PacketStore } from '#bench/load/packet-store.ts';
import { readOptions } from '#bench/options.ts';
import { publish } from '#bench/report/publish.ts';
import { replaceSection } from '#bench/report/readme.ts';
import { runs } from '#test/support/effort.ts';
import { until } from '#test/support/wait.ts';

const secretText = 'testing123';
const secret = createSecret(Buffer.from(secretText));

function packetsOf(store: PacketStore): Buffer[] {
  return Array.from(store.starts.subarray(0, -1), (start, i) => store.data.subarray(start, store.starts[i + 1]));
}

function logins(shape: { sockets: number; lines: number; perLine: number }, method: 'pap' | 'chap' = 'pap') {
  const make = accessPackets({
    ...shape,
    method,
    secret: secretText,
    subscribers: 50,
    password: 'pass123',
  });
  return makePackets({ ...shape, once: false }, make);
}

t.test('quantiles are at most one percent above the true ones', async (t) => {
  const latencies = fc.array(fc.integer({ min: 0, max: 60_000_000 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, quantile) => {
      const histogram = createHistogram();
      for (const value of values) histogram.record(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(values.length * quantile)) - 1]!;
      const found = histogram.quantile(quantile);
      return found >= exact && found <= exact * 1.01;
    }),
    { numRuns: runs(200) },
  );
  t.equal(createHistogram().quantile(0.5), 0, 'without values it is 0');
});

t.test('an Access-Request of the generator is one for a foreign codec', async (t) => {
  const packets = packetsOf(logins({ sockets: 2, lines: 4, perLine: 8 }));
  t.equal(new Set(packets.map((packet) => packet.toString('latin1'))).size, 32, 'all differ');
  for (const packet of packets) {
    const { attributes } = radius.decode({ packet, secret: secretText });
    t.match(attributes, { 'User-Name': /^user\d+$/, 'User-Password': 'pass123' });
    const decoded = decodePacket(packet);
    t.ok(decoded.ok && verifyMessageAuthenticator(decoded, secret), 'its Message-Authenticator is right');
  }
  const users = new Set(
    packets.map((packet) => String(radius.decode({ packet, secret: secretText }).attributes['User-Name'])),
  );
  t.equal(users.size, 32, 'no subscriber comes twice before all had their turn');
});

t.test('lines of one source port never use the same identifier', async (t) => {
  const shape = { sockets: 3, lines: 100, perLine: 20 };
  const packets = packetsOf(logins(shape));
  const owner = new Map<string, number>();
  for (const [index, packet] of packets.entries()) {
    const line = Math.floor(index / shape.perLine);
    const slot = `${line % shape.sockets}/${packet[1]}`;
    t.equal(owner.get(slot) ?? line, line);
    owner.set(slot, line);
  }
  t.throws(() => logins({ sockets: 1, lines: 257, perLine: 1 }), /256 identifiers/);
});

t.test('accounting records are sessions in order, and their bytes are those of the packets', async (t) => {
  const shape = { sockets: 2, lines: 3, perLine: 2 * recordsPerSession };
  const store = makePackets(
    { ...shape, once: true },
    accountingPackets({
      ...shape,
      secret: secretText,
      sessions: 'whole',
      run: 'r1',
      firstSession: 7,
      tenantId: 1,
      subscriptionIds: [11, 12, 13],
      classKey: '00'.repeat(32),
      startedAtS: 1_700_000_000,
    }),
  );
  const sessions = new Map<string, { kinds: string[]; up: number; down: number }>();
  for (const packet of packetsOf(store)) {
    const decoded = decodePacket(packet);
    t.ok(decoded.ok && verifyRequest(decoded, secret) && verifyMessageAuthenticator(decoded, secret), 'it is signed');
    // The package takes the Message-Authenticator of accounting for one over the final authenticator, which is circular.
    const { attributes } = radius.decode_without_secret({ packet });
    const id = String(attributes['Acct-Session-Id']);
    const session = sessions.get(id) ?? { kinds: [], up: 0, down: 0 };
    session.kinds.push(String(attributes['Acct-Status-Type']));
    session.up = Number(attributes['Acct-Input-Octets'] ?? 0);
    session.down = Number(attributes['Acct-Output-Octets'] ?? 0);
    sessions.set(id, session);
  }
  t.equal(sessions.size, 6);
  for (const { kinds } of sessions.values()) {
    t.strictSame(kinds, ['Start', 'Interim-Update', 'Interim-Update', 'Stop']);
  }
  const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
  t.equal(sum(store.upBytes), sum([...sessions.values()].map(({ up }) => up)));
  t.equal(sum(store.downBytes), sum([...sessions.values()].map(({ down }) => down)));
});

/** A server on a port of its own that answers as told; remembers how many requests it held at most. */
async function server(
  t: { teardown(handler: () => unknown): unknown },
  answer: (request: Buffer, reply: (data: Buffer) => void) => void,
) {
  const socket = createSocket('udp4');
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
  t.teardown(() => new Promise<void>((done) => socket.close(done)));
  socket.on('message', (request: Buffer, from: RemoteInfo) => {
    answer(Buffer.from(request), (data) => socket.send(data, from.port, from.address));
  });
  return socket.address().port;
}

function accept(request: Buffer, code = 2): Buffer {
  const builder = createPacketBuilder();
  builder.begin(code, request[1]!);
  builder.messageAuthenticator();
  builder.finishReply(request, 4, secret);
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

async function loadOn(t: { teardown(handler: () => unknown): unknown }, port: number, lines = 8) {
  const store = logins({ sockets: 2, lines, perLine: 16 });
  const quiet = { onMeasuring: () => undefined, onMeasured: () => undefined };
  const load = await createLoad({ port, sockets: 2, secret, store, verify: true, ...quiet });
  t.teardown(load.close);
  return load;
}

const short = { warmUpMs: 20, measureMs: 100, perSecond: null };

t.test('the window is kept full and never exceeded', async (t) => {
  const held: (() => void)[] = [];
  let most = 0;
  const port = await server(t, (request, reply) => {
    held.push(() => reply(accept(request)));
    most = Math.max(most, held.length);
    // Only a full window is let go: a load that keeps fewer outstanding would stand still.
    if (held.length === 8) for (const release of held.splice(0)) release();
  });
  const load = await loadOn(t, port);
  const running = load.run(short);
  await until(() => most === 8, 'the window is full');
  const ended = setInterval(() => {
    for (const release of held.splice(0)) release();
  }, 50);
  t.teardown(() => clearInterval(ended));
  const { total } = await running;
  t.equal(most, 8);
  t.match(total, { refused: 0, lost: 0, bad: 0, stray: 0 });
  t.ok(total.answered > 8 && total.verified > 0);
});

t.test('an unanswered request is sent again with the same octets, and counts once', async (t) => {
  const seen = new Map<string, number>();
  const port = await server(t, (request, reply) => {
    const key = request.toString('latin1');
    seen.set(key, (seen.get(key) ?? 0) + 1);
    // The first one is lost on the way.
    if (seen.size > 1 || seen.get(key) !== 1) reply(accept(request));
  });
  const { total } = await (await loadOn(t, port)).run(short);
  t.equal(total.retried, 1);
  t.equal(total.lost, 0);
  t.equal(total.sent, total.answered + 1);
});

t.test('a reply that is not genuine is no answer, a reject is one of another kind', async (t) => {
  let requests = 0;
  const port = await server(t, (request, reply) => {
    const first = requests++ === 0;
    const answer = accept(request, requests % 2 === 0 ? 3 : 2);
    if (first) answer[10] = answer[10]! ^ 1;
    reply(answer);
  });
  const { total } = await (await loadOn(t, port, 2)).run(short);
  t.equal(total.bad, 1);
  t.ok(total.refused > 0 && total.refused < total.answered);
});

t.test('at even distances the latency counts from when a request was due', async (t) => {
  const waiting: (() => void)[] = [];
  let stalled = true;
  const port = await server(t, (request, reply) => {
    if (stalled) waiting.push(() => reply(accept(request)));
    else reply(accept(request));
  });
  const load = await loadOn(t, port);
  const running = load.run({ warmUpMs: 0, measureMs: 600, perSecond: 200 });
  // With its eight lines taken the load can send no more, though requests fall due.
  await until(() => waiting.length === 8, 'every line waits');
  const stalledAt = performance.now();
  await until(() => performance.now() - stalledAt > 100, 'a tenth of a second has passed');
  stalled = false;
  for (const release of waiting) release();
  const { latencyMs, total } = await running;
  t.ok(latencyMs.max >= 100, `the stall shows: ${latencyMs.max} ms`);
  t.ok(latencyMs.p50 < latencyMs.max);
  t.ok(total.answered > 8);
});

t.test('a section of the README stays where a server failed', async (t) => {
  const printed = t.capture(console, 'log');
  const options = { ...readOptions('radius', '/tmp'), write: true };
  // A section that is not there: who writes it fails.
  publish('nowhere', options, {}, 'a table', ['FreeRADIUS, PostgreSQL']);
  t.match(printed()[0]?.args[0], /^a table\n\nFailed.*: FreeRADIUS, PostgreSQL\.$/);
  t.throws(() => publish('nowhere', options, {}, 'a table'), /lacks the marks/);
});

t.test('a section of the README is replaced between its marks', async (t) => {
  const text = 'a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb';
  t.equal(replaceSection(text, 'x', 'new'), 'a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb');
  t.throws(() => replaceSection(text, 'y', 'new'), /lacks the marks/);
});
