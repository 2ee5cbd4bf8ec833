// Packs numbers and texts as struct of Redis's Lua reads them: unsigned, least octet first, texts behind lengths that lie elsewhere.

export type Packer = ReturnType<typeof createPacker>;

/** So much is free at least when a record begins; a text takes 2^16 octets at most. */
const roomBytes = 2 ** 17;
const high = 2 ** 48;

export function createPacker() {
  let bytes = Buffer.allocUnsafe(2 * roomBytes);
  let end = 0;

  return {
    begin() {
      end = 0;
    },
    /** Leaves octets out, to be written when what comes behind is known; answers where they are. */
    skip(length: number): number {
      if (bytes.length - end < roomBytes) bytes = Buffer.concat([bytes, Buffer.allocUnsafe(bytes.length)]);
      end += length;
      return end - length;
    },
    /** `length` 1 … 7; the number fits and is below 2^55. */
    uint(value: number, length: number): void {
      if (length <= 6) bytes.writeUIntLE(value, end, length);
      else {
        bytes.writeUIntLE(value % high, end, 6);
        bytes.writeUInt8(Math.floor(value / high), end + 6);
      }
      end += length;
    },
    /** The text, and its length in octets at `lengthAt`. Octets beyond what the length can say are cut off. */
    text(text: string, lengthAt: number, length: 1 | 2): void {
      const written = text === '' ? 0 : bytes.write(text, end, length === 1 ? 255 : 65_535);
      bytes.writeUIntLE(written, lengthAt, length);
      end += written;
    },
    /** How long it became since `from`, in four octets there. */
    length(from: number): void {
      bytes.writeUInt32LE(end - from, from);
    },
    /** A copy of everything. */
    take: () => Buffer.from(bytes.subarray(0, end)),
  };
}
