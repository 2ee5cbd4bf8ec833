// Mutated packets for fuzzing, repeatable from a seed.

export type Random = () => number;

/** A small generator whose run can be repeated from its seed. */
export function mulberry32(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A copy with one to four octets changed, cut, added or taken out. */
export function mutate(original: Buffer, random: Random): Buffer {
  const upTo = (limit: number) => Math.floor(random() * limit);
  let data = Buffer.from(original);
  for (let i = 1 + upTo(4); i > 0; i--) {
    const kind = random();
    if (kind < 0.5 && data.length > 0) data[upTo(data.length)] = upTo(256);
    else if (kind < 0.6) data = data.subarray(0, upTo(data.length + 1));
    else if (kind < 0.7) data = Buffer.concat([data, Buffer.alloc(upTo(60), upTo(256))]);
    else if (kind < 0.8) {
      const from = upTo(data.length + 1);
      data = Buffer.concat([data.subarray(0, from), data.subarray(from + upTo(8))]);
    }
    // A length that fits, so that what lies behind the header is reached.
    else if (data.length >= 20 && data.length <= 4096) data.writeUInt16BE(data.length, 2);
  }
  return data;
}
