// Odd secrets, the largest values and packets, clocks that jump, and every kind of packet mutated: through the handler.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { dropReasons } from '#aaa-server/counters.ts';
import { createDuplicates } from '#aaa-server/radius/duplicates.ts';
import { attribute, eachAttribute, octetsAt } from '#aaa-server/wire/attributes.ts';
import { verifyResponse } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket, maxPacketLength } from '#aaa-server/wire/packet.ts';
import { hideSalted, revealSalted } from '#aaa-server/wire/salted.ts';
import { hidePassword, revealPassword } from '#aaa-server/wire/user-password.ts';
import { runs } from '#test/support/effort.ts';
import { accessRequest, createDriven, decoded, pap, secret } from './support/driven.ts';
import { everyKind, resign } from './support/every-kind.ts';
import { nasOf } from './support/isp.ts';
import { mulberry32, mutate } from './support/mutate.ts';

const octets = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes));

t.test('a secret is octets, whatever they are: every proof and every hiding comes back', async (t) => {
  const builder = createPacketBuilder();
  fc.assert(
    fc.property(octets(1, 1024), octets(0, 128), octets(16, 16), (raw, value, authenticator) => {
      const key = createSecret(raw);
      const other = createSecret(Buffer.concat([raw, Buffer.of(1)]).subarray(-1024));
      builder.begin(code.accessRequest, 1);
      builder.messageAuthenticator();
      builder.add(attribute.userPassword, hidePassword(value, key, authenticator));
      builder.finishAccessRequest(authenticator, key);
      const packet = decoded(Buffer.from(builder.data.subarray(0, builder.length())));
      const plain = revealPassword(octetsAt(packet, 38), key, packet.data, 4);
      const expected = Buffer.from(value.toString('latin1').replace(/\0+$/, ''), 'latin1');
      const salted = hideSalted(value, key, authenticator, 0, 5);
      return (
        verifyMessageAuthenticator(packet, key) &&
        !verifyMessageAuthenticator(packet, other) &&
        plain?.equals(expected) === true &&
        revealSalted(salted, key, authenticator)?.equals(value) === true
      );
    }),
    { numRuns: runs(300) },
  );
  t.pass('300 secrets');
  for (const [name, text] of [
    ['NUL inside and at the end', 'a\0b\0'],
    ['spaces, quotes and a backslash', ' "\'\\ '],
    ['letters beyond ASCII', 'pässwörd-ключ-密'],
    ['one octet', '\u0001'],
    ['128 characters', '€'.repeat(128)],
  ] as const) {
    const driven = createDriven();
    driven.isp.setNases([nasOf({ secrets: [text] })]);
    driven.nowMs += 1000;
    const used = createSecret(Buffer.from(text));
    const request = pap({ secret: used, messageAuthenticator: true });
    const [reply] = driven.receive(request);
    t.ok(verifyResponse(decoded(reply), request, 4, used), name);
    t.equal(driven.answer(pap({ secret: createSecret(Buffer.from(`${text}x`)), messageAuthenticator: true })), 'none');
  }
});

t.test(
  'values of 253 octets and packets of 4096 are read and answered; what cannot be answered is counted',
  async (t) => {
    const driven = createDriven();
    const fill = (builder: PacketBuilder, type: number, upTo: number) => {
      while (upTo - builder.length() > 2)
        builder.add(type, Buffer.alloc(Math.min(253, upTo - builder.length() - 2), 0x61));
    };
    const full = pap({ extra: (builder) => fill(builder, attribute.connectInfo, maxPacketLength) });
    t.equal(full.length, maxPacketLength);
    t.equal(driven.answer(full), 'accessAccept');
    t.equal(driven.answer(Buffer.concat([full, Buffer.alloc(3000, 1)])), 'accessAccept', 'with padding: a repetition');
    t.equal(driven.counted('duplicates', 'resent'), 1);
    const longer = Buffer.concat([full, Buffer.from('4d03ff', 'hex')]);
    longer.writeUInt16BE(longer.length, 2);
    t.equal(driven.answer(longer), 'none');
    t.equal(driven.counted('drops', 'too_long'), 1);

    const states = pap({ messageAuthenticator: true, extra: (builder) => fill(builder, attribute.proxyState, 3000) });
    const [reply] = driven.receive(states);
    const back: Buffer[] = [];
    const packet = decoded(reply);
    eachAttribute(packet, (type, at) => type === attribute.proxyState && back.push(octetsAt(packet, at)));
    t.equal(Buffer.concat(back).length, back.length * 253 - (253 - (back.at(-1)?.length ?? 0)), 'all of them, whole');
    t.ok(back.length >= 11);
    const tooMany = pap({
      messageAuthenticator: true,
      extra: (builder) => fill(builder, attribute.proxyState, maxPacketLength),
    });
    t.equal(driven.answer(tooMany), 'none');
    t.equal(driven.counted('drops', 'reply_too_long'), 1);

    const longName = accessRequest((builder, authenticator) => {
      builder.add(attribute.userName, 'n'.repeat(253));
      builder.add(attribute.userPassword, hidePassword(Buffer.alloc(128, 0x70), secret, authenticator));
    });
    t.equal(driven.answer(longName), 'accessReject');
    t.equal(driven.counted('rejects', 'unknown_user'), 1);
  },
);

