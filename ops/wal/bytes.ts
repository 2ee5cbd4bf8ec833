// Reads and writes the compact fields of a stored record: unsigned LEB128 numbers and length-prefixed texts.

/** Thrown by {@link createByteReader} when the bytes do not hold what is asked for. */
export class DamagedBytes extends Error {}

export type ByteWriter = {
  byte(value: number): void;
  /** 0 … 2^53 − 1. */
  number(value: number): void;
  text(value: string): void;
  /** An even number of lower-case hex digits, stored as half as many bytes; the reader must know how many. */
  hex(value: string): void;
  /** A copy of what was written. */
  take(): Buffer;
};

const growth = 1024;

export function createByteWriter(): ByteWriter {
  let buffer = Buffer.allocUnsafe(growth);
  let end = 0;
  const room = (bytes: number) => {
    if (end + bytes <= buffer.length) return;
    const larger = Buffer.allocUnsafe((buffer.length + bytes) * 2);
    buffer.copy(larger, 0, 0, end);
    buffer = larger;
  };
  const byte = (value: number) => {
    room(1);
    buffer[end++] = value;
  };
  const number = (value: number) => {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`${value} is not a number of the record format`);
    let rest = value;
    while (rest >= 0x80) {
      byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    byte(rest);
  };
  return {
    byte,
    number,
    text(value) {
      const length = Buffer.byteLength(value);
      number(length);
      room(length);
      end += buffer.write(value, end);
    },
    hex(value) {
      room(value.length / 2);
      end += buffer.write(value, end, 'hex');
    },
    take() {
      const copy = Buffer.from(buffer.subarray(0, end));
      end = 0;
      return copy;
    },
  };
}

export type ByteReader = {
  byte(): number;
  number(): number;
  text(): string;
  hex(bytes: number): string;
  done(): boolean;
};

/** @throws {DamagedBytes} from every method that would read past the end or a number past 2^53 − 1. */
export function createByteReader(bytes: Buffer): ByteReader {
  let at = 0;
  const byte = () => {
    const value = bytes[at];
    if (value === undefined) throw new DamagedBytes('the record ends too early');
    at++;
    return value;
  };
  const number = () => {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 0x80) {
      const next = byte();
      value += (next & 0x7f) * factor;
      if (next < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
    }
    throw new DamagedBytes('a number is too large');
  };
  const slice = (length: number) => {
    if (length > bytes.length - at) throw new DamagedBytes('the record ends too early');
    at += length;
    return [at - length, at] as const;
  };
  return {
    byte,
    number,
    text: () => bytes.toString('utf8', ...slice(number())),
    hex: (length) => bytes.toString('hex', ...slice(length)),
    done: () => at === bytes.length,
  };
}
