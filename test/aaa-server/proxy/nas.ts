// An access server on a real socket: sends what a test builds, and reads what comes back.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { attribute, eachAttribute, octetsAt } from '#aaa-server/wire/attributes.ts';
import { verifyResponse } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import { until } from '#test/support/wait.ts';
import type { Teardown } from './harness.ts';

export const nasSecret = createSecret(Buffer.from('testing123'));

export type Asked = {
  readonly request: Buffer;
  readonly replies: Packet[];
  /** Sends the same octets again. */
  again(): void;
  /** The first reply, whose signatures are right. */
  reply(): Promise<Packet>;
};

export function createNas(t: Teardown) {
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const waiting = new Map<number, Packet[]>();
  const builder = createPacketBuilder();
  let identifier = 0;
  socket.on('message', (data) => {
    const packet = decodePacket(Buffer.from(data));
    if (packet.ok) waiting.get(packet.identifier)?.push(packet);
  });

  function send(request: Buffer, port: number): Asked {
    const replies: Packet[] = [];
    waiting.set(request[1]!, replies);
    const again = () => socket.send(request, port, '127.0.0.1');
    again();
    return {
      request,
      replies,
      again,
      async reply() {
        const packet = await until(() => replies[0], 'a reply', 15_000);
        if (!verifyResponse(packet, request, 4, nasSecret)) throw new Error('the authenticator of the reply is wrong');
        if (request[0] === code.accessRequest) {
          if (packet.messageAuthenticatorAt !== 20) throw new Error('Message-Authenticator is not the first attribute');
          if (!verifyMessageAuthenticator(packet, nasSecret, request, 4))
            throw new Error('Message-Authenticator is wrong');
        }
        return packet;
      },
    };
  }

  return {
    /** With the password wonderland unless `password` is false, and Message-Authenticator unless `signed` is. */
    login(
      port: number,
      userName: string,
      add: (builder: PacketBuilder, authenticator: Buffer) => void = () => {},
      password = true,
      signed = true,
    ): Asked {
      const authenticator = randomBytes(16);
      builder.begin(code.accessRequest, identifier++ % 256);
      if (signed) builder.messageAuthenticator();
      builder.add(attribute.userName, userName);
      const hidden = hidePassword(Buffer.from('wonderland'), nasSecret, authenticator);
      if (password) builder.add(attribute.userPassword, hidden);
      builder.add(attribute.nasIpAddress, 0x7f00_0001);
      add(builder, authenticator);
      if (!builder.finishAccessRequest(authenticator, nasSecret)) throw new Error('the request does not fit');
      return send(Buffer.from(builder.data.subarray(0, builder.length())), port);
    },
    account(port: number, userName: string, add: (builder: PacketBuilder) => void): Asked {
      builder.begin(code.accountingRequest, identifier++ % 256);
      if (userName !== '') builder.add(attribute.userName, userName);
      add(builder);
      if (!builder.finishRequest(nasSecret)) throw new Error('the request does not fit');
      return send(Buffer.from(builder.data.subarray(0, builder.length())), port);
    },
  };
}

/** `type: value in hex` of every attribute. */
export function attributesOf(packet: Packet): string[] {
  const found: string[] = [];
  eachAttribute(packet, (type, at) => found.push(`${type}: ${octetsAt(packet, at).toString('hex')}`));
  return found;
}
