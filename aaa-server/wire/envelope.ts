// Puts a value into the attribute that carries it: TLVs, vendor formats, extended spaces, in parts where it is longer than one (RFC 6929 §2).
import { Buffer } from 'node:buffer';
import { attribute } from './attributes.ts';
import type { Dictionary } from './dictionary.ts';
import { type DictionaryAttribute, usualFormat } from './dictionary-attribute.ts';
import { goesOn, isExtended, isLongExtended } from './leaves.ts';

/** What a packet builder takes: `vendor` 0 is a standard attribute, else one in a Vendor-Specific of the usual format. */
export type Envelope = { readonly vendor: number; readonly type: number; readonly value: Buffer };

const longest = 253;

/** Undefined when the value is too long for its place. */
export function inEnvelope(known: DictionaryAttribute, value: Buffer, dictionary: Dictionary): Envelope[] | undefined {
  const { vendor, extendedSpace, path, type } = known;
  if (extendedSpace !== 0) {
    const inside = inTlvs(path.slice(1), value);
    return (
      inside &&
      inExtended(extendedSpace, attribute.vendorSpecific, Buffer.concat([numberOf(vendor, 4), Buffer.of(type), inside]))
    );
  }
  if (vendor === 0 && (isExtended(type) || isLongExtended(type)) && path[1] !== undefined) {
    const inside = inTlvs(path.slice(2), value);
    return inside && inExtended(type, path[1], inside);
  }
  const inside = inTlvs(path.slice(1), value);
  if (!inside) return undefined;
  if (vendor !== 0) return inVendor(vendor, type, inside, dictionary);
  if (inside.length <= longest) return [{ vendor, type, value: inside }];
  return known.concat ? parts(inside, longest).map((part) => ({ vendor, type, value: part })) : undefined;
}

/** Each number a TLV around the next; undefined when one would be longer than its length octet can tell. */
function inTlvs(numbers: readonly number[], value: Buffer): Buffer | undefined {
  return numbers.reduceRight<Buffer | undefined>(
    (inside, number) =>
      inside && inside.length <= longest ? Buffer.concat([Buffer.of(number, inside.length + 2), inside]) : undefined,
    value,
  );
}

function inExtended(space: number, type: number, value: Buffer): Envelope[] | undefined {
  const envelope = (header: number[], part: Buffer): Envelope => ({
    vendor: 0,
    type: space,
    value: Buffer.concat([Buffer.from(header), part]),
  });
  if (isExtended(space)) return value.length < longest ? [envelope([type], value)] : undefined;
  const rest = parts(value, longest - 2);
  return rest.map((part, i) => envelope([type, i < rest.length - 1 ? goesOn : 0], part));
}

function inVendor(vendor: number, type: number, value: Buffer, dictionary: Dictionary): Envelope[] | undefined {
  const format = dictionary.formatOf(vendor);
  if (format === usualFormat) return value.length <= longest - 6 ? [{ vendor, type, value }] : undefined;
  const { typeOctets, lengthOctets, continued } = format;
  const header = typeOctets + lengthOctets + (continued ? 1 : 0);
  const room = longest - 4 - header;
  if (value.length > room && !continued) return undefined;
  const rest = parts(value, room);
  return rest.map((part, i) => ({
    vendor: 0,
    type: attribute.vendorSpecific,
    value: Buffer.concat([
      numberOf(vendor, 4),
      numberOf(type, typeOctets),
      numberOf(header + part.length, lengthOctets),
      continued ? Buffer.of(i < rest.length - 1 ? goesOn : 0) : Buffer.alloc(0),
      part,
    ]),
  }));
}

function parts(value: Buffer, size: number): Buffer[] {
  const count = Math.max(1, Math.ceil(value.length / size));
  return Array.from({ length: count }, (_, i) => value.subarray(i * size, (i + 1) * size));
}

function numberOf(value: number, octets: number): Buffer {
  const buffer = Buffer.alloc(octets);
  if (octets > 0) buffer.writeUIntBE(value, 0, octets);
  return buffer;
}
