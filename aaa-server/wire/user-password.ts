// Hides and reveals User-Password (RFC 2865 §5.2): chained MD5 blocks of the secret and the Request Authenticator.
import { Buffer } from 'node:buffer';
import { addMd5, beginMd5, digestLength, finishMd5, type Secret } from './md5.ts';

export const maxPasswordLength = 128;

const key = Buffer.alloc(digestLength);
const plain = Buffer.alloc(maxPasswordLength);

/**
 * The password in the hidden octets, without the NULs that pad it; undefined when their number is not 16, 32 … 128. `authenticator` at
 * `authenticatorAt` is the Request Authenticator. A wrong secret gives rubbish, not an error. Its memory is used again by the next call.
 */
export function revealPassword(
  hidden: Buffer,
  secret: Secret,
  authenticator: Buffer,
  authenticatorAt = 0,
): Buffer | undefined {
  const length = revealInto(plain, hidden, 0, hidden.length, secret, authenticator, authenticatorAt);
  return length < 0 ? undefined : plain.subarray(0, length);
}

/**
 * The same of the octets of `hidden` in [from, end), into memory of the caller; the length of the password, −1 for none. `firstKey`: MD5 of
 * secret and authenticator, where it is known (check-together.ts).
 */
export function revealInto(
  target: Uint8Array,
  hidden: Buffer,
  from: number,
  end: number,
  secret: Secret,
  authenticator: Buffer,
  authenticatorAt: number,
  firstKey?: Uint8Array,
): number {
  let length = end - from;
  if (length === 0 || length > maxPasswordLength || length % digestLength !== 0) return -1;
  for (let at = 0; at < length; at += digestLength) {
    const pad = at === 0 && firstKey ? firstKey : key;
    if (at > 0) keyInto(secret, hidden, from + at - digestLength);
    else if (!firstKey) keyInto(secret, authenticator, authenticatorAt);
    for (let i = 0; i < digestLength; i++) target[at + i] = (hidden[from + at + i] as number) ^ (pad[i] as number);
  }
  while (length > 0 && target[length - 1] === 0) length--;
  return length;
}

/** The hidden octets of a password of at most 128 octets. */
export function hidePassword(password: Buffer, secret: Secret, authenticator: Buffer, authenticatorAt = 0): Buffer {
  if (password.length > maxPasswordLength) throw new Error(`a password has at most ${maxPasswordLength} octets`);
  const hidden = Buffer.alloc(Math.max(digestLength, Math.ceil(password.length / digestLength) * digestLength));
  password.copy(hidden);
  for (let at = 0; at < hidden.length; at += digestLength) {
    keyInto(secret, at === 0 ? authenticator : hidden, at === 0 ? authenticatorAt : at - digestLength);
    for (let i = 0; i < digestLength; i++) hidden[at + i] = (hidden[at + i] as number) ^ (key[i] as number);
  }
  return hidden;
}

function keyInto(secret: Secret, previous: Buffer, at: number): void {
  beginMd5();
  addMd5(secret.octets, 0, secret.octets.length);
  addMd5(previous, at, at + digestLength);
  finishMd5(key, 0);
}