t.test('a clock that jumps makes no request new and no answer old', async (t) => {
  const driven = createDriven();
  const request = pap({ messageAuthenticator: true });
  const [first] = driven.receive(request);
  for (const jump of [-86_400_000, 10 * 365 * 86_400_000, -20 * 365 * 86_400_000]) {
    driven.wallMs += jump;
    t.strictSame(driven.receive(request), [first], `the wall clock moves by ${jump} ms`);
  }
  const duplicates = createDuplicates({ requests: 16, replyBytes: 1024, keepMs: 10_000 });
  const peer = { address: '10.0.0.1', port: 1024 };
  const authenticator = randomBytes(16);
  const entry = duplicates.open(peer, 0, 7, authenticator, 0, 1_000_000);
  duplicates.answer(entry, Buffer.from('reply'), 0, 5);
  for (const nowMs of [1_000_000, 999_000, 0, -5, 1_010_000]) {
    t.equal(duplicates.find(peer, 0, 7, authenticator, 0, nowMs), entry, `asked at ${nowMs}`);
  }
  t.equal(duplicates.find(peer, 0, 7, authenticator, 0, 1_010_001), -1);
  t.equal(duplicates.find(peer, 0, 7, authenticator, 0, Number.MAX_SAFE_INTEGER), -1);
});

t.test('a request from source port 0 is handled like any other: whether it is sent is for the socket', async (t) => {
  const driven = createDriven();
  t.equal(driven.answer(pap(), { address: '127.0.0.1', port: 0 }), 'accessAccept');
  t.equal(driven.answer(pap(), { address: '127.0.0.1', port: 65_535 }), 'accessAccept');
});

t.test(
  'mutations of every kind of packet on both ports: answered, on the way to the disk, or dropped with a reason',
  async (t) => {
    const seed = Number(process.env.FUZZ_SEED ?? 20_261_127);
    t.comment(`FUZZ_SEED=${seed}`);
    const random = mulberry32(seed);
    const driven = createDriven();
    const drops = () => dropReasons.reduce((sum, reason) => sum + driven.counted('drops', reason), 0);
    const known = () => driven.counted('duplicates', 'in_progress') + driven.counted('duplicates', 'resent');
    const accounted = () => driven.counted('requests', 'accounting');
    for (const [name, original] of everyKind()) {
      let dropped = 0;
      for (const port of ['auth', 'acct'] as const) {
        for (let i = 0; i < runs(250); i++) {
          const before = [drops(), known(), accounted()] as const;
          // Signed again at times, so that what is inside is reached too.
          const data = mutate(original, random);
          if (random() < 0.5 && data.length >= 20) resign(data);
          const replies = driven.receive(data, port).length;
          const isKnown = replies > 0 || drops() > before[0] || known() > before[1] || accounted() > before[2];
          if (!isKnown) throw new Error(`${name}: neither answered nor dropped: ${data.toString('hex')}`);
          dropped += drops() - before[0];
        }
      }
      await driven.handler.drain();
      driven.sent.splice(0);
      t.ok(dropped > 0, `${name}: ${dropped} of ${runs(500)} dropped`);
    }
    t.equal(driven.counted('drops', 'handler_error'), 0);
  },
);

t.test('a reply that was mutated verifies nowhere', async (t) => {
  const random = mulberry32(7);
  const request = pap();
  const builder = createPacketBuilder();
  builder.begin(code.accessAccept, 7);
  builder.messageAuthenticator();
  builder.add(attribute.replyMessage, 'hello');
  builder.finishReply(request, 4, secret);
  const reply = Buffer.from(builder.data.subarray(0, builder.length()));
  let checked = 0;
  for (let i = 0; i < runs(2000); i++) {
    const index = Math.floor(random() * reply.length);
    const other = Buffer.from(reply);
    other[index] = (other[index] ?? 0) ^ (1 + Math.floor(random() * 255));
    // A length or type that no longer fits is no packet at all.
    const whole = decodePacket(other);
    if (!whole.ok) continue;
    checked++;
    if (verifyResponse(whole, request, 4, secret)) throw new Error(`octet ${index} may be anything`);
  }
  t.ok(checked > runs(500), `${checked} replies`);
});
