// Reads the dictionaries of this folder, and an operator's beside them.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { codeOf, InvalidSettings } from '#ops/runtime/errors.ts';
import { type Dictionary, readDictionary } from '../wire/dictionary.ts';
import type { DictionarySource } from '../wire/dictionary-parser.ts';

/**
 * @param own a file of the operator's, read after ours: it may add attributes and name ours again, not redefine them
 * @throws InvalidSettings with every problem as `file:line: what is wrong`
 */
export function loadDictionary(own = ''): Dictionary {
  const ours = sourceOf(path.join(import.meta.dirname, 'main.dict'));
  const result = readDictionary(ours, ...(own === '' ? [] : [sourceOf(path.resolve(own))]));
  if (!result.ok) throw new InvalidSettings(result.problems.map((problem) => `dictionary ${problem}`));
  return result.dictionary;
}

export function sourceOf(file: string): DictionarySource {
  const folder = path.dirname(file);
  return {
    entry: path.basename(file),
    read(name) {
      try {
        // Octets apart: dictionaries of old are Latin-1 in their comments, and names are ASCII.
        return readFileSync(path.join(folder, name), 'latin1');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    },
  };
}
