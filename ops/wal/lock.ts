// Takes a WAL folder for one user at a time, across threads and processes; the kernel gives it back when the process ends.
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** @returns the release, or undefined while somebody else has the folder. An exclusive SQLite transaction is the one file lock that Node offers. */
export function lockFolder(folder: string): (() => void) | undefined {
  const lock = new DatabaseSync(path.join(folder, 'lock.db'));
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof Error && /locked/.test(error.message)) return undefined;
    throw error;
  }
  return () => lock.close();
}
