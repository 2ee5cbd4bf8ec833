// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed 64-bit code of short messages, in 32-bit halves and without an allocation.

/** Four words of key, least significant first. */
export type SipKey = readonly [number, number, number, number];

export function sipKey(octets: Buffer): SipKey {
  if (octets.length !== 16) throw new Error(`a key of SipHash has 16 octets, not ${octets.length}`);
  return [octets.readInt32LE(0), octets.readInt32LE(4), octets.readInt32LE(8), octets.readInt32LE(12)];
}

/** Writes the 8 octets of the code of `data[start, end)` to `target` at `at`. */
export function sipHashInto(
  key: SipKey,
  data: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  const [k0l, k0h, k1l, k1h] = key;
  let v0l = k0l ^ 0x70736575;
  let v0h = k0h ^ 0x736f6d65;
  let v1l = k1l ^ 0x6e646f6d;
  let v1h = k1h ^ 0x646f7261;
  let v2l = k0l ^ 0x6e657261;
  let v2h = k0h ^ 0x6c796765;
  let v3l = k1l ^ 0x79746573;
  let v3h = k1h ^ 0x74656462;
  let t = 0;
  const length = end - start;
  const words = (length >> 3) + 1;
  // After the last word comes the finalization, with no word of its own and twice as many rounds.
  for (let word = 0; word <= words; word++) {
    const isFinal = word === words;
    const from = start + 8 * word;
    const ml = isFinal ? 0 : wordAt(data, from, end);
    // The last word ends with the length.
    const mh = isFinal ? 0 : wordAt(data, from + 4, end) | (word === words - 1 ? length << 24 : 0);
    if (isFinal) v2l ^= 0xff;
    v3l ^= ml;
    v3h ^= mh;
    for (let round = isFinal ? 4 : 2; round > 0; round--) {
      // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
      v0l = (v0l + v1l) | 0;
      v0h = (v0h + v1h + (v0l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
      t = (v1h << 13) | (v1l >>> 19);
      v1l = (v1l << 13) | (v1h >>> 19);
      v1h = t;
      v1l ^= v0l;
      v1h ^= v0h;
      t = v0l;
      v0l = v0h;
      v0h = t;
      // v2 += v3; v3 <<<= 16; v3 ^= v2
      v2l = (v2l + v3l) | 0;
      v2h = (v2h + v3h + (v2l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
      t = (v3h << 16) | (v3l >>> 16);
      v3l = (v3l << 16) | (v3h >>> 16);
      v3h = t;
      v3l ^= v2l;
      v3h ^= v2h;
      // v0 += v3; v3 <<<= 21; v3 ^= v0
      v0l = (v0l + v3l) | 0;
      v0h = (v0h + v3h + (v0l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
      t = (v3h << 21) | (v3l >>> 11);
      v3l = (v3l << 21) | (v3h >>> 11);
      v3h = t;
      v3l ^= v0l;
      v3h ^= v0h;
      // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
      v2l = (v2l + v1l) | 0;
      v2h = (v2h + v1h + (v2l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
      t = (v1h << 17) | (v1l >>> 15);
      v1l = (v1l << 17) | (v1h >>> 15);
      v1h = t;
      v1l ^= v2l;
      v1h ^= v2h;
      t = v2l;
      v2l = v2h;
      v2h = t;
    }
    v0l ^= ml;
    v0h ^= mh;
  }
  putWord(target, at, v0l ^ v1l ^ v2l ^ v3l);
  putWord(target, at + 4, v0h ^ v1h ^ v2h ^ v3h);
}

/** 32 bits, the first octet least significant; zero behind `end`. */
function wordAt(data: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return (
      (data[at] as number) |
      ((data[at + 1] as number) << 8) |
      ((data[at + 2] as number) << 16) |
      ((data[at + 3] as number) << 24)
    );
  }
  let word = 0;
  for (let i = at; i < end; i++) word |= (data[i] as number) << (8 * (i - at));
  return word;
}

function putWord(target: Uint8Array, at: number, word: number): void {
  target[at] = word;
  target[at + 1] = word >>> 8;
  target[at + 2] = word >>> 16;
  target[at + 3] = word >>> 24;
}
