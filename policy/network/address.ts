// IP addresses and prefixes as numbers and as text (RFC 4291, RFC 5952), without any library.

export type Address = { readonly bits: 32 | 128; readonly value: bigint };

const dotted = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** Undefined for what is no address. */
export function parseIp(text: string): Address | undefined {
  const v4 = dotted.exec(text);
  if (v4) {
    const octets = v4.slice(1).map(Number);
    return octets.every((octet) => octet < 256)
      ? { bits: 32, value: octets.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n) }
      : undefined;
  }
  const halves = text.toLowerCase().split('::');
  if (halves.length > 2 || !/^[\da-f:]+$/i.test(text)) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  if (!groups.every((group) => /^[\da-f]{1,4}$/.test(group))) return undefined;
  return { bits: 128, value: groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n) };
}

function dottedText(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
}

/** IPv6 in its canonical form: lower case, the longest run of zero groups as `::`. */
export function formatIp({ bits, value }: Address): string {
  if (bits === 32) return dottedText(Number(value));
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  let best = { from: 0, length: 1 };
  for (let from = 0; from < 8; from++) {
    let length = 0;
    while (from + length < 8 && groups[from + length] === 0) length++;
    if (length > best.length) best = { from, length };
  }
  const hex = (list: readonly number[]) => list.map((group) => group.toString(16)).join(':');
  if (best.length === 1) return hex(groups);
  return `${hex(groups.slice(0, best.from))}::${hex(groups.slice(best.from + best.length))}`;
}
