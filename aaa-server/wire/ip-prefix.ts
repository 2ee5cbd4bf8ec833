// IPv6 prefixes between their octets and their text (RFC 3162 §2.3): a reserved octet, the length, as many octets as hold the prefix.
import { Buffer } from 'node:buffer';
import { formatIpv6, parseIpv6 } from './ip-text.ts';

/** `2001:db8::/64`; octets that are absent at the end are zero. Undefined when the octets hold no prefix. */
export function formatPrefix(octets: Buffer): string | undefined {
  const length = octets[1];
  if (length === undefined || length > 128 || octets.length > 18) return undefined;
  const address = Buffer.alloc(16);
  octets.copy(address, 0, 2);
  clearHostBits(address, length);
  return `${formatIpv6(address)}/${length}`;
}

export function parsePrefix(text: string): Buffer | undefined {
  const [addressText = '', lengthText = ''] = text.split('/');
  const address = parseIpv6(addressText);
  const length = /^\d{1,3}$/.test(lengthText) ? Number(lengthText) : 129;
  if (!address || length > 128) return undefined;
  clearHostBits(address, length);
  return Buffer.concat([Buffer.of(0, length), address.subarray(0, Math.ceil(length / 8))]);
}

function clearHostBits(address: Buffer, length: number): void {
  for (let i = 0; i < 16; i++) {
    const kept = Math.min(8, Math.max(0, length - i * 8));
    address[i] = (address[i] ?? 0) & (0xff << (8 - kept)) & 0xff;
  }
}
