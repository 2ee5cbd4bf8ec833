// What the access servers send for a subscriber: a login with PAP, then the Start of the session with the Class that the login was given.
import { randomFillSync } from 'node:crypto';
import { attribute, firstAttribute, octetsAt } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import type { Secret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import { addAccessServer, addStation, subscriberAddress } from '../load/access-server.ts';

export type StormRequests = {
  login(user: number, identifier: number): Buffer;
  start(user: number, identifier: number, given: Given): Buffer;
};

/** What an Access-Accept says of the session. */
export type Given = { readonly class: Buffer | undefined; readonly interimS: number | undefined };

export type StormRequestsOptions = {
  readonly secret: Secret;
  readonly password: Buffer;
  readonly sockets: number;
  /** Begins the id of every session. */
  readonly run: string;
};

const start = 1;
const radius = 1;

export function createStormRequests({ secret, password, sockets, run }: StormRequestsOptions): StormRequests {
  const builder = createPacketBuilder();
  const authenticator = Buffer.alloc(16);
  const made = () => Buffer.from(builder.data.subarray(0, builder.length()));

  function addLine(user: number): void {
    builder.add(attribute.userName, `user${user}`);
    addAccessServer(builder, user % sockets, Math.floor(user / sockets));
    addStation(builder, user);
  }

  return {
    login(user, identifier) {
      randomFillSync(authenticator);
      builder.begin(code.accessRequest, identifier);
      builder.messageAuthenticator();
      builder.add(attribute.userPassword, hidePassword(password, secret, authenticator));
      addLine(user);
      return finished(builder.finishAccessRequest(authenticator, secret), made);
    },
    start(user, identifier, given) {
      builder.begin(code.accountingRequest, identifier);
      builder.add(attribute.acctStatusType, start);
      builder.add(attribute.acctSessionId, `${run}-${user}`);
      addLine(user);
      addSession(builder, user, given);
      return finished(builder.finishRequest(secret), made);
    },
  };
}

export function givenBy(accept: Buffer): Given {
  const packet = decodePacket(accept);
  if (!packet.ok) throw new Error(`the answer is no packet: ${packet.reason}`);
  const at = (type: number) => {
    const found = firstAttribute(packet, type);
    return found < 0 ? undefined : Buffer.from(octetsAt(packet, found));
  };
  return { class: at(attribute.class), interimS: at(attribute.acctInterimInterval)?.readUInt32BE() };
}

function addSession(builder: PacketBuilder, user: number, given: Given): void {
  builder.add(attribute.framedIpAddress, subscriberAddress(user));
  builder.add(attribute.acctAuthentic, radius);
  builder.add(attribute.eventTimestamp, Math.floor(Date.now() / 1000));
  if (given.class) builder.add(attribute.class, given.class);
}

function finished(fits: boolean, made: () => Buffer): Buffer {
  if (!fits) throw new Error('a request is too long');
  return made();
}
