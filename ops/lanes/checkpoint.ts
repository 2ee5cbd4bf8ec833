// Remembers beside a WAL how far it was applied, so that a start need not read all of it; only ever a hint.
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { partitionCount } from '#policy/ledger/types.ts';

/** Every record before `cursor` was in the ledger when it had these positions; a ledger behind them decides for itself. */
export type Checkpoint = {
  readonly cursor: number;
  readonly applied: readonly number[];
  /** The greatest that calls of this WAL have carried; a later one must be greater. */
  readonly generation: number;
};

export async function readCheckpoint(folder: string): Promise<Checkpoint | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(fileOf(folder), 'utf8'));
    return isCheckpoint(value) ? { ...value, generation: value.generation ?? 0 } : undefined;
  } catch {
    // Missing or half written: the log is read from its beginning, the ledger knows what it has.
    return undefined;
  }
}

export async function writeCheckpoint(folder: string, checkpoint: Checkpoint): Promise<void> {
  const draft = `${fileOf(folder)}.new`;
  await writeFile(draft, JSON.stringify(checkpoint), { mode: 0o600 });
  await rename(draft, fileOf(folder));
}

/** Older files have no generation. */
type Stored = Omit<Checkpoint, 'generation'> & { readonly generation?: number };

function isCheckpoint(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null || !('cursor' in value) || !('applied' in value)) return false;
  const { cursor, applied } = value;
  if ('generation' in value && !isPosition(value.generation)) return false;
  return isPosition(cursor) && Array.isArray(applied) && applied.length === partitionCount && applied.every(isPosition);
}

const isPosition = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const fileOf = (folder: string) => path.join(folder, 'applied.json');
