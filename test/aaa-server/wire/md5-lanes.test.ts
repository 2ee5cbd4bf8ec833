// Four digests at once are those of OpenSSL one by one, and replies signed together those that are signed alone.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import t from 'tap';
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
import { code } from '#aaa-server/wire/packet.ts';
import { signTogether, type Unsigned } from '#aaa-server/wire/sign-together.ts';
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
        beginLane(lane, message, cut);
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
