// MD5 and HMAC-MD5 (RFC 1321, RFC 2104) over ranges of buffers: nothing is allocated, and a secret's pads are hashed once.
import { Buffer } from 'node:buffer';
import { md5Block } from './md5-block.ts';

/** A shared secret, and the states of MD5 behind the two blocks that every HMAC with it begins with. */
export type Secret = { readonly octets: Buffer; readonly inner: Int32Array; readonly outer: Int32Array };

const block = 64;
export const digestLength = 16;
export const maxSecretLength = 1024;

const initial = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);

// One thread, synchronous use: the same hash in progress serves every call.
const state = new Int32Array(4);
/** Octets that do not fill a block yet. */
const open = new Uint8Array(block);
let filled = 0;
let hashed = 0;
const innerDigest = Buffer.alloc(digestLength);
const computed = Buffer.alloc(digestLength);

export function createSecret(octets: Buffer): Secret {
  if (octets.length === 0 || octets.length > maxSecretLength) {
    throw new Error(`a shared secret has 1 to ${maxSecretLength} octets, not ${octets.length}`);
  }
  return { octets, ...hmacStates(octets) };
}

/** The states behind `key ⊕ ipad` and `key ⊕ opad`. */
export function hmacStates(key: Buffer): Pick<Secret, 'inner' | 'outer'> {
  const padded = Buffer.alloc(block);
  if (key.length > block) md5Into(key, 0, key.length, padded, 0);
  else key.copy(padded);
  const behind = (pad: number) => {
    const result = initial.slice();
    md5Block(
      result,
      padded.map((byte) => byte ^ pad),
      0,
    );
    return result;
  };
  return { inner: behind(0x36), outer: behind(0x5c) };
}

/** Begins an MD5; what was begun before is forgotten. */
export function beginMd5(): void {
  begin(initial, 0);
}

/** Begins an HMAC-MD5. */
export function beginHmacMd5({ inner }: Pick<Secret, 'inner'>): void {
  begin(inner, block);
}

/** Takes `data[start, end)` into the hash begun last. Whole blocks are read where they lie. */
export function addMd5(data: Uint8Array, start: number, end: number): void {
  let at = start;
  hashed += end - start;
  if (filled > 0) {
    while (at < end && filled < block) open[filled++] = data[at++] as number;
    if (filled < block) return;
    md5Block(state, open, 0);
    filled = 0;
  }
  for (; at + block <= end; at += block) md5Block(state, data, at);
  while (at < end) open[filled++] = data[at++] as number;
}

/** Writes the MD5 begun last to `target` at `at`. */
export function finishMd5(target: Uint8Array, at: number): void {
  open[filled++] = 0x80;
  if (filled > block - 8) {
    open.fill(0, filled);
    md5Block(state, open, 0);
    filled = 0;
  }
  open.fill(0, filled, block - 8);
  // The length in bits, the first octet least significant.
  putWord(hashed << 3, block - 8);
  putWord(Math.floor(hashed / 0x2000_0000), block - 4);
  md5Block(state, open, 0);
  for (let i = 0; i < digestLength; i++) target[at + i] = (state[i >> 2] as number) >> (8 * (i & 3));
}

/** Writes the HMAC-MD5 begun last to `target` at `at`. */
export function finishHmacMd5({ outer }: Pick<Secret, 'outer'>, target: Uint8Array, at: number): void {
  finishMd5(innerDigest, 0);
  begin(outer, block);
  addMd5(innerDigest, 0, digestLength);
  finishMd5(target, at);
}

/** Writes the MD5 of `data[start, end)` to `target` at `at`. */
export function md5Into(data: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  beginMd5();
  addMd5(data, start, end);
  finishMd5(target, at);
}

/** Writes the HMAC-MD5 of `data[start, end)` to `target` at `at`. */
export function hmacMd5Into(
  secret: Secret,
  data: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  beginHmacMd5(secret);
  addMd5(data, start, end);
  finishHmacMd5(secret, target, at);
}

/** Whether the 16 octets at `at` equal the digest that `write` puts where it is told; in constant time. */
export function digestEquals(data: Uint8Array, at: number, write: (target: Buffer, at: number) => void): boolean {
  write(computed, 0);
  return sameDigest(computed, 0, data, at);
}

/** Whether 16 octets are the same. No branch depends on them, so the time tells nothing of where they differ. */
export function sameDigest(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  let difference = 0;
  for (let i = 0; i < digestLength; i++) difference |= (a[aAt + i] as number) ^ (b[bAt + i] as number);
  return difference === 0;
}

function putWord(value: number, at: number): void {
  open[at] = value;
  open[at + 1] = value >>> 8;
  open[at + 2] = value >>> 16;
  open[at + 3] = value >>> 24;
}

function begin(from: Int32Array, before: number): void {
  state[0] = from[0] as number;
  state[1] = from[1] as number;
  state[2] = from[2] as number;
  state[3] = from[3] as number;
  filled = 0;
  hashed = before;
}
