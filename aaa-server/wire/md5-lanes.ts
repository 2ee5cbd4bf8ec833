// MD5 and HMAC-MD5 of up to four messages at once: gathered side by side, hashed by one WebAssembly function.
import { digestLength, maxSecretLength, type Secret } from './md5.ts';
import { loadCompressLanes } from './md5-lanes-code.ts';
import { maxPacketLength } from './packet.ts';

export const laneCount = 4;
const block = 64;
const longest = maxPacketLength + maxSecretLength + 2 * block;

// Octets of memory: four states of four words, counts of blocks, the second block of each HMAC, the messages. Word w of lane l of a
// message or state is word 4w + l.
const [statesAt, countsAt, outerAt, messagesAt] = [0, 64, 128, 512];
const { memory, compress } = loadCompressLanes(Math.ceil((messagesAt + laneCount * longest) / 65_536));
const words = new Int32Array(memory);
const octets = new Uint8Array(memory);
const initial = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476] as const;
/** A digest in front, then padding and the length of both blocks in bits. */
for (let lane = 0; lane < laneCount; lane++) {
  words[outerAt / 4 + 4 * 4 + lane] = 0x80;
  words[outerAt / 4 + 4 * 14 + lane] = 8 * (block + digestLength);
}

const blocks = new Int32Array(laneCount);

/** Where octet `at` of the message of a lane lies. */
function placeOf(lane: number, at: number): number {
  return messagesAt + ((at & ~3) << 2) + (lane << 2) + (at & 3);
}

/** The message of this lane begins with `data[start, end)`. */
export function beginLane(lane: number, data: Uint8Array, start: number, end: number): void {
  const whole = (end - start) & ~3;
  const until = start + whole;
  for (let from = start, to = messagesAt / 4 + lane; from < until; from += 4, to += laneCount) {
    words[to] =
      (data[from] as number) |
      ((data[from + 1] as number) << 8) |
      ((data[from + 2] as number) << 16) |
      ((data[from + 3] as number) << 24);
  }
  writeLane(lane, whole, data, until, end);
}

/** `data[start, end)` from octet `at` of the message of this lane on. */
export function writeLane(lane: number, at: number, data: Uint8Array, start: number, end: number): void {
  for (let from = start, to = at; from < end; from++, to++) octets[placeOf(lane, to)] = data[from] as number;
}

/** Its message has so many octets; pads it (RFC 1321 §3.1). `before`: octets that were hashed before them. */
export function endLane(lane: number, length: number, before: number): void {
  let at = length;
  octets[placeOf(lane, at++)] = 0x80;
  while ((at & 3) !== 0) octets[placeOf(lane, at++)] = 0;
  const count = (length + 8 + block) >> 6;
  const last = messagesAt / 4 + lane + laneCount * (16 * count - 2);
  for (let to = messagesAt / 4 + lane + at; to < last; to += laneCount) words[to] = 0;
  words[last] = (before + length) << 3;
  words[last + laneCount] = 0;
  blocks[lane] = count;
}

/** This lane takes no part in what is hashed next. */
export function skipLane(lane: number): void {
  blocks[lane] = 0;
}

/** Hashes what the lanes hold; `readLane` gives the digests. */
export function hashLanes(): void {
  for (let lane = 0; lane < laneCount; lane++) putState(lane, initial);
  run(messagesAt);
}

/** The same as HMAC, under the secret of each lane. */
export function hmacLanes(secrets: readonly Secret[]): void {
  for (let lane = 0; lane < laneCount; lane++) {
    if (blocks[lane] !== 0) putState(lane, (secrets[lane] as Secret).inner);
  }
  run(messagesAt);
  for (let word = 0; word < 16; word++) words[outerAt / 4 + word] = words[statesAt / 4 + word] as number;
  for (let lane = 0; lane < laneCount; lane++) {
    if (blocks[lane] === 0) continue;
    putState(lane, (secrets[lane] as Secret).outer);
    blocks[lane] = 1;
  }
  run(outerAt);
}

/** Writes the digest of a lane to `target` at `at`. */
export function readLane(lane: number, target: Uint8Array, at: number): void {
  for (let i = 0; i < 4; i++) {
    const word = words[statesAt / 4 + 4 * i + lane] as number;
    const to = at + 4 * i;
    target[to] = word;
    target[to + 1] = word >>> 8;
    target[to + 2] = word >>> 16;
    target[to + 3] = word >>> 24;
  }
}

function putState(lane: number, from: ArrayLike<number>): void {
  for (let i = 0; i < 4; i++) words[statesAt / 4 + 4 * i + lane] = from[i] as number;
}

function run(wordsAt: number): void {
  let most = 0;
  for (let lane = 0; lane < laneCount; lane++) {
    const count = blocks[lane] as number;
    words[countsAt / 4 + lane] = count;
    if (count > most) most = count;
  }
  if (most > 0) compress(statesAt, wordsAt, most, countsAt);
}
