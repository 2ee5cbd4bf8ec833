// EAP over RADIUS: conversations, their State, what devices may say in any round, tunnels and settings. Real devices: test/interop/eap.test.ts.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import t from 'tap';
import { methodMakers } from '#aaa-server/auth/eap/methods.ts';
import { createEapStates } from '#aaa-server/auth/eap/states.ts';
import { createTlsFrames, emptyFrame } from '#aaa-server/auth/eap/tls-frames.ts';
import { createTlsBasis, createTlsSession } from '#aaa-server/auth/eap/tls-session.ts';
import { attribute, firstAttribute, octetsAt, textOf } from '#aaa-server/wire/attributes.ts';
import { decodeAvps, encodeAvp } from '#aaa-server/wire/avp.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import { decodeEap, eapMessages, eapOf, eapType } from '#aaa-server/wire/eap.ts';
import type { PacketBuilder } from '#aaa-server/wire/encode.ts';
import { ntHash } from '#aaa-server/wire/mschap.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { checkEap } from '#ops/doctor/eap.ts';
import { eapIdentity } from '#ops/runtime/eap-identity.ts';
import { readSettings } from '#ops/runtime/settings.ts';
import { environmentOf, type ProcessName } from '#ops/up/environment.ts';
import { settings as upSettings } from '#ops/up/settings.ts';
import { eapMethodNames } from '#policy/credentials/eap-methods.ts';
import { runs } from '#test/support/effort.ts';
import { until } from '#test/support/wait.ts';
import { makeCertificates } from './support/certificates.ts';
import { createIsp, nasOf } from './support/isp.ts';
import { createLogins, type Reply } from './support/logins.ts';
import { mulberry32 } from './support/mutate.ts';

type Logins = ReturnType<typeof createLogins>;

function response(identifier: number, type: number, data: Buffer): Buffer {
  const head = Buffer.of(2, identifier, 0, 0, type);
  head.writeUInt16BE(head.length + data.length, 2);
  return Buffer.concat([head, data]);
}

/** Says an EAP packet, going on with the State of `after`. */
function say(logins: Logins, eap: Buffer, after?: Reply, accessServer?: string): Promise<Reply | undefined> {
  return logins.ask((builder: PacketBuilder) => {
    builder.add(attribute.userName, 'alice');
    if (accessServer) builder.add(attribute.nasIdentifier, accessServer);
    for (const part of eapMessages(eap)) builder.add(attribute.eapMessage, part);
    if (eap.length === 0) builder.add(attribute.eapMessage, '');
    const stateAt = after ? firstAttribute(after.packet, attribute.state) : -1;
    if (after && stateAt >= 0) builder.add(attribute.state, octetsAt(after.packet, stateAt));
  });
}

const identity = (name = 'alice') => response(1, eapType.identity, Buffer.from(name));

/** The Request in a challenge. */
function requestIn(reply: Reply | undefined) {
  const request = reply && reply.packet.code === code.accessChallenge ? decodeEap(eapOf(reply.packet)) : undefined;
  if (!request) throw new Error(`no challenge, but ${reply?.packet.code}`);
  return request;
}

function md5Answer(reply: Reply, password = 'wonderland'): Buffer {
  const { identifier, data } = requestIn(reply);
  const value = chapResponse(identifier, Buffer.from(password), data.subarray(1, 17));
  return response(identifier, eapType.md5, Buffer.concat([Buffer.of(16), value, Buffer.from('alice')]));
}

t.test('an Accept names who was proven, with the realm', async (t) => {
  const logins = createLogins({ makers: methodMakers(['gtc'], null) });
  logins.isp.addSubscriber('bob', 'builder', {}, 'example.net');
  const asked = (await say(logins, response(1, eapType.identity, Buffer.from('example.net\\bob'))))!;
  const { identifier } = requestIn(asked);
  const accept = (await say(logins, response(identifier, eapType.gtc, Buffer.from('builder')), asked))!;
  t.equal(textOf(accept.packet, attribute.userName), 'bob@example.net', 'in the request it was alice');
});

