// The computations of MS-CHAP (RFC 2433), MS-CHAP-2 (RFC 2759 §8) and the keys of MPPE that come of it (RFC 3079 §3.4).
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { des } from './des.ts';
import { md4 } from './md4.ts';

/** NtPasswordHash of a password in UTF-8. */
export function ntHash(password: Buffer): Buffer {
  return md4(Buffer.from(password.toString('utf8'), 'utf16le'));
}

/** The 24 octets with which the holder of the hash answers a challenge of 8 (RFC 2433 §A.5). */
export function challengeResponse(challenge: Buffer, passwordHash: Buffer): Buffer {
  const padded = Buffer.alloc(21);
  passwordHash.copy(padded);
  return Buffer.concat([0, 7, 14].map((at) => des(padded.subarray(at, at + 7), challenge)));
}

/** ChallengeHash: what is answered in version 2. `userName` without its domain. */
export function challengeHash(peerChallenge: Buffer, authenticatorChallenge: Buffer, userName: Buffer): Buffer {
  return sha1(peerChallenge, authenticatorChallenge, userName).subarray(0, 8);
}

/** `S=` and 40 digits: how the authenticator proves that it knows the password, too (RFC 2759 §8.7). */
export function authenticatorResponse(passwordHash: Buffer, ntResponse: Buffer, challenge: Buffer): string {
  const digest = sha1(md4(passwordHash), ntResponse, serverToClient);
  return `S=${sha1(digest, challenge, moreThanOne).toString('hex').toUpperCase()}`;
}

export type MppeKeys = { readonly send: Buffer; readonly receive: Buffer };

/** The start keys of 128 bits as the access server uses them (RFC 3079 §3.4): what it sends with and what it receives with. */
export function mppeKeys(passwordHash: Buffer, ntResponse: Buffer): MppeKeys {
  const master = sha1(md4(passwordHash), ntResponse, masterKey).subarray(0, 16);
  const startKey = (magic: Buffer) => sha1(master, pad1, magic, pad2).subarray(0, 16);
  return { send: startKey(serverSends), receive: startKey(serverReceives) };
}

const serverToClient = Buffer.from('Magic server to client signing constant');
const moreThanOne = Buffer.from('Pad to make it do more than one iteration');
const masterKey = Buffer.from('This is the MPPE Master Key');
const serverReceives = Buffer.from(
  'On the client side, this is the send key; on the server side, it is the receive key.',
);
const serverSends = Buffer.from('On the client side, this is the receive key; on the server side, it is the send key.');
const pad1 = Buffer.alloc(40);
const pad2 = Buffer.alloc(40, 0xf2);

function sha1(...parts: readonly Buffer[]): Buffer {
  return hash('sha1', Buffer.concat(parts), 'buffer');
}
