// Message-Authenticator (RFC 3579 §3.2, RFC 5997 §2, RFC 5176 §3.4): HMAC-MD5 over the packet with the attribute's value zero.
import { Buffer } from 'node:buffer';
import { authenticatorOffset } from './authenticators.ts';
import { addMd5, beginHmacMd5, digestLength, finishHmacMd5, type Secret, sameDigest } from './md5.ts';
import { code, type Packet } from './packet.ts';

const zeros = Buffer.alloc(digestLength);
const computed = Buffer.alloc(digestLength);

/**
 * Whether the packet's Message-Authenticator is right; false without one. For a reply, `request` and `requestAt` give the authenticator of
 * the request it answers. Accounting-, CoA- and Disconnect-Requests are computed with a zero authenticator.
 */
export function verifyMessageAuthenticator(packet: Packet, secret: Secret, request?: Buffer, requestAt = 0): boolean {
  const { data, start, end, messageAuthenticatorAt } = packet;
  if (messageAuthenticatorAt < 0) return false;
  const keepsOwn = packet.code === code.accessRequest || packet.code === code.statusServer;
  const authenticator = request ?? (keepsOwn ? data : zeros);
  const authenticatorAt = request ? requestAt : keepsOwn ? start + authenticatorOffset : 0;
  digestInto(data, start, end, messageAuthenticatorAt, authenticator, authenticatorAt, secret, computed, 0);
  return sameDigest(computed, 0, data, messageAuthenticatorAt + 2);
}

/**
 * Fills in the Message-Authenticator attribute at `attributeAt` of the packet at `data[start, end)`, all other attributes in place; sign
 * before the Response or Request Authenticator. `authenticator` at `authenticatorAt` is the request's own (Access-Request, Status-Server)
 * or the answered request's (every reply); leave it out for Accounting-, CoA- and Disconnect-Requests.
 */
export function signMessageAuthenticator(
  data: Buffer,
  start: number,
  end: number,
  attributeAt: number,
  secret: Secret,
  authenticator: Buffer = zeros,
  authenticatorAt = 0,
): void {
  digestInto(data, start, end, attributeAt, authenticator, authenticatorAt, secret, data, attributeAt + 2);
}

function digestInto(
  data: Buffer,
  start: number,
  end: number,
  attributeAt: number,
  authenticator: Buffer,
  authenticatorAt: number,
  secret: Secret,
  target: Buffer,
  at: number,
): void {
  const valueAt = attributeAt + 2;
  beginHmacMd5(secret);
  if (authenticator === data && authenticatorAt === start + authenticatorOffset) addMd5(data, start, valueAt);
  else {
    addMd5(data, start, start + authenticatorOffset);
    addMd5(authenticator, authenticatorAt, authenticatorAt + digestLength);
    addMd5(data, start + authenticatorOffset + digestLength, valueAt);
  }
  addMd5(zeros, 0, digestLength);
  addMd5(data, valueAt + digestLength, end);
  finishHmacMd5(secret, target, at);
}
