// MD5 and HMAC-MD5 (RFC 1321, RFC 2104) over ranges of buffers, by OpenSSL's one-shot hash: createHmac is ten times slower.
import { Buffer } from 'node:buffer';
import { hash, timingSafeEqual } from 'node:crypto';
import { maxPacketLength } from './packet.ts';

/** A shared secret with its HMAC pads worked out. */
export type Secret = { readonly octets: Buffer; readonly innerPad: Buffer; readonly outerPad: Buffer };

const block = 64;
export const digestLength = 16;
export const maxSecretLength = 1024;

// One thread, synchronous use: the same scratch serves every call.
const inner = Buffer.alloc(block + maxPacketLength);
const outer = Buffer.alloc(block + digestLength);
const computed = Buffer.alloc(digestLength);

export function createSecret(octets: Buffer): Secret {
  if (octets.length === 0 || octets.length > maxSecretLength) {
    throw new Error(`a shared secret has 1 to ${maxSecretLength} octets, not ${octets.length}`);
  }
  const key = Buffer.alloc(block);
  if (octets.length > block) md5Into(octets, 0, octets.length, key, 0);
  else octets.copy(key);
  const padded = (pad: number) => Buffer.from(key.map((byte) => byte ^ pad));
  return { octets, innerPad: padded(0x36), outerPad: padded(0x5c) };
}

/** Writes the MD5 of `data[start, end)` to `target` at `at`. */
export function md5Into(data: Buffer, start: number, end: number, target: Buffer, at: number): void {
  // A string of octets costs less than half of what a new Buffer does.
  target.write(hash('md5', data.subarray(start, end), 'binary'), at, digestLength, 'latin1');
}

/** Writes the HMAC-MD5 of `data[start, end)`, at most one packet long, to `target` at `at`. */
export function hmacMd5Into(
  secret: Secret,
  data: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
): void {
  secret.innerPad.copy(inner);
  data.copy(inner, block, start, end);
  secret.outerPad.copy(outer);
  md5Into(inner, 0, block + end - start, outer, block);
  md5Into(outer, 0, block + digestLength, target, at);
}

/** Whether the 16 octets at `at` equal the digest that `write` puts where it is told; in constant time. */
export function digestEquals(data: Buffer, at: number, write: (target: Buffer, at: number) => void): boolean {
  write(computed, 0);
  return timingSafeEqual(computed, data.subarray(at, at + digestLength));
}
