// What a guesser sees: a name that nobody has and a password that is wrong are refused alike, by the same answer after the same delay.
import { randomBytes, randomUUID } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { microsoft } from '#aaa-server/auth/mppe.ts';
import { createCounters } from '#aaa-server/counters.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import { createRadiusHandler } from '#aaa-server/radius/handler.ts';
import { attribute, eachAttribute, vendor } from '#aaa-server/wire/attributes.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import { openCrypt } from '#ops/runtime/crypt.ts';
import { until } from '#test/support/wait.ts';
import { decoded, secret } from './support/driven.ts';
import { createIsp, keyring } from './support/isp.ts';

const rejectDelayMs = 1000;
const root = path.resolve(import.meta.dirname, '../..');

/** A handler whose timers fire when the test says so; what is sent is kept with its instant. */
async function setUp() {
  const isp = createIsp();
  const now = { ms: 1000 };
  const timers: { atMs: number; run: () => void }[] = [];
  const sent: { atMs: number; reply: Buffer }[] = [];
  const clock = { nowMs: () => now.ms, monotonicMs: () => now.ms };
  const keep = (data: Buffer, start: number, length: number) =>
    sent.push({ atMs: now.ms, reply: Buffer.from(data.subarray(start, start + length)) });
  const handler = createRadiusHandler({
    snapshot: isp.snapshot,
    ...{ keyring, clock, counters: createCounters(), rejectDelayMs, crypt: await openCrypt() },
    eap: { node: 'node', worker: 0, workers: 1, makers: [] },
    handOver: () => undefined,
    authorize: createAnswerLogin({
      ...{ snapshot: isp.snapshot, clock, classKey: keyring.derive('class'), random: () => 0.5 },
      feedSilence: { toleratedMs: 900_000, extraGraceMs: 0 },
      uuid: () => randomUUID().replaceAll('-', ''),
    }),
    receiveAccounting: () => ({ ok: false, reason: 'not in this test', ack: false }),
    append: async () => undefined,
    later: (run, ms) => void timers.push({ atMs: now.ms + ms, run }),
    warn: () => undefined,
  });
  const socket = {
    address: '127.0.0.1',
    port: 1812,
    index: 0,
    send: (_: object, ...reply: [Buffer, number, number]) => void keep(...reply),
  };
  /** The answer and how long after the decision it left. */
  async function ask(add: (builder: PacketBuilder, authenticator: Buffer) => void) {
    const builder = createPacketBuilder();
    const authenticator = randomBytes(16);
    builder.begin(code.accessRequest, 7);
    builder.messageAuthenticator();
    add(builder, authenticator);
    builder.finishAccessRequest(authenticator, secret);
    const data = Buffer.from(builder.data.subarray(0, builder.length()));
    const askedMs = now.ms;
    handler.handleBatch(
      'auth',
      {
        ...{ count: 1, data: [data], starts: [0], lengths: [data.length] },
        peers: [{ address: '127.0.0.1', port: 40_000 }],
        reply: (_, ...reply) => void keep(...reply),
      },
      socket,
      0,
    );
    await until(() => timers.length > 0 || sent.length > 0, 'the decision', 20_000);
    t.equal(sent.length, 0, 'nothing leaves at once');
    for (const { atMs, run } of timers.splice(0)) {
      now.ms = atMs;
      run();
    }
    const [answer] = sent.splice(0);
    if (!answer) throw new Error('there is no answer');
    const packet = decoded(answer.reply);
    const attributes: string[] = [];
    eachAttribute(packet, (type, at) => {
      // What differs with every request is left out.
      const value = packet.data
        .subarray(at + 2, at + (packet.data[at + 1] ?? 2))
        .toString('hex')
        // The next challenge of MS-CHAP: ` C=` and 32 digits.
        .replace(/20433d(?:[0-9a-f]{2}){32}/, '');
      attributes.push(type === attribute.messageAuthenticator ? String(type) : `${type} ${value}`);
    });
    return { afterMs: answer.atMs - askedMs, code: packet.code, attributes, octets: answer.reply.length };
  }
  return { isp, ask };
}

