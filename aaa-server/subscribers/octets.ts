// Writes and reads the octets of a record: little endian, texts with their length before them.

export function writer(size: number) {
  let bytes = Buffer.allocUnsafe(size + 64);
  let at = 0;
  /** Makes room; call it before `bytes` is used, which it may replace. */
  const room = (count: number): number => {
    if (at + count > bytes.length) {
      const larger = Buffer.allocUnsafe(2 * (at + count));
      bytes.copy(larger, 0, 0, at);
      bytes = larger;
    }
    at += count;
    return at - count;
  };
  const byte = (value: number) => {
    const place = room(1);
    bytes.writeUInt8(value, place);
  };
  const short = (value: number) => {
    const place = room(2);
    bytes.writeUInt16LE(value, place);
  };
  const double = (value: number) => {
    const place = room(8);
    bytes.writeDoubleLE(value, place);
  };
  const text = (value: string) => {
    const length = Buffer.byteLength(value);
    short(length);
    const place = room(length);
    bytes.write(value, place);
  };
  return { byte, short, double, text, finish: () => bytes.subarray(0, at) };
}

export function reader(bytes: Buffer, start: number) {
  let at = start;
  return {
    byte: () => bytes[at++] ?? 0,
    short: () => {
      at += 2;
      return bytes.readUInt16LE(at - 2);
    },
    double: () => {
      at += 8;
      return bytes.readDoubleLE(at - 8);
    },
    text: () => {
      const length = bytes.readUInt16LE(at);
      at += 2 + length;
      return bytes.toString('utf8', at - length, at);
    },
  };
}
