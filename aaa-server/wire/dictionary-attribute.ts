// What a dictionary says of one attribute.
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
  'ether',
] as const;
export type AttributeKind = (typeof attributeKinds)[number];

export type DictionaryAttribute = {
  readonly name: string;
  /** 0 = the standard space, else the vendor's SMI number. */
  readonly vendor: number;
  readonly type: number;
  readonly kind: AttributeKind;
  /** Flag encrypt=…: its value is hidden on the wire and is never shown in a log. */
  readonly encrypted: boolean;
  /** The first name of a number is the one it is shown with. */
  readonly valueNames: ReadonlyMap<number, string>;
  readonly values: ReadonlyMap<string, number>;
};
