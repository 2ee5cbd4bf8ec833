// Attributes that an operator adds to Access-Accepts, as NAS, tariff and subscription carry them in the API.
import Type, { type Static } from 'typebox';
import { attributeLimits, type StoredAttribute } from '#policy/nas/reply-attributes.ts';
import { strict } from '../fields.ts';

export const AttributeField = strict({
  name: Type.String({
    minLength: 1,
    maxLength: attributeLimits.nameLength,
    pattern: '^[A-Za-z0-9._-]+(:[0-9]{1,2})?$',
    description: 'a name of the RADIUS dictionaries, e.g. Framed-Pool',
  }),
  value: Type.String({
    minLength: 1,
    maxLength: attributeLimits.valueLength,
    pattern: '^[^\\u0000-\\u001f\\u007f\\ud800-\\udfff]+$',
    description: 'as the type of the attribute is written: a text, a number or its name, an address, octets as 0x…',
  }),
});
export type AttributeField = Static<typeof AttributeField>;

/** Replaces the whole list. */
export const AttributesField = Type.Array(AttributeField, {
  maxItems: attributeLimits.count,
  description:
    'added to every Access-Accept; subscription before tariff before NAS, and what policy decides before all',
});

/** A body whose attributes are as they are stored. */
export type Compiled<Body extends { attributes?: AttributeField[] }> = Omit<Body, 'attributes'> & {
  attributes?: readonly StoredAttribute[];
};

export function showAttributes(stored: readonly StoredAttribute[]): AttributeField[] {
  return stored.map(({ name, value }) => ({ name, value }));
}
