// Reads the dictionaries of this folder, or of an operator's.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { codeOf } from '#ops/runtime/errors.ts';
import { type Dictionary, readDictionary } from '../wire/dictionary.ts';

/** @throws with every problem, one line each. */
export function loadDictionary(folder: string = import.meta.dirname, entry = 'main.dict'): Dictionary {
  const result = readDictionary(entry, (file) => {
    try {
      return readFileSync(path.join(folder, file), 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
  if (!result.ok) throw new Error(`the dictionaries cannot be read:\n${result.problems.join('\n')}`);
  return result.dictionary;
}
