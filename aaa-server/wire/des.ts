// DES of one block (FIPS 46-3), which MS-CHAP answers challenges with. A cipher of node:crypto costs ten times as much to make.
import { Buffer } from 'node:buffer';

// Numbers of bits as the standard counts them: from 1, the most significant first.
const initialPermutation = [58, 60, 62, 64, 57, 59, 61, 63].flatMap((first) => countDown(first, 8));
const keyHalves = [
  ...[...countDown(57, 8), ...countDown(58, 8), ...countDown(59, 8), ...countDown(60, 4)],
  ...[...countDown(63, 8), ...countDown(62, 8), ...countDown(61, 8), ...countDown(28, 4)],
];
const rotations = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1] as const;
const roundKeyChoice = [
  14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47, 55, 30,
  40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
] as const;
const outputPermutation = [
  16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
] as const;
/** The eight boxes: four rows of sixteen, one hexadecimal digit each. */
const boxes = [
  'e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d',
  'f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9',
  'a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c',
  '7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e',
  '2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453',
  'c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d',
  '4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c',
  'd2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b',
] as const;

/** What six bits become in each box, already put where the output permutation puts them. */
const substitutions: readonly Int32Array[] = boxes.map((box: string, number) => {
  const table = new Int32Array(64);
  for (let input = 0; input < 64; input++) {
    const row = ((input >> 4) & 2) | (input & 1);
    const digit = Number.parseInt(box[16 * row + ((input >> 1) & 15)] ?? '0', 16);
    let permuted = 0;
    for (const [place, bit] of outputPermutation.entries()) {
      const fromBox = bit - 1 - 4 * number;
      if (fromBox >= 0 && fromBox < 4 && (digit >> (3 - fromBox)) & 1) permuted |= 1 << (31 - place);
    }
    table[input] = permuted;
  }
  return table;
});

const roundKeys = new Uint8Array(16 * 8);

/** Encrypts a block of 8 octets under a key of 56 bits, without the bits of parity. */
export function des(key: Buffer, block: Buffer): Buffer {
  schedule(key);
  let left = 0;
  let right = 0;
  for (let i = 0; i < 32; i++) {
    left = (left << 1) | bitOf(block, initialPermutation[i] as number);
    right = (right << 1) | bitOf(block, initialPermutation[32 + i] as number);
  }
  for (let round = 0; round < 16; round++) {
    // The expansion: each box takes its four bits and a neighbour on either side.
    let mixed = 0;
    for (let box = 0; box < 8; box++) {
      const turn = (4 * box + 5) & 31;
      const six = ((right << turn) | (right >>> (32 - turn))) & 63;
      mixed |= (substitutions[box] as Int32Array)[six ^ (roundKeys[8 * round + box] as number)] as number;
    }
    const next = left ^ mixed;
    left = right;
    right = next;
  }
  const out = Buffer.alloc(8);
  // The halves change places once more, then the initial permutation is undone.
  for (let i = 0; i < 32; i++) {
    setBit(out, initialPermutation[i] as number, (right >>> (31 - i)) & 1);
    setBit(out, initialPermutation[32 + i] as number, (left >>> (31 - i)) & 1);
  }
  return out;
}

/** Fills in the keys of the rounds, six bits for each box. */
function schedule(key: Buffer): void {
  let c = 0;
  let d = 0;
  for (let i = 0; i < 28; i++) {
    c = (c << 1) | keyBit(key, keyHalves[i] as number);
    d = (d << 1) | keyBit(key, keyHalves[28 + i] as number);
  }
  for (let round = 0; round < 16; round++) {
    const turn = rotations[round] as number;
    c = ((c << turn) | (c >>> (28 - turn))) & 0xfffffff;
    d = ((d << turn) | (d >>> (28 - turn))) & 0xfffffff;
    for (let box = 0; box < 8; box++) {
      let six = 0;
      for (let i = 6 * box; i < 6 * box + 6; i++) {
        const bit = roundKeyChoice[i] as number;
        six = (six << 1) | (bit <= 28 ? (c >>> (28 - bit)) & 1 : (d >>> (56 - bit)) & 1);
      }
      roundKeys[8 * round + box] = six;
    }
  }
}

/** A bit of a key of 64 bits, of which every eighth is parity and not there. */
function keyBit(key: Buffer, bit: number): number {
  return bitOf(key, bit - ((bit - 1) >> 3));
}

function bitOf(octets: Buffer, bit: number): number {
  return ((octets[(bit - 1) >> 3] as number) >> (7 - ((bit - 1) & 7))) & 1;
}

function setBit(octets: Buffer, bit: number, value: number): void {
  octets[(bit - 1) >> 3] = (octets[(bit - 1) >> 3] as number) | (value << (7 - ((bit - 1) & 7)));
}

/** `first` and every eighth number below it. */
function countDown(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first - 8 * i);
}
