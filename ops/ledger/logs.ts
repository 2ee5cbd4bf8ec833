// The write-ahead logs on this node, and how far back each of them reaches.
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '#ops/runtime/errors.ts';
import { listSegments } from '../wal/segments.ts';

export type LocalLog = {
  readonly wal: string;
  /** Its first record is still there. */
  readonly whole: boolean;
  /** Its oldest segment was last written then: everything younger is there. */
  readonly oldestMs: number;
};

/** Below the data folder: accounting records, and usage from flows. */
const roots = ['wal', 'flow-wal'];

export async function localLogs(dataFolder: string): Promise<LocalLog[]> {
  const found: LocalLog[] = [];
  for (const root of roots) {
    const folder = path.join(dataFolder, root);
    for (const name of await foldersIn(folder)) {
      const [first] = await listSegments(path.join(folder, name));
      if (first) found.push({ wal: name, whole: first.base === 0, oldestMs: (await stat(first.file)).mtimeMs });
    }
  }
  return found;
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
