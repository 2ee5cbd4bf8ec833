// Writes rows in ClickHouse's RowBinary format: little-endian numbers one after the other, texts behind their length.
// https://clickhouse.com/docs/interfaces/formats/RowBinary

export type RowWriter = {
  /** UInt8, Enum8, Bool. */
  uint8(value: number): void;
  uint32(value: number): void;
  /** UInt64, and DateTime64 as a count of its unit since 1970: 0 … 2^53 − 1. */
  uint64(value: number): void;
  /** String, also LowCardinality. */
  text(value: string): void;
  octets(value: Buffer): void;
  /** Written since the last `take`. */
  length(): number;
  /** A copy of what was written; writing begins anew. */
  take(): Buffer;
};

const firstSize = 64 * 1024;
const twoTo32 = 2 ** 32;
/** Its length is one octet of LEB128. */
const longestPlain = 64;

export function createRowWriter(): RowWriter {
  let buffer = Buffer.allocUnsafe(firstSize);
  let end = 0;

  const room = (bytes: number) => {
    if (end + bytes <= buffer.length) return;
    const larger = Buffer.allocUnsafe((end + bytes) * 2);
    buffer.copy(larger, 0, 0, end);
    buffer = larger;
  };
  /** LEB128. */
  const length = (value: number) => {
    room(5);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[end++] = (rest % 0x80) | 0x80;
    buffer[end++] = rest;
  };

  /** Whether it was short and ASCII, as most are: then it is written without a call out of JavaScript. */
  const plainText = (value: string): boolean => {
    const { length: characters } = value;
    if (characters > longestPlain) return false;
    room(1 + characters);
    for (let i = 0; i < characters; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return false;
      buffer[end + 1 + i] = unit;
    }
    buffer[end] = characters;
    end += 1 + characters;
    return true;
  };

  return {
    uint8(value) {
      room(1);
      end = buffer.writeUInt8(value, end);
    },
    uint32(value) {
      room(4);
      end = buffer.writeUInt32LE(value, end);
    },
    uint64(value) {
      if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no whole number below 2^53`);
      room(8);
      end = buffer.writeUInt32LE(value % twoTo32, end);
      end = buffer.writeUInt32LE(Math.floor(value / twoTo32), end);
    },
    text(value) {
      if (plainText(value)) return;
      const bytes = Buffer.byteLength(value);
      length(bytes);
      room(bytes);
      end += buffer.write(value, end);
    },
    octets(value) {
      length(value.length);
      room(value.length);
      end += value.copy(buffer, end);
    },
    length: () => end,
    take() {
      const copy = Buffer.from(buffer.subarray(0, end));
      end = 0;
      return copy;
    },
  };
}
