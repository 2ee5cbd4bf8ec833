// IP addresses and prefixes as numbers, for longest-prefix matching.
import { isIPv4, isIPv6 } from 'node:net';

export type IpAddress = { readonly bits: 32 | 128; readonly value: bigint };
export type IpPrefix = IpAddress & { readonly length: number };

/** Undefined when `text` is not an address. `::ffff:a.b.c.d` is the IPv4 address in it. */
export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { bits: 32, value: BigInt(ipv4Number(text)) };
  const plain = text.toLowerCase().startsWith('::ffff:') && isIPv4(text.slice(7)) ? text.slice(7) : text;
  if (plain !== text) return { bits: 32, value: BigInt(ipv4Number(plain)) };
  if (!isIPv6(plain) || plain.includes('%')) return undefined;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  const groups = dotted ? `${dotted[1]}${ipv4Groups(dotted[2] ?? '')}` : plain;
  const [head = '', tail] = groups.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = tail === undefined ? [] : Array<string>(8 - first.length - last.length).fill('0');
  const value = [...first, ...middle, ...last].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
  return { bits: 128, value };
}

/** `10.0.0.0/8`, `2001:db8::/32` or a single address. Undefined when `text` is neither; host bits are cleared. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf('/');
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const lengthText = slash < 0 ? undefined : text.slice(slash + 1);
  const address = parseAddress(addressText);
  if (!address) return undefined;
  if (lengthText !== undefined && !/^\d{1,3}$/.test(lengthText)) return undefined;
  const length = lengthText === undefined ? address.bits : Number(lengthText);
  if (length > address.bits) return undefined;
  return { bits: address.bits, length, value: maskTo(address, length) };
}

/** The first `length` bits of an address; the rest zero. */
export function maskTo(address: IpAddress, length: number): bigint {
  const hostBits = BigInt(address.bits - length);
  return (address.value >> hostBits) << hostBits;
}

/** Four words of an IPv6 address, most significant first; IPv4 is mapped into it (RFC 4291 §2.5.5.2). */
export function wordsOf({ bits, value }: IpAddress): Uint32Array {
  const whole = bits === 128 ? value : value | 0xffff_0000_0000n;
  return Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((whole >> shift) & 0xffff_ffffn));
}

function ipv4Number(text: string): number {
  let value = 0;
  let part = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit >= 0) part = part * 10 + digit;
    else {
      value = value * 256 + part;
      part = 0;
    }
  }
  return value * 256 + part;
}

function ipv4Groups(text: string): string {
  const value = ipv4Number(text);
  return `${Math.floor(value / 65536).toString(16)}:${(value % 65536).toString(16)}`;
}
