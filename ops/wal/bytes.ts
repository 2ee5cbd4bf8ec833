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
/** Octets of 2^53 − 1. */
const longestNumber = 8;
/** Its length is one octet of LEB128. */
const longestPlain = 64;

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
    room(longestNumber);
    let rest = value;
    // Beyond 31 bits the operators on bits would not do.
    while (rest > 0x7fff_ffff) {
      buffer[end++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      buffer[end++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[end++] = rest;
  };
  /** Whether it was short and ASCII, as most are: then it is written without a call out of JavaScript. */
  const plainText = (value: string): boolean => {
    const { length } = value;
    if (length > longestPlain) return false;
    room(1 + length);
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return false;
      buffer[end + 1 + i] = unit;
    }
    buffer[end] = length;
    end += 1 + length;
    return true;
  };
  return {
    byte,
    number,
    text(value) {
      if (plainText(value)) return;
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
