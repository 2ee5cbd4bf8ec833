// Four digests at once are those of OpenSSL one by one, and replies signed together those that are signed alone.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import t from 'tap';
import { checkTogether } from '#aaa-server/wire/check-together.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import {
  beginLane,
  endLane,
  hashLanes,
  hmacLanes,
  laneCount,
  readLane,
  skipLane,
  writeLane,
} from '#aaa-server/wire/md5-lanes.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';
import { signTogether, type Unsigned } from '#aaa-server/wire/sign-together.ts';
import { hidePassword, revealInto } from '#aaa-server/wire/user-password.ts';
import { mulberry32 } from '../support/mutate.ts';

const random = mulberry32(7);
const upTo = (most: number) => Math.floor(random() * (most + 1));

t.test('messages of every length, side by side', async (t) => {
  for (let first = 0; first <= 200; first++) {
    const messages = [first, upTo(300), upTo(70), first % 5 === 0 ? 4096 : upTo(5000)].map((length) =>
      randomBytes(length),
    );
    const secrets = messages.map(() => createSecret(randomBytes(1 + upTo(200))));
    const skipped = upTo(2 * laneCount);
    const read = () =>
      messages.map((_, lane) => {
        const digest = Buffer.alloc(20, 1);
        readLane(lane, digest, 2);
        return digest.toString('hex', 2, 18);
      });
    const fill = (before: number) => {
      for (const [lane, message] of messages.entries()) {
        // In two parts, cut anywhere.
        const cut = upTo(message.length);
        beginLane(lane, message, 0, cut);
        writeLane(lane, cut, message, cut, message.length);
        if (lane === skipped) skipLane(lane);
        else endLane(lane, message.length, before);
      }
    };
    const without = (digests: readonly string[]) => digests.filter((_, lane) => lane !== skipped);
    fill(0);
    hashLanes();
    const plain = messages.map((message) => createHash('md5').update(message).digest('hex'));
    t.strictSame(without(read()), without(plain), `MD5 of ${first} octets and others`);
    fill(64);
    hmacLanes(secrets);
    const keyed = messages.map((message, lane) =>
      createHmac('md5', secrets[lane]!.octets).update(message).digest('hex'),
    );
    t.strictSame(without(read()), without(keyed), `HMAC-MD5 of ${first} octets and others`);
  }
});

t.test('requests checked together', async (t) => {
  const upper = 9;
  for (let count = 1; count <= upper; count++) {
    const checks = Array.from({ length: count }, (_, i) => {
      const secret = createSecret(randomBytes(1 + upTo(40)));
      const builder = createPacketBuilder();
      builder.begin(i % 3 === 0 ? code.statusServer : code.accessRequest, i);
      builder.add(1, randomBytes(upTo(100)));
      builder.messageAuthenticator();
      builder.add(32, randomBytes(upTo(253)));
      builder.finishAccessRequest(randomBytes(16), secret);
      const start = upTo(7);
      const data = Buffer.concat([Buffer.alloc(start, 9), builder.data.subarray(0, builder.length())]);
      // Some are altered in one octet, anywhere behind the header.
      if (random() < 0.5) data[start + 20 + upTo(builder.length() - 21)]! ^= 1;
      const packet = decodePacket(data, start);
      return packet.ok && packet.messageAuthenticatorAt >= 0
        ? [{ packet, secret, isRight: false, key: new Uint8Array(16) }]
        : [];
    }).flat();
    checkTogether(checks, checks.length);
    for (const { packet, secret, isRight, key } of checks) {
      t.equal(isRight, verifyMessageAuthenticator(packet, secret));
      const password = Buffer.from('wonderland');
      const authenticator = packet.data.subarray(packet.start + 4, packet.start + 20);
      const hidden = hidePassword(password, secret, authenticator);
      const plain = Buffer.alloc(128);
      const length = revealInto(plain, hidden, 0, hidden.length, secret, Buffer.alloc(16), 0, key);
      t.strictSame(plain.subarray(0, length), password);
    }
  }
});

t.test('replies signed together', async (t) => {
  for (let count = 1; count <= 11; count++) {
    const replies = Array.from({ length: count }, (_, i) => {
      const secret = createSecret(randomBytes(1 + upTo(40)));
      const request = randomBytes(30);
      const withMessageAuthenticator = random() < 0.7;
      const value = randomBytes(upTo(253));
      const build = (into: Buffer) => {
        const builder = createPacketBuilder();
        builder.begin(code.accessAccept, i, into);
        builder.add(25, value);
        if (withMessageAuthenticator) builder.messageAuthenticator();
        builder.add(18, 'welcome');
        return builder;
      };
      const alone = build(Buffer.alloc(4096, 1));
      t.ok(alone.finishReply(request, 7, secret));
      const together = build(Buffer.alloc(4096, 2));
      t.ok(together.finishUnsigned());
      const unsigned: Unsigned = {
        ...{ data: together.data, length: together.length(), secret, request, requestAt: 7 },
        messageAuthenticatorAt: together.messageAuthenticatorAt(),
      };
      return { unsigned, expected: alone.data.toString('hex', 0, alone.length()) };
    });
    signTogether(
      replies.map(({ unsigned }) => unsigned),
      count,
    );
    for (const { unsigned, expected } of replies) {
      t.equal(Buffer.from(unsigned.data).toString('hex', 0, unsigned.length), expected);
    }
  }
});
