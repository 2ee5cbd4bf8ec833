// The opaque cursor of a list: the sort order it belongs to and the keys of the last row shown.
import { Problem } from '../problem.ts';

export function encodeCursor(sort: string, keys: readonly string[]): string {
  return Buffer.from(JSON.stringify([sort, ...keys])).toString('base64url');
}

/** The keys of a cursor of this sort order. The database checks each against its type. */
export function decodeCursor(cursor: string, sort: string, count: number): string[] {
  const parts = parse(cursor);
  if (!Array.isArray(parts) || parts.length !== count + 1 || parts[0] !== sort)
    throw new Problem('invalid_cursor', 'the cursor belongs to another list or sort order');
  const keys = parts.slice(1);
  if (!keys.every((key) => typeof key === 'string' && !key.includes('\0')))
    throw new Problem('invalid_cursor', 'the cursor is damaged');
  return keys;
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch (error) {
    throw new Problem('invalid_cursor', 'the cursor is damaged', [], error);
  }
}
