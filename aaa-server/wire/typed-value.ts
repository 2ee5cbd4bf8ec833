// One value of a dictionary's type between its octets and its text.
import { Buffer } from 'node:buffer';
import type { DictionaryAttribute } from './dictionary-attribute.ts';
import { formatPrefix, parsePrefix } from './ip-prefix.ts';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './ip-text.ts';

const sizes: Readonly<Partial<Record<DictionaryAttribute['kind'], number>>> = {
  integer: 4,
  signed: 4,
  date: 4,
  ipaddr: 4,
  short: 2,
  byte: 1,
  integer64: 8,
  ifid: 8,
  ipv6addr: 16,
  ipv4prefix: 6,
  ether: 6,
};

/** Hex as `0x…` for what does not fit its type. An array is its values with commas between. */
export function formatValue(octets: Buffer, known: DictionaryAttribute | undefined): string {
  if (!known) return hexOf(octets);
  const size = sizes[known.kind];
  if (!known.array || size === undefined) return formatOne(octets, known);
  if (octets.length === 0 || octets.length % size !== 0) return hexOf(octets);
  const count = octets.length / size;
  return Array.from({ length: count }, (_, i) => formatOne(octets.subarray(i * size, (i + 1) * size), known)).join(
    ', ',
  );
}

/** The octets that a text means; undefined when it is no value of the type. */
export function parseValue(text: string, known: DictionaryAttribute): Buffer | undefined {
  if (!known.array || sizes[known.kind] === undefined) return parseOne(text, known);
  const parts = text.split(',').map((part) => parseOne(part.trim(), known));
  const found = parts.flatMap((part) => part ?? []);
  return found.length === parts.length ? Buffer.concat(found) : undefined;
}

/** An unsigned number of `size` octets by its value name or its digits. */
export function parseInteger(text: string, known: DictionaryAttribute, size: number): Buffer | undefined {
  const value = known.values.get(text.toLowerCase()) ?? (/^\d{1,10}$/.test(text) ? Number(text) : Number.NaN);
  if (!(value < 256 ** size)) return undefined;
  const octets = Buffer.alloc(size);
  octets.writeUIntBE(value, 0, size);
  return octets;
}

export function formatInteger(octets: Buffer, known: DictionaryAttribute): string {
  const value = octets.readUIntBE(0, octets.length);
  return known.valueNames.get(value) ?? String(value);
}

export function hexOf(octets: Buffer): string {
  return `0x${octets.toString('hex')}`;
}

function formatOne(octets: Buffer, known: DictionaryAttribute): string {
  const size = sizes[known.kind];
  if (size !== undefined && octets.length !== size) return hexOf(octets);
  switch (known.kind) {
    case 'string':
      return octets.toString('utf8');
    case 'integer':
    case 'short':
    case 'byte':
      return formatInteger(octets, known);
    case 'signed':
      return String(octets.readInt32BE(0));
    case 'integer64':
      return String(octets.readBigUInt64BE(0));
    case 'date':
      return new Date(octets.readUInt32BE(0) * 1000).toISOString().replace('.000Z', 'Z');
    case 'ipaddr':
      return formatIpv4(octets);
    case 'ipv6addr':
      return formatIpv6(octets);
    case 'combo-ip':
      return octets.length === 4 ? formatIpv4(octets) : octets.length === 16 ? formatIpv6(octets) : hexOf(octets);
    case 'ipv6prefix':
      return formatPrefix(octets) ?? hexOf(octets);
    case 'ipv4prefix':
      return formatIpv4Prefix(octets) ?? hexOf(octets);
    case 'ifid':
      return [0, 2, 4, 6].map((at) => octets.readUInt16BE(at).toString(16)).join(':');
    case 'ether':
      return octets.toString('hex').replace(/(..)(?=.)/g, '$1:');
    case 'octets':
    case 'tlv':
    case 'vsa':
    case 'extended':
    case 'long-extended':
    case 'evs':
      return hexOf(octets);
  }
  return known.kind satisfies never;
}

function parseOne(text: string, known: DictionaryAttribute): Buffer | undefined {
  switch (known.kind) {
    case 'string':
      return Buffer.from(text, 'utf8');
    case 'integer':
    case 'short':
    case 'byte':
      return parseInteger(text, known, sizes[known.kind] ?? 4);
    case 'signed': {
      const value = /^-?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
      if (!(value >= -(2 ** 31) && value < 2 ** 31)) return undefined;
      const octets = Buffer.alloc(4);
      octets.writeInt32BE(value);
      return octets;
    }
    case 'integer64': {
      if (!/^\d{1,20}$/.test(text) || BigInt(text) >= 1n << 64n) return undefined;
      const octets = Buffer.alloc(8);
      octets.writeBigUInt64BE(BigInt(text));
      return octets;
    }
    case 'date': {
      const seconds = /^\d{1,10}$/.test(text) ? Number(text) : Math.floor(Date.parse(text) / 1000);
      if (!(seconds >= 0 && seconds <= 0xffff_ffff)) return undefined;
      const octets = Buffer.alloc(4);
      octets.writeUInt32BE(seconds);
      return octets;
    }
    case 'ipaddr':
      return parseIpv4(text);
    case 'ipv6addr':
      return parseIpv6(text);
    case 'combo-ip':
      return parseIpv4(text) ?? parseIpv6(text);
    case 'ipv6prefix':
      return parsePrefix(text);
    case 'ipv4prefix':
      return parseIpv4Prefix(text);
    case 'ifid':
      return /^([0-9a-f]{1,4}:){3}[0-9a-f]{1,4}$/i.test(text) ? parseIpv6(`::${text}`)?.subarray(8) : undefined;
    case 'ether':
      return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? Buffer.from(text.replaceAll(':', ''), 'hex') : undefined;
    case 'octets':
    case 'tlv':
    case 'vsa':
    case 'extended':
    case 'long-extended':
    case 'evs':
      return /^0x([0-9a-f]{2})*$/i.test(text) ? Buffer.from(text.slice(2), 'hex') : undefined;
  }
  return known.kind satisfies never;
}

/** RFC 8044 §3.11: a reserved octet, the length, four octets whose host bits are zero. */
function formatIpv4Prefix(octets: Buffer): string | undefined {
  const length = octets[1] ?? 33;
  return length > 32 ? undefined : `${formatIpv4(withoutHost(octets.subarray(2, 6), length))}/${length}`;
}

function parseIpv4Prefix(text: string): Buffer | undefined {
  const [addressText = '', lengthText = ''] = text.split('/');
  const address = parseIpv4(addressText);
  const length = /^\d{1,2}$/.test(lengthText) ? Number(lengthText) : 33;
  if (!address || length > 32) return undefined;
  return Buffer.concat([Buffer.of(0, length), withoutHost(address, length)]);
}

function withoutHost(address: Buffer, length: number): Buffer {
  const kept = Buffer.alloc(4);
  kept.writeUInt32BE(length === 0 ? 0 : (address.readUInt32BE(0) & (0xffff_ffff << (32 - length))) >>> 0);
  return kept;
}