const named = (builder: PacketBuilder, name: string) => builder.add(attribute.userName, name);
const challenge = randomBytes(16);
const ways: Record<string, (name: string) => (builder: PacketBuilder, authenticator: Buffer) => void> = {
  PAP: (name) => (builder, authenticator) => {
    named(builder, name);
    builder.add(attribute.userPassword, hidePassword(Buffer.from('guess'), secret, authenticator));
  },
  CHAP: (name) => (builder) => {
    named(builder, name);
    builder.add(
      attribute.chapPassword,
      Buffer.concat([Buffer.of(9), chapResponse(9, Buffer.from('guess'), challenge)]),
    );
    builder.add(attribute.chapChallenge, challenge);
  },
  'MS-CHAP-2': (name) => (builder) => {
    named(builder, name);
    builder.addVendor(vendor.microsoft, microsoft.chapChallenge, challenge);
    builder.addVendor(vendor.microsoft, microsoft.chap2Response, Buffer.concat([Buffer.of(1, 0), Buffer.alloc(48, 7)]));
  },
};

for (const [way, of] of Object.entries(ways)) {
  t.test(`${way}: nobody's name and a wrong password get the same answer after the same delay`, async (t) => {
    const { isp, ask } = await setUp();
    isp.addSubscriber('alice', 'wonderland');
    const wrong = await ask(of('alice'));
    const nobody = await ask(of('nobody'));
    t.equal(wrong.code, code.accessReject);
    t.equal(wrong.afterMs, rejectDelayMs);
    t.strictSame(nobody, wrong);
  });
}

const crypt = await openCrypt();
const noCrypt = typeof crypt === 'string' && crypt;

t.test('where passwords are slow hashes, nobody has a slow hash too', { skip: noCrypt }, async (t) => {
  if (typeof crypt === 'string') return;
  const asked: string[] = [];
  const { isp, ask } = await setUp();
  const stored = await crypt.hash(Buffer.from('wonderland'), Buffer.from('$6$rounds=1000$saltsalt'));
  isp.addSubscriber('alice', stored ?? '', {}, '', 'crypt');
  const credential = isp.snapshot.credential;
  isp.snapshot.credential = (tenantId, realm, userName) => {
    asked.push(userName);
    return credential(tenantId, realm, userName);
  };
  const wrong = await ask(ways.PAP!('alice'));
  t.strictSame(await ask(ways.PAP!('nobody')), wrong);
  t.equal(wrong.afterMs, rejectDelayMs);
  t.strictSame(asked, ['alice', 'nobody'], 'both are looked for in the same places');
});

/** Comparisons that may end early, and why the time tells nothing: what is compared is no secret of anybody. */
const notSecret: Readonly<Record<string, string>> = {
  'auth/passwords.ts': 'the ciphertext of a record with the ciphertext it was decrypted from',
  'auth/eap/states.ts': 'the name of the node, which every State shows',
  'auth/eap/ttls.ts': 'a challenge that both ends of the tunnel know',
  'auth/eap/eap.ts': 'what the device said before with what it says now',
  'auth/eap/tunnel.ts': 'what the device said before with what it says now',
  'wire/leaves.ts': 'the number of an attribute',
  'auth/vouched.ts': 'a password with the user name beside it, both of one request',
};

t.test('what proves anything is compared in constant time', async (t) => {
  const files = globSync('aaa-server/{auth,wire,radius,radsec,accounting}/**/*.ts', { cwd: root });
  const early = files.filter((file) =>
    /\.equals\(|Buffer\.compare\(|\.compare\(/.test(readFileSync(path.join(root, file), 'utf8')),
  );
  t.strictSame(early.map((file) => file.replace('aaa-server/', '')).toSorted(), Object.keys(notSecret).toSorted());
  for (const file of [
    ...['auth/same-octets.ts', 'auth/digests.ts', 'auth/mschap.ts', 'auth/slow-hashes.ts', 'auth/eap/md5.ts'],
    ...['auth/eap/ttls.ts', 'auth/eap/states.ts', 'accounting/class.ts'],
  ]) {
    t.match(readFileSync(path.join(root, 'aaa-server', file), 'utf8'), /timingSafeEqual/, file);
  }
  for (const file of ['message-authenticator.ts', 'authenticators.ts', 'chap.ts']) {
    t.match(readFileSync(path.join(root, 'aaa-server/wire', file), 'utf8'), /sameDigest|digestEquals/, file);
  }
});
