// Unsigned whole numbers below 2^53, least octet first, as struct of Redis's Lua packs them.

const high = 2 ** 48;

export function readUint(bytes: Buffer, at: number, length: number): number {
  if (length <= 6) return bytes.readUIntLE(at, length);
  return bytes.readUIntLE(at, 6) + bytes.readUIntLE(at + 6, length - 6) * high;
}
