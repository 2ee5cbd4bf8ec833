// The LMDB files of the subscriber snapshot: `node.mdb` (which snapshot is current, decided profiles) and `snapshot-<n>.mdb`.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { metaKeys } from './meta.ts';

export type Environment = RootDatabase<Buffer, Uint8Array>;

const nodeFile = 'node.mdb';

/** Opens for writing; the main thread alone does. */
export function openForWriting(folder: string, file: string): Environment {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return openFile(folder, file, false);
}

/** Undefined while the file is not there. */
export function openForReading(folder: string, file: string): Environment | undefined {
  return existsSync(path.join(folder, file)) ? openFile(folder, file, true) : undefined;
}

function openFile(folder: string, file: string, readOnly: boolean): Environment {
  return open<Buffer, Uint8Array>({
    path: path.join(folder, file),
    noSubdir: true,
    encoding: 'binary',
    keyEncoding: 'binary',
    readOnly,
  });
}

export const openNodeForWriting = (folder: string) => openForWriting(folder, nodeFile);
export const openNodeForReading = (folder: string) => openForReading(folder, nodeFile);

/** File name of the snapshot that readers use, '' before the first one. */
export function currentSnapshot(node: Environment): string {
  return node.getBinary(metaKeys.currentSnapshot)?.toString() ?? '';
}

export async function setCurrentSnapshot(node: Environment, file: string): Promise<void> {
  await node.put(metaKeys.currentSnapshot, Buffer.from(file));
  await node.flushed;
}

/** A file name that no snapshot in the folder has. */
export function nextSnapshotFile(folder: string): string {
  const numbers = snapshotFiles(folder).map((file) => Number(/^snapshot-(\d+)/.exec(file)?.[1] ?? 0));
  return `snapshot-${Math.max(0, ...numbers) + 1}.mdb`;
}

/** Removes every snapshot but `keep`: what a crash or a swap left behind. Readers that still have one open keep their pages. */
export function removeOtherSnapshots(folder: string, keep: string): void {
  for (const file of snapshotFiles(folder)) {
    if (file === keep || file === `${keep}-lock`) continue;
    rmSync(path.join(folder, file), { force: true });
  }
}

/** Makes the directory entry of a new file last. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function snapshotFiles(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((file) => file.startsWith('snapshot-')) : [];
}
