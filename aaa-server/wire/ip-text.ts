// IP addresses between their octets and their text (RFC 5952 for IPv6).
import { Buffer } from 'node:buffer';

/** Four octets, or undefined when `text` is no dotted quad. */
export function parseIpv4(text: string): Buffer | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return Buffer.from(parts.map(Number));
}

export function formatIpv4(octets: Uint8Array): string {
  return octets.join('.');
}

/** Sixteen octets, or undefined when `text` is no IPv6 address. */
export function parseIpv6(text: string): Buffer | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(groupsOf);
  if (!head || (halves.length === 2 && !tail)) return undefined;
  const given = head.length + (tail?.length ?? 0);
  if (tail ? given > 7 : given !== 8) return undefined;
  const groups = [...head, ...Array<number>(8 - given).fill(0), ...(tail ?? [])];
  const octets = Buffer.alloc(16);
  groups.forEach((group, i) => {
    octets.writeUInt16BE(group, i * 2);
  });
  return octets;
}

/** The longest run of zero groups, the first of equals and at least two, becomes `::`. */
export function formatIpv6(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (octets[i * 2] ?? 0) * 256 + (octets[i * 2 + 1] ?? 0));
  let from = -1;
  let longest = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (groups[i + length] === 0) length++;
    if (length > longest) {
      from = i;
      longest = length;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  return from < 0 ? hex.join(':') : `${hex.slice(0, from).join(':')}::${hex.slice(from + longest).join(':')}`;
}

/** 16-bit groups of one side of `::`; a dotted quad may end it. */
function groupsOf(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    const quad = i === parts.length - 1 ? parseIpv4(part) : undefined;
    if (quad) groups.push(quad.readUInt16BE(0), quad.readUInt16BE(2));
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}
