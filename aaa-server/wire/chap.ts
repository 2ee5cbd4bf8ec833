// CHAP (RFC 1994 §4.1 carried by RFC 2865 §5.3 and §5.40): the response to a challenge, checked in constant time.
import { Buffer } from 'node:buffer';
import { digestEquals, digestLength, md5Into } from './md5.ts';

/** Length of a CHAP-Password value: the CHAP identifier and the response. */
export const chapPasswordLength = 1 + digestLength;

/** The 16 octets MD5(identifier, password, challenge). */
export function chapResponse(identifier: number, password: Buffer, challenge: Buffer): Buffer {
  const input = Buffer.concat([Buffer.of(identifier), password, challenge]);
  const response = Buffer.alloc(digestLength);
  md5Into(input, 0, input.length, response, 0);
  return response;
}

/** Whether a CHAP-Password value of 17 octets answers the challenge with this password. */
export function verifyChap(chapPassword: Buffer, password: Buffer, challenge: Buffer): boolean {
  const response = chapResponse(chapPassword[0] as number, password, challenge);
  return digestEquals(chapPassword, 1, (target, at) => response.copy(target, at));
}
