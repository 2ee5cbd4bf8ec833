// Request and Response Authenticators (RFC 2865 §3, RFC 2866 §3, RFC 5176 §2.3): computed in place, compared in constant time.
import { Buffer } from 'node:buffer';
import { digestEquals, digestLength, maxSecretLength, md5Into, type Secret } from './md5.ts';
import { maxPacketLength, type Packet } from './packet.ts';

export const authenticatorOffset = 4;

const noAuthenticator = Buffer.alloc(digestLength);
const scratch = Buffer.alloc(maxPacketLength + maxSecretLength);

/** Writes the Request Authenticator of an Accounting-, CoA- or Disconnect-Request at `data[start, end)`, all else in place. */
export function signRequest(data: Buffer, start: number, end: number, secret: Secret): void {
  digestInto(data, start, end, noAuthenticator, 0, secret, data, start + authenticatorOffset);
}

/** Whether an Accounting-, CoA- or Disconnect-Request was made with this secret. */
export function verifyRequest(packet: Packet, secret: Secret): boolean {
  return digestEquals(packet.data, packet.start + authenticatorOffset, (target, at) =>
    digestInto(packet.data, packet.start, packet.end, noAuthenticator, 0, secret, target, at),
  );
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
  return digestEquals(packet.data, packet.start + authenticatorOffset, (target, at) =>
    digestInto(packet.data, packet.start, packet.end, request, requestAt, secret, target, at),
  );
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
  const length = end - start;
  data.copy(scratch, 0, start, end);
  authenticator.copy(scratch, authenticatorOffset, authenticatorAt, authenticatorAt + digestLength);
  secret.octets.copy(scratch, length);
  md5Into(scratch, 0, length + secret.octets.length, target, at);
}
