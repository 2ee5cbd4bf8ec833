// Builds CoA-Request and Disconnect-Request and reads their replies (RFC 5176 §2.3, §3).
import { attribute, integerOf } from '#aaa-server/wire/attributes.ts';
import { authenticatorOffset, verifyResponse } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import type { Secret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';

export type CoaKind = 'coa' | 'disconnect';

export type ReadReply =
  | { readonly ok: true; readonly reply: { kind: 'ack' } | { kind: 'nak'; errorCause: number | null } }
  | { readonly ok: false; readonly reason: string };

const builder = createPacketBuilder();

/**
 * The request as it goes out, and again at every retransmission: Message-Authenticator first, then the attributes, then
 * Event-Timestamp (§3.4: a request older than the NAS's window is a replay). Undefined when the attributes do not fit.
 */
export function buildRequest(
  request: { readonly kind: CoaKind; readonly attributes: readonly NasAttribute[]; readonly secret: Secret },
  identifier: number,
  nowMs: number,
): Buffer | undefined {
  builder.begin(request.kind === 'coa' ? code.coaRequest : code.disconnectRequest, identifier);
  builder.messageAuthenticator();
  for (const { vendor, type, value } of request.attributes) {
    if (vendor === 0) builder.add(type, value);
    else builder.addVendor(vendor, type, value);
  }
  builder.add(attribute.eventTimestamp, Math.floor(nowMs / 1000));
  return builder.finishRequest(request.secret) ? Buffer.from(builder.data.subarray(0, builder.length())) : undefined;
}

/** What a datagram says as the answer to `request`; anything not provably its answer is refused with the reason. */
export function readReply(data: Buffer, request: Buffer, secret: Secret): ReadReply {
  const packet = decodePacket(data);
  if (!packet.ok) return packet;
  const isCoa = request[0] === code.coaRequest;
  const ack = isCoa ? code.coaAck : code.disconnectAck;
  const nak = isCoa ? code.coaNak : code.disconnectNak;
  if (packet.code !== ack && packet.code !== nak) return { ok: false, reason: 'other_code' };
  if (packet.identifier !== request[1]) return { ok: false, reason: 'other_identifier' };
  if (!verifyResponse(packet, request, authenticatorOffset, secret)) return { ok: false, reason: 'bad_authenticator' };
  // A NAS need not send a Message-Authenticator, but one that is there must be right.
  const signed = packet.messageAuthenticatorAt >= 0;
  if (signed && !verifyMessageAuthenticator(packet, secret, request, authenticatorOffset)) {
    return { ok: false, reason: 'bad_message_authenticator' };
  }
  if (packet.code === ack) return { ok: true, reply: { kind: 'ack' } };
  return { ok: true, reply: { kind: 'nak', errorCause: integerOf(packet, attribute.errorCause) ?? null } };
}
