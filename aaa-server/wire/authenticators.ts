// Request and Response Authenticators (RFC 2865 §3, RFC 2866 §3, RFC 5176 §2.3): computed where the packet lies, compared in constant time.
import { Buffer } from 'node:buffer';
import { addMd5, beginMd5, digestLength, finishMd5, type Secret, sameDigest } from './md5.ts';
import type { Packet } from './packet.ts';

export const authenticatorOffset = 4;

const noAuthenticator = Buffer.alloc(digestLength);
const computed = Buffer.alloc(digestLength);

/** Writes the Request Authenticator of an Accounting-, CoA- or Disconnect-Request at `data[start, end)`, all else in place. */
export function signRequest(data: Buffer, start: number, end: number, secret: Secret): void {
  digestInto(data, start, end, noAuthenticator, 0, secret, data, start + authenticatorOffset);
}

/** Whether an Accounting-, CoA- or Disconnect-Request was made with this secret. */
export function verifyRequest(packet: Packet, secret: Secret): boolean {
  return verify(packet, noAuthenticator, 0, secret);
}

/**
 * Writes the Response Authenticator of the reply at `data[start, end)`, all else in place, for the request whose authenticator is the
 * 16 octets at `requestAt` of `request`.
 */
export function signResponse(
  data: Buffer,
  start: number,
  end: number,
  request: Buffer,
  requestAt: number,
  secret: Secret,
): void {
  digestInto(data, start, end, request, requestAt, secret, data, start + authenticatorOffset);
}

/** Whether a reply answers the request with that authenticator and was made with this secret. */
export function verifyResponse(packet: Packet, request: Buffer, requestAt: number, secret: Secret): boolean {
  return verify(packet, request, requestAt, secret);
}

function verify({ data, start, end }: Packet, authenticator: Buffer, authenticatorAt: number, secret: Secret): boolean {
  digestInto(data, start, end, authenticator, authenticatorAt, secret, computed, 0);
  return sameDigest(computed, 0, data, start + authenticatorOffset);
}

/** MD5 of the packet with the 16 octets at `authenticatorAt` of `authenticator` in its header, then the secret. */
function digestInto(
  data: Buffer,
  start: number,
  end: number,
  authenticator: Buffer,
  authenticatorAt: number,
  secret: Secret,
  target: Buffer,
  at: number,
): void {
  beginMd5();
  addMd5(data, start, start + authenticatorOffset);
  addMd5(authenticator, authenticatorAt, authenticatorAt + digestLength);
  addMd5(data, start + authenticatorOffset + digestLength, end);
  addMd5(secret.octets, 0, secret.octets.length);
  finishMd5(target, at);
}
