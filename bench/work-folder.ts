// The folder in which every server of a bench keeps its data; gone when the bench is over.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { onExit } from '#test/support/exit.ts';

export async function inWorkFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(path.join(parent, 'lastmile-bench-'));
  // PostgreSQL's user must pass through, or its data would lie elsewhere.
  chmodSync(folder, 0o711);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const forget = onExit(remove);
  try {
    return await work(folder);
  } finally {
    forget();
    remove();
  }
}