function withAlice(options: Parameters<typeof createLogins>[0] = {}) {
  const logins = createLogins({ makers: methodMakers(['md5', 'gtc', 'mschapv2'], null), ...options });
  logins.isp.addSubscriber('alice', 'wonderland');
  return logins;
}

t.test('a conversation by MD5 ends in a Success with the identifier it answers', async (t) => {
  const logins = withAlice();
  const challenge = (await say(logins, identity()))!;
  t.equal(requestIn(challenge).type, eapType.md5);
  const accept = (await say(logins, md5Answer(challenge), challenge))!;
  t.equal(accept.packet.code, code.accessAccept);
  t.same([...eapOf(accept.packet)], [3, requestIn(challenge).identifier, 0, 4]);
  t.equal(textOf(accept.packet, attribute.userName), 'alice');
  t.equal(logins.counted('replies', 'access_challenge'), 1);

  const again = (await say(logins, identity()))!;
  const reject = (await say(logins, md5Answer(again, 'looking-glass'), again))!;
  t.equal(reject.packet.code, code.accessReject);
  t.same([...eapOf(reject.packet)], [4, requestIn(again).identifier, 0, 4]);
  t.equal(logins.counted('rejects', 'wrong_password'), 1);
  const stranger = (await say(logins, identity('nobody')))!;
  t.equal((await say(logins, md5Answer(stranger), stranger))!.packet.code, code.accessReject);
  t.equal(logins.counted('rejects', 'unknown_user'), 1);
  logins.isp.changeSubscription(1, { customerStatus: 'blocked' });
  const proven = (await say(logins, identity()))!;
  const refused = (await say(logins, md5Answer(proven), proven))!;
  t.equal(eapOf(refused.packet)[0], 4, 'a proven login that policy refuses ends in a Failure');
});

t.test('an EAP-Start is asked for its identity', async (t) => {
  const logins = withAlice();
  const asked = (await say(logins, Buffer.alloc(0)))!;
  const { type, identifier } = requestIn(asked);
  t.equal(type, eapType.identity);
  const challenge = (await say(logins, response(identifier, eapType.identity, Buffer.from('alice')), asked))!;
  t.equal((await say(logins, md5Answer(challenge), challenge))!.packet.code, code.accessAccept);
});

t.test('a device that wants another method gets it, or a reject', async (t) => {
  const logins = withAlice();
  const challenge = (await say(logins, identity()))!;
  const nak = (after: Reply, ...types: number[]) =>
    say(logins, response(requestIn(after).identifier, eapType.nak, Buffer.from(types)), after);
  const gtc = (await nak(challenge, eapType.tls, eapType.gtc))!;
  const { type, identifier } = requestIn(gtc);
  t.equal(type, eapType.gtc);
  const accept = await say(logins, response(identifier, eapType.gtc, Buffer.from('wonderland')), gtc);
  t.equal(accept!.packet.code, code.accessAccept);
  const second = (await say(logins, identity()))!;
  t.equal((await nak(second, eapType.tls, eapType.peap))!.packet.code, code.accessReject);
  t.equal(logins.counted('rejects', 'eap_no_common_method'), 1);
});

t.test('only methods that the stored password can serve are offered', async (t) => {
  const logins = withAlice({ makers: methodMakers(['md5', 'mschapv2', 'gtc'], null) });
  logins.isp.addSubscriber('bob', ntHash(Buffer.from('x')).toString('hex'), {}, '', 'nt');
  logins.isp.addSubscriber('carol', 'W6ph5Mm5Pz8GgiULbPgzG37mj9g=', {}, '', 'sha');
  t.equal(requestIn(await say(logins, identity('bob'))).type, eapType.mschapv2);
  t.equal(requestIn(await say(logins, identity('carol'))).type, eapType.gtc);
  const plain = withAlice({ makers: methodMakers(['md5'], null) });
  plain.isp.addSubscriber('carol', 'W6ph5Mm5Pz8GgiULbPgzG37mj9g=', {}, '', 'sha');
  t.equal((await say(plain, identity('carol')))!.packet.code, code.accessReject);
  t.equal(plain.counted('rejects', 'unsuitable_scheme'), 1);
});

