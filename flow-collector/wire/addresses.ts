// Addresses of the columns as sixteen octets: IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2), as the tables keep them.

/**
 * Writes the address of `row` to `target` at `at`. Family 0 (none), and a translated IPv4 address of 0 (not told), give `::`.
 * `four` and `six` are the columns of the address, as `columns.src4` and `columns.src6`.
 */
export function writeAddress(
  target: DataView,
  at: number,
  family: number,
  four: Uint32Array,
  six: Uint32Array,
  row: number,
): void {
  if (family === 6) {
    for (let i = 0; i < 4; i++) target.setUint32(at + i * 4, six[row * 4 + i] as number);
    return;
  }
  const address = family === 4 ? (four[row] as number) : 0;
  target.setUint32(at, 0);
  target.setUint32(at + 4, 0);
  target.setUint32(at + 8, address === 0 ? 0 : 0xffff);
  target.setUint32(at + 12, address);
}
