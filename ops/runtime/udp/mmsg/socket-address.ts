// Socket addresses as the kernel has them: struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)) in 32-bit words of a little-endian host.
import { isIPv4 } from 'node:net';
import { parseAddress } from '#ops/runtime/ip.ts';
import { is } from './calls.ts';

export type Family = typeof is.inet | typeof is.inet6;

/** Words of a name that tell one from another; IPv4's last two are padding. */
export const nameWords = { [is.inet]: 2, [is.inet6]: 7 } as const;
/** Octets of a name for the kernel. */
export const nameLength = { [is.inet]: 16, [is.inet6]: 28 } as const;

/** The name of an address in a socket of this family; undefined for what is no address of it. */
export function toName(family: Family, address: string, port: number): Buffer | undefined {
  const parsed = parseAddress(address);
  if (!parsed || (family === is.inet && parsed.bits !== 32)) return undefined;
  const name = Buffer.alloc(nameLength[family]);
  name.writeUInt16LE(family, 0);
  name.writeUInt16BE(port, 2);
  if (family === is.inet) name.writeUInt32BE(Number(parsed.value), 4);
  else {
    const whole = parsed.bits === 128 ? parsed.value : parsed.value | 0xffff_0000_0000n;
    name.writeBigUInt64BE(whole >> 64n, 8);
    name.writeBigUInt64BE(whole & 0xffff_ffff_ffff_ffffn, 16);
  }
  return name;
}

/** The port in a name of which this is the first word. */
export function portOf(firstWord: number): number {
  return ((firstWord >>> 8) & 0xff00) | (firstWord >>> 24);
}

/** The address in a name: IPv4 dotted, also where it is mapped into IPv6; IPv6 as RFC 5952 has it. */
export function addressText(family: Family, name: Int32Array): string {
  if (family === is.inet) return dotted(name[1] ?? 0);
  if (name[2] === 0 && name[3] === 0 && name[4] === mapped) return dotted(name[5] ?? 0);
  const groups = [2, 3, 4, 5].flatMap((at) => {
    const word = name[at] ?? 0;
    return [((word & 0xff) << 8) | ((word >>> 8) & 0xff), ((word >>> 8) & 0xff00) | (word >>> 24)];
  });
  // The one writer of IPv6 addresses that Node offers to everybody.
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]`).hostname.slice(1, -1);
}

/** Octets 0, 0, 255, 255 as a word. */
const mapped = -65_536;

function dotted(word: number): string {
  return `${word & 0xff}.${(word >>> 8) & 0xff}.${(word >>> 16) & 0xff}.${word >>> 24}`;
}

export function familyOf(address: string): Family {
  return isIPv4(address) ? is.inet : is.inet6;
}
