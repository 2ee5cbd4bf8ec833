// The attributes of a packet as text by dictionary, and the octets of `Name = text`: for logs, tests and operators; not for the hot path.
import { Buffer } from 'node:buffer';
import type { Dictionary } from './dictionary.ts';
import type { AttributePlace, DictionaryAttribute } from './dictionary-attribute.ts';
import { type Envelope, inEnvelope } from './envelope.ts';
import { leavesOf } from './leaves.ts';
import type { Secret } from './md5.ts';
import type { Packet } from './packet.ts';
import { hideSalted, maxSaltedLength } from './salted.ts';
import { formatInteger, formatValue, hexOf, parseInteger, parseValue } from './typed-value.ts';
import { hidePassword, maxPasswordLength } from './user-password.ts';

export type TypedAttribute = {
  /** From the dictionary, else `Attr-<numbers>` or `Vendor-<id>-Attr-<numbers>`. */
  readonly name: string;
  readonly vendor: number;
  /** The outermost number in its space. */
  readonly type: number;
  /** RFC 2868 §3: 1…31, 0 = none. */
  readonly tag: number;
  /** Hidden values read `***`; values that do not fit their type, hex as `0x…`. */
  readonly value: string;
};

/** Attributes of a packet in order, those of vendors, extended spaces and TLVs taken out of their envelopes, split ones as one. */
export function typedAttributes(packet: Packet, dictionary: Dictionary): TypedAttribute[] {
  return leavesOf(packet, dictionary).map(({ octets, ...place }) => {
    const known = dictionary.attributeAt(place);
    const { vendor, path } = place;
    return { name: known?.name ?? unknownName(place), vendor, type: path[0] ?? 0, ...shown(octets, known) };
  });
}

/** What a hidden value needs. `authenticator` is that of the request, in replies too; every `salt()` of a packet differs. */
export type Hiding = { readonly secret: Secret; readonly authenticator: Buffer; salt(): number };

type Refusal = { readonly ok: false; readonly reason: string };
export type EncodedAttribute = ({ readonly ok: true } & Envelope) | Refusal;
export type EncodedAttributes = { readonly ok: true; readonly attributes: readonly Envelope[] } | Refusal;

/** The octets of `Name = text`, as one attribute: what needs several, or a secret, is refused. */
export function encodeTyped(dictionary: Dictionary, name: string, text: string): EncodedAttribute {
  const encoded = encodeParts(dictionary, name, text);
  if (!encoded.ok) return encoded;
  const [only, ...rest] = encoded.attributes;
  return only && rest.length === 0
    ? { ok: true, ...only }
    : refusal(`the value of ${name} is too long for one attribute`);
}

/**
 * The octets of `Name = text`, or `Name:tag = text`, in several attributes where one cannot hold them. Integers take numbers or value
 * names, octets hex as `0x…`.
 */
export function encodeParts(dictionary: Dictionary, name: string, text: string, hiding?: Hiding): EncodedAttributes {
  const [, bare = name, tagText] = /^(.*):(\d+)$/.exec(name) ?? [];
  const known = dictionary.attribute(bare);
  if (!known) return refusal(`${name} is in no dictionary`);
  if (known.internal) return refusal(`${bare} is a name of servers: it is never on the wire`);
  const tag = Number(tagText ?? 0);
  if (tagText !== undefined && !(known.hasTag && tag <= highestTag)) {
    return refusal(known.hasTag ? `a tag is 1 to ${highestTag}, not ${tag}` : `${bare} has no tag`);
  }
  const isTaggedInteger = known.hasTag && known.kind === 'integer';
  const plain = isTaggedInteger ? parseInteger(text, known, 3) : parseValue(text, known);
  if (!plain) return refusal(`${JSON.stringify(text)} is no value of ${bare} (${known.kind})`);
  const value = known.encrypt === 0 ? plain : hidden(plain, known, hiding);
  if (typeof value === 'string') return refusal(value);
  // A tag that says nothing is left out, except before an integer, a salt and what would look like a tag (RFC 2868 §3.1, §3.5).
  const looksTagged = (value[0] ?? highestTag + 1) <= highestTag;
  const tagged = known.hasTag && (tag > 0 || isTaggedInteger || known.encrypt === 2 || looksTagged);
  const attributes = inEnvelope(known, tagged ? Buffer.concat([Buffer.of(tag), value]) : value, dictionary);
  return attributes ? { ok: true, attributes } : refusal(`the value of ${bare} is too long`);
}

const highestTag = 0x1f;

function shown(octets: Buffer, known: DictionaryAttribute | undefined): { tag: number; value: string } {
  const first = octets[0] ?? 0;
  const isTag = known?.hasTag === true && first <= highestTag;
  if (known && known.encrypt !== 0) return { tag: isTag ? first : 0, value: '***' };
  // An integer is three octets behind its tag: with another first octet, or another size, it is none.
  if (known?.hasTag && known.kind === 'integer') {
    const fits = isTag && octets.length === 4;
    return fits ? { tag: first, value: formatInteger(octets.subarray(1), known) } : { tag: 0, value: hexOf(octets) };
  }
  return isTag
    ? { tag: first, value: formatValue(octets.subarray(1), known) }
    : { tag: 0, value: formatValue(octets, known) };
}

/** The hidden octets, or why there are none. */
function hidden(plain: Buffer, { name, encrypt }: DictionaryAttribute, hiding: Hiding | undefined): Buffer | string {
  if (!hiding) return `${name} is hidden on the wire: encode it with the secret`;
  if (encrypt === 3) return `${name} is hidden in Ascend's way, which is not spoken here`;
  if (encrypt === 2) {
    return plain.length > maxSaltedLength
      ? `the value of ${name} is too long`
      : hideSalted(plain, hiding.secret, hiding.authenticator, 0, hiding.salt());
  }
  return plain.length > maxPasswordLength
    ? `the value of ${name} is too long`
    : hidePassword(plain, hiding.secret, hiding.authenticator);
}

function unknownName({ vendor, extendedSpace, path }: AttributePlace): string {
  const numbers = path.join('.');
  if (extendedSpace !== 0) return `Attr-${extendedSpace}.26.${vendor}.${numbers}`;
  return vendor === 0 ? `Attr-${numbers}` : `Vendor-${vendor}-Attr-${numbers}`;
}

function refusal(reason: string): Refusal {
  return { ok: false, reason };
}
