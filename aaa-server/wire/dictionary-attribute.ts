// What a dictionary says of one attribute and of the vendors.
export const attributeKinds = [
  'string',
  'octets',
  'integer',
  'ipaddr',
  'date',
  'byte',
  'short',
  'signed',
  'integer64',
  'ifid',
  'ipv6addr',
  'ipv6prefix',
  'ipv4prefix',
  'combo-ip',
  'ether',
  // Their values hold attributes of their own.
  'tlv',
  'vsa',
  'extended',
  'long-extended',
  'evs',
] as const;
export type AttributeKind = (typeof attributeKinds)[number];

/** Where an attribute has its number. */
export type AttributePlace = {
  /** 0 = the standard space, else the vendor's SMI number. */
  readonly vendor: number;
  /** 241…246 for the vendor attributes of an extended space (RFC 6929 §2.4), else 0. */
  readonly extendedSpace: number;
  /** Numbers from the outermost attribute of the space to itself: `[1]`, in an extended space `[241, 1]`, in a TLV `[29, 16]`. */
  readonly path: readonly number[];
};

export type DictionaryAttribute = AttributePlace & {
  readonly name: string;
  /** The outermost number: what stands on the wire as type. */
  readonly type: number;
  readonly kind: AttributeKind;
  /** Flag encrypt=…: 1 like User-Password, 2 with a salt, 3 Ascend's. Its value is hidden on the wire and is never shown in a log. */
  readonly encrypt: 0 | 1 | 2 | 3;
  /** Its value may begin with a tag (RFC 2868 §3). */
  readonly hasTag: boolean;
  /** All attributes of this type are one value. */
  readonly concat: boolean;
  /** The value is a row of values of this kind. */
  readonly array: boolean;
  /** Known by name to a server, never on the wire. */
  readonly internal: boolean;
  /** The last name of a number is the one it is shown with, as in FreeRADIUS. */
  readonly valueNames: ReadonlyMap<number, string>;
  readonly values: ReadonlyMap<string, number>;
};

/** How a vendor lays out its attributes within Vendor-Specific (RFC 2865 §5.26 recommends 1 and 1). */
export type VendorFormat = {
  readonly typeOctets: 1 | 2 | 4;
  readonly lengthOctets: 0 | 1 | 2;
  /** An octet behind the length says whether the value goes on in the next Vendor-Specific (WiMAX). */
  readonly continued: boolean;
};

export const usualFormat: VendorFormat = { typeOctets: 1, lengthOctets: 1, continued: false };

/** A place as one text, to look it up by. */
export function placeKey({ vendor, extendedSpace, path }: AttributePlace): string {
  return `${extendedSpace}/${vendor}/${path.join('.')}`;
}
