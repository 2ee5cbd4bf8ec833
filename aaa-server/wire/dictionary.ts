// Attribute dictionaries in the file format of FreeRADIUS: names, numbers, types and named values of attributes.
import type { DictionaryAttribute } from './dictionary-attribute.ts';
import { parseDictionary } from './dictionary-parser.ts';

export type Dictionary = {
  readonly vendors: ReadonlyMap<string, number>;
  attribute(name: string): DictionaryAttribute | undefined;
  attributeOf(vendor: number, type: number): DictionaryAttribute | undefined;
  attributes(): readonly DictionaryAttribute[];
};

export type DictionaryResult =
  | { readonly ok: true; readonly dictionary: Dictionary }
  /** Every problem as `file:line: what is wrong`. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the dictionary `entry` and what it includes. `read` gives the text of a file of the dictionary folder, undefined when there is none. */
export function readDictionary(entry: string, read: (file: string) => string | undefined): DictionaryResult {
  const { attributes, vendors, problems } = parseDictionary(entry, read);
  if (problems.length > 0) return { ok: false, problems };
  const byName = new Map(attributes.map((attribute) => [attribute.name.toLowerCase(), attribute]));
  const byNumber = new Map<string, DictionaryAttribute>();
  for (const attribute of attributes) {
    const key = `${attribute.vendor}.${attribute.type}`;
    // A second name of a number is an alias: the number keeps the first.
    if (!byNumber.has(key)) byNumber.set(key, attribute);
  }
  return {
    ok: true,
    dictionary: {
      vendors,
      attribute: (name) => byName.get(name.toLowerCase()),
      attributeOf: (vendor, type) => byNumber.get(`${vendor}.${type}`),
      attributes: () => attributes,
    },
  };
}
