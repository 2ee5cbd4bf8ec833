// Access-Requests of many subscribers, with PAP or CHAP and a Message-Authenticator.
import { randomFillSync } from 'node:crypto';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import { addAccessServer, addStation } from './access-server.ts';
import type { MakePacket } from './packet-store.ts';

export type AccessPackets = {
  readonly method: 'pap' | 'chap';
  readonly secret: string;
  /** user0 … */
  readonly subscribers: number;
  readonly password: string;
  readonly perLine: number;
  /** Each is sent once, gets an address, and is another subscriber's: of those behind so many others. */
  readonly distinct?: { readonly behind: number };
};

export function accessPackets({
  method,
  secret: text,
  subscribers,
  password: plain,
  perLine,
  distinct,
}: AccessPackets): MakePacket {
  const secret = createSecret(Buffer.from(text));
  const password = Buffer.from(plain);
  const builder = createPacketBuilder();
  const authenticator = Buffer.alloc(16);
  return ({ line, round, socket, identifier }, target, at) => {
    const user = strideOver((distinct?.behind ?? 0) + line * perLine + round, subscribers);
    randomFillSync(authenticator);
    builder.begin(code.accessRequest, identifier);
    builder.messageAuthenticator();
    builder.add(attribute.userName, `user${user}`);
    if (method === 'pap') builder.add(attribute.userPassword, hidePassword(password, secret, authenticator));
    else builder.add(attribute.chapPassword, chapPassword(identifier, password, authenticator));
    addAccessServer(builder, socket, line);
    addStation(builder, user);
    if (!builder.finishAccessRequest(authenticator, secret)) throw new Error('an Access-Request is too long');
    builder.data.copy(target, at, 0, builder.length());
    return { length: builder.length(), up: 0, down: 0 };
  };
}

/** Neighbours in the sequence are far apart, and all of `count` come before one comes again. */
export function strideOver(index: number, count: number): number {
  const prime = 7919;
  return count % prime === 0 ? index % count : (index * prime) % count;
}

function chapPassword(identifier: number, password: Buffer, challenge: Buffer): Buffer {
  return Buffer.concat([Buffer.of(identifier), chapResponse(identifier, password, challenge)]);
}