t.test('a response that is sent again is answered again; one that was not asked for is dropped', async (t) => {
  const logins = withAlice();
  const challenge = (await say(logins, identity()))!;
  const { identifier } = requestIn(challenge);
  t.equal(await say(logins, response((identifier + 1) & 0xff, eapType.md5, Buffer.alloc(17)), challenge), undefined);
  t.equal(logins.counted('drops', 'eap_unexpected'), 1);
  const repeated = (await say(logins, identity(), challenge))!;
  t.equal(requestIn(repeated).identifier, identifier, 'the same Request');
  t.equal(logins.counted('eap', 'repeated'), 1);
  t.equal((await say(logins, md5Answer(challenge), challenge))!.packet.code, code.accessAccept);
});

t.test('a State that is foreign, made up or over is a reject, counted', async (t) => {
  const logins = withAlice();
  const challenge = (await say(logins, identity()))!;
  const state = Buffer.from(octetsAt(challenge.packet, firstAttribute(challenge.packet, attribute.state)));
  const withState = (octets: Buffer) =>
    logins.ask((builder) => {
      builder.add(attribute.userName, 'alice');
      builder.add(attribute.eapMessage, md5Answer(challenge));
      builder.add(attribute.state, octets);
    });
  const altered = Buffer.from(state);
  altered[6] = altered[6]! ^ 1;
  for (const octets of [altered, Buffer.from('another server'), Buffer.alloc(35)]) {
    t.equal((await withState(octets))!.packet.code, code.accessReject);
  }
  t.equal(logins.counted('rejects', 'eap_state_unknown'), 3);
  t.equal((await withState(state))!.packet.code, code.accessAccept);
  t.equal((await withState(state))!.packet.code, code.accessReject, 'the conversation is over');
});

t.test('a wall clock that jumps ends no conversation; a minute does', async (t) => {
  const logins = withAlice();
  for (const jump of [3_600_000, -86_400_000, 10 * 365 * 86_400_000]) {
    const challenge = (await say(logins, identity()))!;
    logins.wallAheadMs += jump;
    t.equal((await say(logins, md5Answer(challenge), challenge))!.packet.code, code.accessAccept, `by ${jump} ms`);
  }
  const challenge = (await say(logins, identity()))!;
  logins.monotonicMs += 60_000;
  t.equal((await say(logins, md5Answer(challenge), challenge))!.packet.code, code.accessReject);
  t.equal(logins.counted('rejects', 'eap_state_unknown'), 1);
});

t.test(
  'a State names its worker for as long as the conversation may last, to the access server it was given',
  async (t) => {
    const key = randomBytes(32);
    const states = createEapStates({ key, node: 'a', worker: 3 });
    const place = states.place();
    const state = states.encode(place, 7, 1_000_000);
    t.ok(state.length <= 253);
    t.same(states.decode(state, 7, 999_999), place);
    t.equal(states.decode(state, 8, 999_999), undefined, 'another access server');
    t.equal(states.decode(state, 7, 1_000_001), undefined, 'over');
    t.equal(createEapStates({ key, node: 'b', worker: 3 }).decode(state, 7, 0), undefined, 'another node');
    t.equal(createEapStates({ key: randomBytes(32), node: 'a', worker: 3 }).decode(state, 7, 0), undefined);
    t.same(createEapStates({ key, node: 'a', worker: 0 }).decode(state, 7, 0), place, 'another worker of the node');
  },
);

t.test('a packet that another worker received reaches the one that leads its conversation', async (t) => {
  const [first, second] = [withAlice({ worker: 0, workers: 2 }), withAlice({ worker: 1, workers: 2 })];
  const challenge = (await say(first, identity()))!;
  t.equal(await say(second, md5Answer(challenge), challenge), undefined);
  t.equal(second.counted('eap', 'handed_over'), 1);
  const [handed] = second.handedOver;
  t.match(handed, { worker: 0, datagram: { socketIndex: 0, peer: { address: '127.0.0.1' } } });
  first.receive(Buffer.from(handed!.datagram.data));
  t.equal(first.counted('replies', 'access_accept'), 1);
  const alone = withAlice({ worker: 0, workers: 1 });
  t.equal((await say(alone, md5Answer(challenge), challenge))!.packet.code, code.accessReject, 'after a restart');
});

