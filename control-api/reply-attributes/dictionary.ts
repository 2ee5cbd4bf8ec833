// Asks aaa-server, whose dictionaries they are, for the octets of attributes written as text.
import Type, { type Static } from 'typebox';
import { Value } from 'typebox/value';
import { type AllowedAttribute, type Hiding, hidings } from '#policy/proxy/settings.ts';
import { type AaaAdmin, refused } from '../aaa-admin.ts';
import type { AttributeField } from './contract.ts';

const Encoded = Type.Union([
  Type.Object({ vendor: Type.Integer(), type: Type.Integer(), octets: Type.String() }),
  Type.Object({ problem: Type.String() }),
]);
const Answer = Type.Object({ data: Type.Array(Encoded) });
const Described = Type.Union([
  Type.Object({
    name: Type.String(),
    vendor: Type.Integer(),
    type: Type.Integer(),
    hiding: Type.Unsafe<Hiding>(Type.Enum([...hidings])),
    tagged: Type.Boolean(),
  }),
  Type.Object({ problem: Type.String() }),
]);
const Descriptions = Type.Object({ data: Type.Array(Described) });

/** The octets in hex, or what is wrong. */
export type EncodedAttribute = Static<typeof Encoded>;

export type AttributeDictionary = {
  /** As many answers as attributes, in their order. */
  encode(attributes: readonly AttributeField[]): Promise<readonly EncodedAttribute[]>;
  /** What these names stand for on the wire, in their order. */
  describe(names: readonly string[]): Promise<readonly (AllowedAttribute | { readonly problem: string })[]>;
};

export function createAttributeDictionary(aaa: AaaAdmin): AttributeDictionary {
  return {
    async encode(attributes) {
      const response = await aaa.call('POST', '/attributes', { attributes });
      if (!response.ok) throw refused(response);
      return Value.Parse(Answer, await response.json()).data;
    },
    async describe(names) {
      const response = await aaa.call('POST', '/attribute-names', { names });
      if (!response.ok) throw refused(response);
      return Value.Parse(Descriptions, await response.json()).data;
    },
  };
}
