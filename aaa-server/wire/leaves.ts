// Takes a packet apart into single values: vendor formats, extended spaces and TLVs opened, values in parts joined (RFC 2865 §5.26, RFC 6929).
import { Buffer } from 'node:buffer';
import { attribute, carriesNothing, firstAttribute, joinedOctets, octetsAt } from './attributes.ts';
import type { Dictionary } from './dictionary.ts';
import type { AttributePlace } from './dictionary-attribute.ts';
import { headerLength, octet, type Packet } from './packet.ts';

export type Leaf = AttributePlace & { readonly octets: Buffer };

/** More (RFC 6929 §2.2) and WiMAX's continuation: the value goes on in the attribute that follows. */
export const goesOn = 0x80;
export const isExtended = (type: number) => type >= 241 && type <= 244;
export const isLongExtended = (type: number) => type === 245 || type === 246;

/** What is malformed inside stays as it came: octets under the number of what holds it. Empty attributes are left out. */
export function leavesOf(packet: Packet, dictionary: Dictionary): Leaf[] {
  const { data, end } = packet;
  const leaves: Leaf[] = [];

  /** A value in its place, or what lies in it when the dictionary says it is a TLV (RFC 6929 §2.3). */
  function add(place: AttributePlace, octets: Buffer): void {
    const inside = dictionary.attributeAt(place)?.kind === 'tlv' ? rowOf(octets, 1, 1) : undefined;
    if (!inside) return void leaves.push({ ...place, octets });
    for (const { type, value } of inside) add({ ...place, path: [...place.path, type] }, value);
  }

  /** The parts that follow `at` while the first octets agree and say so; undefined when the last one is missing. */
  function joined(at: number, flagAt: number): { readonly octets: Buffer; readonly next: number } | undefined {
    const first = octetsAt(packet, at);
    const parts: Buffer[] = [];
    for (let part = at; part < end; part += octet(data, part + 1)) {
      const octets = octetsAt(packet, part);
      // Everything before the flag says which value it is; a length among it (WiMAX) may differ.
      const same = octet(data, part) === octet(data, at) && sameValue(octets, first, flagAt);
      if (!same || octets.length <= flagAt) return undefined;
      parts.push(octets.subarray(flagAt + 1));
      if ((octet(octets, flagAt) & goesOn) === 0) {
        return { octets: Buffer.concat(parts), next: part + octet(data, part + 1) };
      }
    }
    return undefined;
  }

  /** Adds what the Vendor-Specific at `at` holds; the offset behind it, 0 when its inside has another format than its vendor's. */
  function openVendor(at: number, octets: Buffer): number {
    const next = at + octet(data, at + 1);
    if (octets.length < 5) return 0;
    const vendor = octets.readUInt32BE(0);
    const { typeOctets, lengthOctets, continued } = dictionary.formatOf(vendor);
    if (continued) {
      // One attribute in each: vendor, type, length, flag, value.
      if (octets.length < 7 || octet(octets, 5) !== octets.length - 4) return 0;
      const whole = joined(at, 6);
      if (whole) add({ vendor, extendedSpace: 0, path: [octet(octets, 4)] }, whole.octets);
      return whole?.next ?? 0;
    }
    const row = rowOf(octets.subarray(4), typeOctets, lengthOctets);
    for (const { type, value } of row ?? []) {
      if (value.length > 0) add({ vendor, extendedSpace: 0, path: [type] }, value);
    }
    return row ? next : 0;
  }

  /** The same for an attribute of an extended space. */
  function openExtended(at: number, space: number, octets: Buffer): number {
    const long = isLongExtended(space) ? joined(at, 1) : undefined;
    const value = isLongExtended(space) ? long?.octets : octets.subarray(1);
    const type = octets[0];
    if (!value || value.length === 0 || type === undefined || type === 0) return 0;
    if (type !== attribute.vendorSpecific) add({ vendor: 0, extendedSpace: 0, path: [space, type] }, value);
    else if (value.length < 6) return 0;
    else add({ vendor: value.readUInt32BE(0), extendedSpace: space, path: [octet(value, 4)] }, value.subarray(5));
    return long?.next ?? at + octet(data, at + 1);
  }

  for (let at = packet.start + headerLength; at < end; ) {
    const type = octet(data, at);
    const octets = octetsAt(packet, at);
    const place: AttributePlace = { vendor: 0, extendedSpace: 0, path: [type] };
    const isOpen = type === attribute.vendorSpecific || isExtended(type) || isLongExtended(type);
    let next = 0;
    if (type === attribute.vendorSpecific) next = openVendor(at, octets);
    else if (isOpen) next = openExtended(at, type, octets);
    else if (dictionary.attributeAt(place)?.concat) {
      if (firstAttribute(packet, type) === at) add(place, joinedOctets(packet, type) ?? octets);
      next = at + octet(data, at + 1);
    }
    if (next === 0) {
      if (octets.length > 0 || !carriesNothing(type)) add(place, octets);
      next = at + octet(data, at + 1);
    }
    at = next;
  }
  return leaves;
}

/** The attributes that fill `octets` exactly, undefined when none do. Lengths count type and length; without them the rest is one value. */
function rowOf(
  octets: Buffer,
  typeOctets: number,
  lengthOctets: number,
): { readonly type: number; readonly value: Buffer }[] | undefined {
  const header = typeOctets + lengthOctets;
  const row: { type: number; value: Buffer }[] = [];
  for (let at = 0; at < octets.length; ) {
    if (at + header > octets.length) return undefined;
    const type = octets.readUIntBE(at, typeOctets);
    const length = lengthOctets === 0 ? octets.length - at : octets.readUIntBE(at + typeOctets, lengthOctets);
    if (length < header || at + length > octets.length) return undefined;
    row.push({ type, value: octets.subarray(at + header, at + length) });
    at += length;
  }
  return row.length > 0 ? row : undefined;
}

function sameValue(part: Buffer, first: Buffer, flagAt: number): boolean {
  const named = flagAt === 1 ? 1 : 5;
  return part.length >= named && part.compare(first, 0, named, 0, named) === 0;
}