t.test('conversations are bounded: the oldest of the same access server makes room', async (t) => {
  const logins = withAlice();
  logins.isp.setNases([nasOf({ identifier: null }), nasOf({ id: 2, identifier: 'elsewhere' })]);
  logins.monotonicMs += 1000;
  const elsewhere = (await say(logins, identity(), undefined, 'elsewhere'))!;
  const oldest = (await say(logins, identity()))!;
  const second = (await say(logins, identity()))!;
  for (let i = 0; i < 1022; i++) await say(logins, identity());
  t.equal(logins.counted('eap', 'evicted'), 0);
  const last = (await say(logins, identity()))!;
  t.equal(logins.counted('eap', 'evicted'), 1);
  t.equal((await say(logins, md5Answer(oldest), oldest))!.packet.code, code.accessReject);
  t.equal((await say(logins, md5Answer(second), second))!.packet.code, code.accessAccept);
  t.equal((await say(logins, md5Answer(last), last))!.packet.code, code.accessAccept);
  const other = (await say(logins, md5Answer(elsewhere), elsewhere, 'elsewhere'))!;
  t.equal(other.packet.code, code.accessAccept, 'begun before all of them, at another access server');
});

t.test('whatever a device says in whatever round, no login fails for it', { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const isp = createIsp();
  const makers = methodMakers(eapMethodNames, makeCertificates(folder), isp.snapshot);
  const logins = withAlice({ isp, makers });
  const random = mulberry32(20_261_127);
  const pick = (below: number) => Math.floor(random() * below);
  const octets = (length: number) => Buffer.from(Array.from({ length }, () => pick(256)));
  for (let round = 0; round < runs(120, 15_000); round++) {
    let reply = await say(logins, identity());
    const wanted = makers[pick(makers.length)]!.type;
    for (let step = 0; step < 4 && reply?.packet.code === code.accessChallenge; step++) {
      const { identifier, type } = requestIn(reply);
      if (step === 0 && type !== wanted) {
        reply = await say(logins, response(identifier, eapType.nak, Buffer.of(wanted)), reply);
        continue;
      }
      // Flags, a length and the head of a TLS record, an op code or a value size: what each method looks at first.
      const head = [[0], [0x80, 0, 0, 1, 0], [0x40], [16], [2, 7, 0, 54, 49], [0, 22, 3, 1, 0, 80], [3], [4]][pick(8)]!;
      const packet = response(identifier, type, Buffer.concat([Buffer.from(head), octets(pick(90))]));
      if (pick(10) === 0) packet[pick(packet.length)] = pick(256);
      reply = await say(logins, packet, reply);
    }
  }
  t.equal(logins.counted('drops', 'handler_error'), 0);
  t.strictSame(logins.warnings, []);
  t.equal(logins.counted('replies', 'access_accept'), 0);
  for (let i = 0; i < 2000; i++) decodeAvps(octets(pick(64)));
});

t.test('fragments are put together again, whatever their size', async (t) => {
  const message = randomBytes(5000);
  const [sender, receiver] = [createTlsFrames(999), createTlsFrames(999)];
  const kinds: string[] = [];
  let whole: Buffer | undefined;
  for (let packet: Buffer | undefined = sender.send(message); packet; packet = sender.next()) {
    const received = receiver.receive(packet);
    kinds.push(received.kind);
    if (received.kind === 'message') whole = received.octets;
  }
  t.strictSame(kinds, ['part', 'part', 'part', 'part', 'part', 'message']);
  t.ok(whole?.equals(message));
  t.equal(receiver.receive(Buffer.of(0)).kind, 'acknowledged');
  t.equal(receiver.receive(Buffer.alloc(0)).kind, 'malformed');
  t.equal(receiver.receive(Buffer.of(0x80, 0, 0)).kind, 'malformed');
  let last = 'part';
  for (let i = 0; i < 70 && last === 'part'; i++) {
    last = receiver.receive(Buffer.concat([Buffer.of(0x40), Buffer.alloc(1000)])).kind;
  }
  t.equal(last, 'malformed', 'no message is longer than 64 KiB');
});

