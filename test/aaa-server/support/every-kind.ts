// A packet of every kind that may come to a port, for fuzzing, and a new seal for what was changed of one.
import { randomBytes } from 'node:crypto';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { signRequest, verifyRequest } from '#aaa-server/wire/authenticators.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { code, decodePacket, maxPacketLength } from '#aaa-server/wire/packet.ts';
import { accessRequest, eap, pap, proxyState, secret } from './driven.ts';

/** A packet of every code that may come to a port, made with the right secret where the code has one. */
export function everyKind(): [string, Buffer][] {
  const builder = createPacketBuilder();
  const made = (kind: number, add: (builder: PacketBuilder) => void, withProof = false) => {
    builder.begin(kind, kind);
    if (withProof) builder.messageAuthenticator();
    add(builder);
    builder.finishRequest(secret);
    return Buffer.from(builder.data.subarray(0, builder.length()));
  };
  const accounting = (status: number) => (target: PacketBuilder) => {
    target.add(attribute.acctStatusType, status);
    target.add(attribute.acctSessionId, `session-${status}`);
    target.add(attribute.userName, 'alice');
    target.add(attribute.acctInputOctets, 0xffff_ffff);
    target.add(attribute.acctOutputGigawords, 3);
    target.add(attribute.framedIpv6Prefix, Buffer.from('004020010db800000000', 'hex'));
    target.addVendor(14_988, 8, '5M/20M');
  };
  const chap = accessRequest((target, authenticator) => {
    target.add(attribute.userName, 'alice');
    target.add(
      attribute.chapPassword,
      Buffer.concat([Buffer.of(9), chapResponse(9, Buffer.from('wonderland'), authenticator)]),
    );
    target.add(attribute.chapChallenge, authenticator);
  });
  const status = (() => {
    builder.begin(code.statusServer, 1);
    builder.messageAuthenticator();
    builder.finishAccessRequest(randomBytes(16), secret);
    return Buffer.from(builder.data.subarray(0, builder.length()));
  })();
  const replies = [
    code.accessAccept,
    code.accessReject,
    code.accessChallenge,
    code.accountingResponse,
    code.coaAck,
    code.coaNak,
    code.disconnectAck,
    code.disconnectNak,
  ];
  return [
    ['PAP', pap()],
    ['PAP, proven', pap({ messageAuthenticator: true, extra: proxyState })],
    ['CHAP', chap],
    ['EAP', eap({ messageAuthenticator: true })],
    ['Status-Server', status],
    ...[1, 2, 3, 7, 8].map(
      (kind) => [`accounting ${kind}`, made(code.accountingRequest, accounting(kind))] as [string, Buffer],
    ),
    ['accounting, proven', made(code.accountingRequest, accounting(3), true)],
    ['CoA', made(code.coaRequest, accounting(3), true)],
    ['Disconnect', made(code.disconnectRequest, accounting(3), true)],
    ...replies.map(
      (kind) =>
        [`reply ${kind}`, made(kind, (target) => target.add(attribute.replyMessage, 'hello'))] as [string, Buffer],
    ),
  ];
}

/** Makes the authenticator of a mutated Accounting-Request right again. */
export function resign(data: Buffer): void {
  const length = data.readUInt16BE(2);
  if (data[0] !== code.accountingRequest || length < 20 || length > data.length || length > maxPacketLength) return;
  signRequest(data, 0, length, secret);
  const packet = decodePacket(data);
  if (packet.ok && !verifyRequest(packet, secret)) throw new Error('signed wrongly');
}
