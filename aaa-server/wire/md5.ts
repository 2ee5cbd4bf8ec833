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
/** What is to be hashed is gathered here: a whole packet with its secret fits, more goes through in parts. */
const words = new Int32Array(1536);
const octets = new Uint8Array(words.buffer);
/** A multiple of a block, with room behind it for the padding. */
const room = octets.length - block;
let gathered = 0;
/** Octets that were gathered and hashed before those. */
let hashed = 0;
/** The second block of every HMAC: a digest in its first four words, padding, the length of both blocks in bits. */
const outerWords = new Int32Array(16);
outerWords[4] = 0x80;
outerWords[14] = 8 * (block + digestLength);
const computed = Buffer.alloc(digestLength);

if (new Uint8Array(Int32Array.of(1).buffer)[0] !== 1) {
  throw new Error('MD5 is computed here for little-endian processors only');
}

export function createSecret(octets: Buffer): Secret {
  if (octets.length === 0 || octets.length > maxSecretLength) {
    throw new Error(`a shared secret has 1 to ${maxSecretLength} octets, not ${octets.length}`);
  }
  return { octets, ...hmacStates(octets) };
}

/** The states behind `key ⊕ ipad` and `key ⊕ opad`. */
export function hmacStates(key: Buffer): Pick<Secret, 'inner' | 'outer'> {
  const padded = new Int32Array(block / 4);
  const bytes = new Uint8Array(padded.buffer);
  if (key.length > block) md5Into(key, 0, key.length, bytes, 0);
  else bytes.set(key);
  const behind = (pad: number) => {
    const result = initial.slice();
    md5Block(
      result,
      padded.map((word) => word ^ pad),
      0,
    );
    return result;
  };
  return { inner: behind(0x36363636), outer: behind(0x5c5c5c5c) };
}

/** Begins an MD5; what was begun before is forgotten. */
export function beginMd5(): void {
  begin(initial, 0);
}

/** Begins an HMAC-MD5. */
export function beginHmacMd5({ inner }: Pick<Secret, 'inner'>): void {
  begin(inner, block);
}

/** Takes `data[start, end)` into the hash begun last. */
export function addMd5(data: Uint8Array, start: number, end: number): void {
  let from = start;
  let to = gathered;
  for (;;) {
    const until = Math.min(end, from + room - to);
    while (from < until) octets[to++] = data[from++] as number;
    if (from === end) break;
    compress(room);
    hashed += room;
    to = 0;
  }
  gathered = to;
}

/** Writes the MD5 begun last to `target` at `at`. */
export function finishMd5(target: Uint8Array, at: number): void {
  pad();
  writeState(target, at);
}

/** Writes the HMAC-MD5 begun last to `target` at `at`. */
export function finishHmacMd5({ outer }: Pick<Secret, 'outer'>, target: Uint8Array, at: number): void {
  pad();
  for (let i = 0; i < 4; i++) {
    outerWords[i] = state[i] as number;
    state[i] = outer[i] as number;
  }
  md5Block(state, outerWords, 0);
  writeState(target, at);
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

function begin(from: Int32Array, before: number): void {
  for (let i = 0; i < 4; i++) state[i] = from[i] as number;
  gathered = 0;
  hashed = before;
}

/** Hashes what was gathered with its padding: a one, zeros, the length in bits. */
function pad(): void {
  const length = hashed + gathered;
  let at = gathered;
  octets[at++] = 0x80;
  while ((at & 3) !== 0) octets[at++] = 0;
  const end = (((at >> 2) + 2 + 15) >> 4) << 4;
  for (let word = at >> 2; word < end - 2; word++) words[word] = 0;
  words[end - 2] = length << 3;
  words[end - 1] = Math.floor(length / 0x2000_0000);
  compress(end * 4);
}

function compress(length: number): void {
  for (let word = 0; word < length / 4; word += 16) md5Block(state, words, word);
}

function writeState(target: Uint8Array, at: number): void {
  for (let i = 0; i < 4; i++) {
    const word = state[i] as number;
    const to = at + 4 * i;
    target[to] = word;
    target[to + 1] = word >>> 8;
    target[to + 2] = word >>> 16;
    target[to + 3] = word >>> 24;
  }
}