t.test('attribute-value pairs keep vendor, code and octets', async (t) => {
  const avps = [
    { vendor: 0, code: 1, data: Buffer.from('alice') },
    { vendor: 311, code: 25, data: randomBytes(50) },
    { vendor: 0, code: 2, data: Buffer.alloc(16) },
  ];
  const octets = Buffer.concat(avps.map(encodeAvp));
  t.same(decodeAvps(octets), avps);
  t.equal(decodeAvps(octets.subarray(0, -9)), undefined);
  t.equal(decodeAvps(Buffer.from('0000000140000003', 'hex')), undefined, 'shorter than its own head');
});

t.test('a tunnel that the device closes gives no keys', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const identity = makeCertificates(folder);
  for (const requestCertificate of [false, true]) {
    const session = createTlsSession(createTlsBasis(identity, requestCertificate));
    const said: Buffer[] = [];
    const wire = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        said.push(chunk);
        done();
      },
    });
    const device = connect({ socket: wire, ca: identity.ca, servername: 'radius.example.net' });
    t.teardown(() => device.destroy());
    device.on('error', (error) => t.fail(error.message));
    const exchange = async () => {
      await until(() => said.length > 0, 'the device speaks');
      const turn = await session.receive(Buffer.concat(said.splice(0)));
      if (turn.output.length > 0) wire.push(turn.output);
      return turn;
    };
    let turn = await exchange();
    while (!turn.established) turn = await exchange();
    t.equal(session.exportKey(128, 'client EAP encryption').length, 128);
    t.equal(session.peerNames(), undefined, 'a device without a certificate has no names');
    await until(() => !device.connecting && device.getProtocol(), 'the device is content');
    device.end();
    await until(async () => (await exchange()).error, 'the end is noticed');
    session.close();
  }
});

t.test('what goes unanswered inside a tunnel is looked at again when it is sent again', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const identity = makeCertificates(folder);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    let computed = 0;
    const logins = createLogins({
      makers: methodMakers(['ttls'], identity),
      crypt: {
        async hash(_password, setting) {
          if (computed++ === 0) throw new Error('not now');
          return setting.toString();
        },
      },
    });
    logins.isp.addSubscriber('alice', '$6$one', {}, '', 'crypt');
    const said: Buffer[] = [];
    const wire = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        said.push(chunk);
        done();
      },
    });
    const device = connect({ socket: wire, ca: identity.ca, servername: 'radius.example.net', maxVersion });
    t.teardown(() => device.destroy());
    device.on('error', (error) => t.fail(error.message));
    let isOpen = false;
    device.on('secureConnect', () => {
      isOpen = true;
    });
    const frames = createTlsFrames(16_000);
    let reply = (await say(logins, response(1, eapType.identity, Buffer.from('anonymous'))))!;
    const answer = (data: Buffer) => response(requestIn(reply).identifier, eapType.ttls, data);
    const exchange = async () => {
      await until(() => said.length > 0, 'the device speaks');
      reply = (await say(logins, answer(frames.send(Buffer.concat(said.splice(0)))), reply))!;
      for (;;) {
        const received = frames.receive(requestIn(reply).data);
        if (received.kind === 'message') wire.push(received.octets);
        if (received.kind !== 'part') return;
        reply = (await say(logins, answer(emptyFrame), reply))!;
      }
    };
    while (!isOpen || said.length > 0) {
      await exchange();
      await until(() => isOpen || said.length > 0, 'the device goes on');
    }
    const avp = (type: number, text: string) => encodeAvp({ vendor: 0, code: type, data: Buffer.from(text) });
    device.write(Buffer.concat([avp(attribute.userName, 'alice'), avp(attribute.userPassword, 'wonderland')]));
    await until(() => said.length > 0, 'the device names itself');
    const last = answer(frames.send(Buffer.concat(said.splice(0))));
    t.equal(await say(logins, last, reply), undefined, 'no hash can be computed');
    t.equal(logins.counted('drops', 'password_scheme_unavailable'), 1);
    const accept = (await say(logins, last, reply))!;
    t.equal(accept.packet.code, code.accessAccept, maxVersion);
    t.equal(textOf(accept.packet, attribute.userName), 'alice', 'who was proven inside');
    t.equal(computed, 2);
  }
});

