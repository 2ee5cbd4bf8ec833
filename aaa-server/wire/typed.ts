// Attribute values as text by dictionary, both ways: for logs, tests and operators; not for the hot path.
import { Buffer } from 'node:buffer';
import { attribute, eachAttribute, eachVendorAttribute, octetsAt } from './attributes.ts';
import type { Dictionary } from './dictionary.ts';
import type { DictionaryAttribute } from './dictionary-attribute.ts';
import { formatPrefix, parsePrefix } from './ip-prefix.ts';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './ip-text.ts';
import type { Packet } from './packet.ts';

export type TypedAttribute = {
  /** From the dictionary, else `Attr-<type>` or `Vendor-<id>-Attr-<type>`. */
  readonly name: string;
  readonly vendor: number;
  readonly type: number;
  /** Hidden values read `***`; values that do not fit their type, hex as `0x…`. */
  readonly value: string;
};

/** Attributes of a packet in order, vendor attributes taken out of their envelope. */
export function typedAttributes(packet: Packet, dictionary: Dictionary): TypedAttribute[] {
  const found: TypedAttribute[] = [];
  const add = (vendor: number, type: number, at: number) => {
    const known = dictionary.attributeOf(vendor, type);
    const name = known?.name ?? (vendor === 0 ? `Attr-${type}` : `Vendor-${vendor}-Attr-${type}`);
    found.push({ name, vendor, type, value: formatValue(octetsAt(packet, at), known) });
  };
  eachAttribute(packet, (type, at) => {
    if (type !== attribute.vendorSpecific || !eachVendorAttribute(packet, at, add)) add(0, type, at);
  });
  return found;
}

export type EncodedAttribute =
  | { readonly ok: true; readonly vendor: number; readonly type: number; readonly value: Buffer }
  | { readonly ok: false; readonly reason: string };

/** The octets of `Name = text`. Integers take numbers or value names, octets hex as `0x…`. */
export function encodeTyped(dictionary: Dictionary, name: string, text: string): EncodedAttribute {
  const known = dictionary.attribute(name);
  if (!known) return { ok: false, reason: `${name} is in no dictionary` };
  if (known.encrypted) return { ok: false, reason: `${name} is hidden on the wire: encode it with the secret` };
  const value = parseValue(text, known);
  if (!value) return { ok: false, reason: `${JSON.stringify(text)} is no value of ${name} (${known.kind})` };
  return { ok: true, vendor: known.vendor, type: known.type, value };
}

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
  ether: 6,
};

function formatValue(octets: Buffer, known: DictionaryAttribute | undefined): string {
  const hex = () => `0x${octets.toString('hex')}`;
  if (!known) return hex();
  if (known.encrypted) return '***';
  const size = sizes[known.kind];
  if (size !== undefined && octets.length !== size) return hex();
  switch (known.kind) {
    case 'string':
      return octets.toString('utf8');
    case 'integer':
    case 'short':
    case 'byte': {
      const value = octets.readUIntBE(0, octets.length);
      return known.valueNames.get(value) ?? String(value);
    }
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
    case 'ipv6prefix':
      return formatPrefix(octets) ?? hex();
    case 'ifid':
      return [0, 2, 4, 6].map((at) => octets.readUInt16BE(at).toString(16)).join(':');
    case 'ether':
      return octets.toString('hex').replace(/(..)(?=.)/g, '$1:');
    case 'octets':
      return hex();
  }
  return known.kind satisfies never;
}

function parseValue(text: string, known: DictionaryAttribute): Buffer | undefined {
  switch (known.kind) {
    case 'string':
      return Buffer.from(text, 'utf8');
    case 'integer':
    case 'short':
    case 'byte': {
      const size = sizes[known.kind] ?? 4;
      const value = known.values.get(text.toLowerCase()) ?? (/^\d{1,10}$/.test(text) ? Number(text) : Number.NaN);
      if (!(value < 256 ** size)) return undefined;
      const octets = Buffer.alloc(size);
      octets.writeUIntBE(value, 0, size);
      return octets;
    }
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
    case 'ipv6prefix':
      return parsePrefix(text);
    case 'ifid':
      return /^([0-9a-f]{1,4}:){3}[0-9a-f]{1,4}$/i.test(text) ? parseIpv6(`::${text}`)?.subarray(8) : undefined;
    case 'ether':
      return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? Buffer.from(text.replaceAll(':', ''), 'hex') : undefined;
    case 'octets':
      return /^0x([0-9a-f]{2})*$/i.test(text) ? Buffer.from(text.slice(2), 'hex') : undefined;
  }
  return known.kind satisfies never;
}
