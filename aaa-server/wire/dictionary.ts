// Attribute dictionaries in the file format of FreeRADIUS: names, numbers, types and named values of attributes.
import {
  type AttributePlace,
  type DictionaryAttribute,
  placeKey,
  usualFormat,
  type VendorFormat,
} from './dictionary-attribute.ts';
import { type DictionarySource, parseDictionary } from './dictionary-parser.ts';

export type Dictionary = {
  readonly vendors: ReadonlyMap<string, number>;
  attribute(name: string): DictionaryAttribute | undefined;
  /** The attribute of that number itself, not one inside another. */
  attributeOf(vendor: number, type: number): DictionaryAttribute | undefined;
  attributeAt(place: AttributePlace): DictionaryAttribute | undefined;
  formatOf(vendor: number): VendorFormat;
  attributes(): readonly DictionaryAttribute[];
};

export type DictionaryResult =
  | { readonly ok: true; readonly dictionary: Dictionary }
  /** Every problem as `file:line: what is wrong`. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the dictionaries and what they include, one after the other: a later one may add, not contradict. */
export function readDictionary(...sources: DictionarySource[]): DictionaryResult {
  const { attributes, byPlace, vendors, formats, problems } = parseDictionary(sources);
  if (problems.length > 0) return { ok: false, problems };
  const byName = new Map(attributes.map((attribute) => [attribute.name.toLowerCase(), attribute]));
  const attributeAt = (place: AttributePlace) => byPlace.get(placeKey(place));
  return {
    ok: true,
    dictionary: {
      vendors,
      attribute: (name) => byName.get(name.toLowerCase()),
      attributeOf: (vendor, type) => attributeAt({ vendor, extendedSpace: 0, path: [type] }),
      attributeAt,
      formatOf: (vendor) => formats.get(vendor) ?? usualFormat,
      attributes: () => attributes,
    },
  };
}