t.test('a device cannot begin a second handshake with another certificate inside its tunnel', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const identity = makeCertificates(folder);
  const own = (name: string) => ({
    cert: readFileSync(path.join(folder, `${name}.pem`)),
    key: readFileSync(path.join(folder, `${name}.key`)),
  });
  const session = createTlsSession(createTlsBasis(identity, true));
  const said: Buffer[] = [];
  const wire = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      said.push(chunk);
      done();
    },
  });
  const device = connect({
    ...{ socket: wire, ca: identity.ca, servername: 'radius.example.net', maxVersion: 'TLSv1.2' },
    ...own('alice'),
  });
  t.teardown(() => device.destroy());
  const exchange = async () => {
    await until(() => said.length > 0, 'the device speaks');
    const turn = await session.receive(Buffer.concat(said.splice(0)));
    if (turn.output.length > 0) wire.push(turn.output);
    return turn;
  };
  let turn = await exchange();
  while (!turn.established) turn = await exchange();
  t.equal(session.peerNames()?.commonName, 'alice');
  let refused: unknown;
  device.on('error', (error) => (refused = error));
  device.renegotiate({ rejectUnauthorized: false }, (error) => (refused ??= error ?? 'it was renegotiated'));
  const hello = await exchange();
  for (let more = hello; said.length > 0 && !more.error; ) more = await exchange();
  t.ok(refused instanceof Error || hello.error, 'the second handshake is refused');
  t.equal(session.peerNames()?.commonName, 'alice');
  session.close();
});

t.test('handshakes at the same time are told apart: each conversation has the names of its own device', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const identity = makeCertificates(folder);
  const basis = createTlsBasis(identity, true);
  const begin = (name: string | null) => {
    const session = createTlsSession(basis);
    const said: Buffer[] = [];
    const wire = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        said.push(chunk);
        done();
      },
    });
    const own = name && {
      cert: readFileSync(path.join(folder, `${name}.pem`)),
      key: readFileSync(path.join(folder, `${name}.key`)),
    };
    const device = connect({ socket: wire, ca: identity.ca, servername: 'radius.example.net', ...own });
    device.on('error', () => undefined);
    t.teardown(() => device.destroy());
    t.teardown(() => session.close());
    return { session, said, wire, name, established: false };
  };
  const all = ['alice', null, 'bob', 'revoked', 'mallory', 'alice'].map(begin);
  // A round of each in turn, so that every handshake is under way while the others are.
  await until(async () => {
    for (const one of all) {
      if (one.said.length === 0) continue;
      const turn = await one.session.receive(Buffer.concat(one.said.splice(0)));
      if (turn.output.length > 0) one.wire.push(turn.output);
      one.established = turn.established;
    }
    return all.every(({ established }) => established);
  }, 'all handshakes are over');
  t.strictSame(
    all.map(({ session }) => session.peerNames()?.commonName),
    ['alice', undefined, 'bob', undefined, undefined, 'alice'],
  );
});

