// RADIUS/1.1 (RFC 9765), experimental: its packets as those of RADIUS/1.0 inside TLS and back, so that nothing else has to know of it.
import { attribute } from '../wire/attributes.ts';
import { authenticatorOffset, signRequest, signResponse } from '../wire/authenticators.ts';
import { code, decodePacket, headerLength, maxPacketLength, octet, type Packet } from '../wire/packet.ts';
import { hidePassword, maxPasswordLength } from '../wire/user-password.ts';
import { radsecSecret } from './identity.ts';

/** The request as RADIUS/1.0, and how its reply goes back; undefined when it cannot be said in RADIUS/1.0. */
export type Translated = {
  readonly data: Buffer;
  reply(data: Buffer, start: number, length: number): Buffer | undefined;
};

export type Version11 = {
  request(data: Buffer, start: number, length: number): Translated | undefined;
  /** A request of ours in RADIUS/1.0, identifier and all, as it goes out. */
  outgoing(request: Buffer): Buffer | undefined;
  /** The answer to one of ours as RADIUS/1.0; undefined when it answers none. */
  incoming(data: Buffer, start: number, length: number): Buffer | undefined;
};

const tokenLength = 4;

/** One for each connection. */
export function createVersion11(): Version11 {
  /** The authenticators of our own requests by identifier, which is also their Token. */
  const asked = new Map<number, Buffer>();
  return {
    request(data, start, length) {
      const packet = decodePacket(data, start, length);
      if (!packet.ok) return undefined;
      const token = Buffer.from(data.subarray(start + authenticatorOffset, start + authenticatorOffset + tokenLength));
      // No identifier is sent; the last octet of the Token tells requests apart as one would.
      const classic = rewrite(packet, octet(token, tokenLength - 1), (type, value) => {
        if (type !== attribute.userPassword) return value;
        return value.length > maxPasswordLength
          ? undefined
          : hidePassword(value, radsecSecret, packet.data, packet.start + authenticatorOffset);
      });
      if (!classic) return undefined;
      // Token and zeros stand for the Request Authenticator: what it would keep secret, TLS keeps.
      data.copy(classic, authenticatorOffset, start + authenticatorOffset, start + headerLength);
      if (packet.code === code.accountingRequest) signRequest(classic, 0, classic.length, radsecSecret);
      return {
        data: classic,
        reply(reply, from, size) {
          const answer = decodePacket(reply, from, size);
          return answer.ok
            ? withToken(
                rewrite(answer, 0, (_, value) => value),
                token,
              )
            : undefined;
        },
      };
    },
    outgoing(request) {
      const packet = decodePacket(request);
      if (!packet.ok) return undefined;
      asked.set(packet.identifier, Buffer.from(request.subarray(authenticatorOffset, headerLength)));
      return withToken(
        rewrite(packet, 0, (_, value) => value),
        tokenOf(packet.identifier),
      );
    },
    incoming(data, start, length) {
      const packet = decodePacket(data, start, length);
      if (!packet.ok) return undefined;
      const token = data.readUInt32BE(start + authenticatorOffset);
      const authenticator = asked.get(token);
      const classic = authenticator && rewrite(packet, token, (_, value) => value);
      if (!classic) return undefined;
      signResponse(classic, 0, classic.length, authenticator, 0, radsecSecret);
      return classic;
    },
  };
}

function tokenOf(identifier: number): Buffer {
  const token = Buffer.alloc(tokenLength);
  token.writeUInt32BE(identifier);
  return token;
}

function withToken(packet: Buffer | undefined, token: Buffer): Buffer | undefined {
  if (packet) token.copy(packet.fill(0, authenticatorOffset, headerLength), authenticatorOffset);
  return packet;
}

/** A copy without Message-Authenticator (§5.2), its values changed by `change`; undefined when a value cannot be, or nothing fits any more. */
function rewrite(
  packet: Packet,
  identifier: number,
  change: (type: number, value: Buffer) => Buffer | undefined,
): Buffer | undefined {
  const parts: Buffer[] = [];
  let length = headerLength;
  for (let at = packet.start + headerLength; at < packet.end; at += octet(packet.data, at + 1)) {
    const type = octet(packet.data, at);
    if (type === attribute.messageAuthenticator) continue;
    const value = change(type, packet.data.subarray(at + 2, at + octet(packet.data, at + 1)));
    if (!value || value.length > 253) return undefined;
    parts.push(Buffer.from([type, value.length + 2]), value);
    length += value.length + 2;
  }
  if (length > maxPacketLength) return undefined;
  const header = Buffer.alloc(headerLength);
  header[0] = packet.code;
  header[1] = identifier;
  header.writeUInt16BE(length, 2);
  return Buffer.concat([header, ...parts], length);
}
