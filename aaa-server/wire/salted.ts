// Values hidden with a salt (Tunnel-Password of RFC 2868 §3.5, the MPPE keys of RFC 2548 §2.4.2): chained MD5 over secret, authenticator and salt.
import { Buffer } from 'node:buffer';
import { digestLength, maxSecretLength, md5Into, type Secret } from './md5.ts';

const saltLength = 2;
/** What fits an attribute of 253 octets beside a tag and the salt: 15 blocks, the first octet of which tells the length. */
export const maxSaltedLength = 15 * digestLength - 1;

const scratch = Buffer.alloc(maxSecretLength + digestLength + saltLength);
const key = Buffer.alloc(digestLength);

/** Salts below 2^15 that do not repeat before all were used, so never in a packet. @param random in [0, 1) */
export function createSalts(random: () => number): () => number {
  let next = Math.floor(random() * 0x8000);
  return () => next++ & 0x7fff;
}

/**
 * Salt and hidden octets of a value of at most 239 octets. `authenticator` at `authenticatorAt` is that of the request, in replies too.
 * `salt` is below 2^15 and differs from every other in the packet; its top bit is set here.
 */
export function hideSalted(
  value: Buffer,
  secret: Secret,
  authenticator: Buffer,
  authenticatorAt: number,
  salt: number,
): Buffer {
  if (value.length > maxSaltedLength) throw new Error(`a salted value has at most ${maxSaltedLength} octets`);
  const blocks = Math.ceil((1 + value.length) / digestLength);
  const hidden = Buffer.alloc(saltLength + blocks * digestLength);
  hidden.writeUInt16BE(0x8000 | salt, 0);
  hidden[saltLength] = value.length;
  value.copy(hidden, saltLength + 1);
  for (let from = saltLength; from < hidden.length; from += digestLength) {
    keyInto(hidden, from, secret, authenticator, authenticatorAt);
    mask(hidden, from, hidden, from);
  }
  return hidden;
}

/** The value in salt and hidden octets; undefined when their number is none of that form or the length in them passes their end. */
export function revealSalted(
  hidden: Buffer,
  secret: Secret,
  authenticator: Buffer,
  authenticatorAt = 0,
): Buffer | undefined {
  const length = hidden.length - saltLength;
  if (length < digestLength || length % digestLength !== 0) return undefined;
  const plain = Buffer.alloc(length);
  for (let from = saltLength; from < hidden.length; from += digestLength) {
    keyInto(hidden, from, secret, authenticator, authenticatorAt);
    mask(hidden, from, plain, from - saltLength);
  }
  const valueLength = plain[0] ?? 0;
  return 1 + valueLength <= length ? plain.subarray(1, 1 + valueLength) : undefined;
}

/** What the block at `from` is masked with: MD5 of the secret with authenticator and salt, later with the hidden block before. */
function keyInto(hidden: Buffer, from: number, secret: Secret, authenticator: Buffer, at: number): void {
  const length = secret.octets.copy(scratch);
  if (from > saltLength) hidden.copy(scratch, length, from - digestLength, from);
  else {
    authenticator.copy(scratch, length, at, at + digestLength);
    hidden.copy(scratch, length + digestLength, 0, saltLength);
  }
  md5Into(scratch, 0, length + digestLength + (from > saltLength ? 0 : saltLength), key, 0);
}

function mask(source: Buffer, from: number, target: Buffer, to: number): void {
  for (let i = 0; i < digestLength; i++) target[to + i] = (source[from + i] as number) ^ (key[i] as number);
}
