// Whether a reply is one: its code always, its authenticators as often as asked.
import { authenticatorOffset, verifyResponse } from '#aaa-server/wire/authenticators.ts';
import type { Secret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';

const expected: Readonly<Record<number, number>> = {
  [code.accessRequest]: code.accessAccept,
  [code.accountingRequest]: code.accountingResponse,
};

/** The reply that agrees to the request at `at`. */
export function isAgreement(reply: Buffer, request: Buffer, at: number): boolean {
  return reply[0] === expected[request[at] ?? 0];
}

/**
 * Whether the Response Authenticator is right, and the Message-Authenticator too: a reply to an Access-Request must carry one, the seal
 * that an attacker cannot forge (RFC 3579 §3.2); an Accounting-Response may.
 */
export function isGenuine(reply: Buffer, request: Buffer, at: number, secret: Secret): boolean {
  const packet = decodePacket(reply);
  if (!packet.ok || !verifyResponse(packet, request, at + authenticatorOffset, secret)) return false;
  if (packet.messageAuthenticatorAt < 0) return packet.code === code.accountingResponse;
  return verifyMessageAuthenticator(packet, secret, request, at + authenticatorOffset);
}
