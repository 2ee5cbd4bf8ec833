// MD4 (RFC 1320), which MS-CHAP hashes passwords with and OpenSSL 3 has put aside. Broken as a hash; nothing else may use it.
import { Buffer } from 'node:buffer';

/** The word each step takes, and how far it rotates, for the three rounds of 16 steps (RFC 1320 §3.4). */
const words = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
] as const;
const rotations = [
  [3, 7, 11, 19],
  [3, 5, 9, 13],
  [3, 9, 11, 15],
] as const;
const constants = [0, 0x5a827999, 0x6ed9eba1] as const;

/** The 16 octets of the digest. */
export function md4(data: Uint8Array): Buffer {
  const padded = Buffer.alloc((((data.length + 8) >>> 6) + 1) * 64);
  padded.set(data);
  padded[data.length] = 0x80;
  padded.writeBigUInt64LE(BigInt(data.length) * 8n, padded.length - 8);
  let a = 0x67452301;
  let b = 0xefcdab89 | 0;
  let c = 0x98badcfe | 0;
  let d = 0x10325476;
  for (let block = 0; block < padded.length; block += 64) {
    const [a0, b0, c0, d0] = [a, b, c, d];
    for (const [round, order] of words.entries()) {
      const turns = rotations[round] ?? rotations[0];
      for (const [step, word] of order.entries()) {
        const mixed = round === 0 ? (b & c) | (~b & d) : round === 1 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        const sum = (a + mixed + padded.readInt32LE(block + 4 * word) + (constants[round] ?? 0)) | 0;
        const turn = turns[step & 3] ?? 0;
        [a, b, c, d] = [d, (sum << turn) | (sum >>> (32 - turn)), b, c];
      }
    }
    a = (a + a0) | 0;
    b = (b + b0) | 0;
    c = (c + c0) | 0;
    d = (d + d0) | 0;
  }
  const digest = Buffer.alloc(16);
  for (const [i, value] of [a, b, c, d].entries()) digest.writeInt32LE(value, 4 * i);
  return digest;
}