t.test('the settings of EAP are refused where they cannot work, and only aaa-server sees the key', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  makeCertificates(folder);
  const files = {
    EAP_TLS_CERT_FILE: path.join(folder, 'radius.example.net.pem'),
    EAP_TLS_KEY_FILE: path.join(folder, 'radius.example.net.key'),
    EAP_TLS_CA_FILE: path.join(folder, 'ca.pem'),
  };
  const read = (environment: Record<string, string>) => eapIdentity(readSettings(upSettings, environment));
  t.match(read(files), { ok: true, identity: { cert: /BEGIN CERTIFICATE/, key: /PRIVATE KEY/ } });
  t.match(read({ ...files, EAP_TLS_KEY_FILE: path.join(folder, 'alice.key') }), { ok: false, problem: /mismatch/ });
  t.match(read({}), { ok: true, identity: null });
  t.throws(() => read({ EAP_METHODS: 'md5,leap' }), /EAP_METHODS/);
  const facts = { dataDir: '', redisUrl: '', clickhouseUrl: '', appDatabaseUrl: '', feedDatabaseUrl: '' };
  const shown = (name: ProcessName) =>
    Object.keys(
      environmentOf(name, files, readSettings(upSettings, {}), { ...facts, secretKeys: ['x'], adminPassword: '' }),
    );
  t.ok(shown('aaa-server').includes('EAP_TLS_KEY_FILE'));
  t.notOk(shown('control-api').includes('EAP_TLS_KEY_FILE'));
});

t.test('a certificate proves subscribers of one tenant only', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const identity = makeCertificates(folder);
  const { snapshot } = createIsp();
  const several = { ...snapshot, onlyTenant: () => undefined };
  const wantTls = async (tenant: string, tenants = snapshot) => {
    const logins = withAlice({ makers: methodMakers(['tls', 'md5', 'ttls'], { ...identity, tenant }, tenants) });
    const offered = (await say(logins, response(1, eapType.identity, Buffer.from('alice'))))!;
    const { type, identifier } = requestIn(offered);
    if (type === eapType.tls) return 'offered';
    t.equal(type, eapType.md5, 'another method is offered');
    const ask = async (wanted: number) => say(logins, response(identifier, eapType.nak, Buffer.of(wanted)), offered);
    t.equal((await ask(eapType.tls))!.packet.code, code.accessReject);
    t.equal(logins.counted('rejects', 'eap_tls_not_of_tenant'), 1);
    return 'refused';
  };
  t.equal(await wantTls(''), 'offered', 'the only tenant');
  t.equal(await wantTls('', several), 'refused', 'one of several');
  t.equal(await wantTls('demo', several), 'offered', 'the one that is named');
  t.equal(await wantTls('other', several), 'refused');
  t.equal(await wantTls('other'), 'refused', 'even when there is no other');
  const makers = methodMakers(['tls', 'ttls'], identity, several);
  t.equal(
    requestIn(await say(withAlice({ makers }), response(1, eapType.identity, Buffer.from('alice')))).type,
    eapType.ttls,
    'TTLS is for everybody',
  );
});

t.test('the doctor tells which methods cannot be offered', async (t) => {
  const settings = {
    EAP_METHODS: [...eapMethodNames],
    EAP_TLS_CERT: '',
    EAP_TLS_KEY: '',
    EAP_TLS_CA: '',
    EAP_TLS_CRL: '',
    EAP_TLS_TENANT: '',
  };
  t.match(checkEap(settings, 0), { state: 'warn', text: /^peap, ttls, tls cannot be offered/ });
  t.match(checkEap({ ...settings, EAP_METHODS: ['md5'] }, 0), { state: 'ok', text: 'md5' });
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { cert, key, ca } = makeCertificates(folder);
  const complete = { ...settings, EAP_TLS_CERT: cert, EAP_TLS_KEY: key, EAP_TLS_CA: ca };
  t.match(checkEap(complete, 0), { state: 'warn', text: /^tls is refused as soon as there are two tenants/ });
  t.match(checkEap({ ...complete, EAP_TLS_TENANT: 'demo' }, 0), { state: 'ok' });
  t.match(checkEap({ ...settings, EAP_TLS_CERT: 'x' }, 0), { state: 'bad', text: /belong together/ });
  t.match(checkEap({ ...settings, EAP_TLS_CERT: 'x', EAP_TLS_KEY: 'y' }, 0), { state: 'bad', text: /cannot be used/ });
});
