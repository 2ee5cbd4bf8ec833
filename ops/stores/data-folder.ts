// The data folder: everything that lasts on this node, with the node's uuid, its secret key and what is recorded between starts.
import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf } from '#ops/runtime/errors.ts';

export type DataFolder = {
  /** Absolute. */
  path: string;
  /** Made with the folder and never changed: names this node in record ids. */
  uuid: string;
};

/**
 * Opens the folder, creating it (mode 0700) and its uuid when they are missing.
 * One that was made by hand and is open to others is closed to them; passing through for a group may stay (PostgreSQL's user).
 */
export function openDataFolder(location: string): DataFolder {
  const folder = path.resolve(location);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = statSync(folder);
  const mayChange = process.getuid?.() === 0 || process.getuid?.() === uid;
  if ((mode & 0o067) !== 0 && mayChange) chmodSync(folder, mode & 0o710);
  const file = path.join(folder, 'node-uuid');
  const uuid = readText(file)?.trim() ?? randomUUID();
  if (!/^[0-9a-f-]{36}$/.test(uuid)) throw new Error(`${file} does not hold a uuid: restore it from a backup`);
  if (!existsSync(file)) writeSecretFile(file, `${uuid}\n`);
  return { path: folder, uuid };
}

/** The master secrets in the folder, generated the first time. Losing the file means losing every encrypted secret. */
export function secretKeysOf(folder: DataFolder): string[] {
  const file = path.join(folder.path, 'secret-key');
  if (!existsSync(file)) writeSecretFile(file, `${randomBytes(32).toString('base64url')}\n`);
  const keys = readFileSync(file, 'utf8')
    .split(/[,\n]/)
    .map((key) => key.trim())
    .filter((key) => key !== '');
  if (keys.length === 0) throw new Error(`${file} is empty: restore it from a backup`);
  return keys;
}

/** What an embedded store recorded about itself, or undefined before its first start. */
export function readRecord<T extends object>(folder: DataFolder, name: string): T | undefined {
  const file = path.join(folder.path, `${name}.json`);
  const text = readText(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new Error(`${file} is damaged: restore it from a backup`, { cause: error });
  }
}

export function writeRecord(folder: DataFolder, name: string, record: object): void {
  writeSecretFile(path.join(folder.path, `${name}.json`), `${JSON.stringify(record, null, 2)}\n`);
}

export function removeRecord(folder: DataFolder, name: string): void {
  rmSync(path.join(folder.path, `${name}.json`), { force: true });
}

/**
 * Takes the folder for this process; the kernel gives it back when the process ends, however it ends.
 * An exclusive SQLite transaction is the one file lock that Node offers.
 * @throws when another process has it.
 */
export function lockDataFolder(folder: DataFolder): () => void {
  const lock = new DatabaseSync(path.join(folder.path, 'lock.db'));
  const holder = path.join(folder.path, 'lock.pid');
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    const pid = readText(holder)?.trim();
    throw new Error(
      `${folder.path} is in use by another \`npm start\`${pid ? ` (process ${pid})` : ''}: stop it, or choose another LASTMILE_DATA_DIR`,
      { cause: error },
    );
  }
  writeSecretFile(holder, `${process.pid}\n`);
  return () => {
    rmSync(holder, { force: true });
    lock.close();
  };
}

/** Writes whole or not at all, readable by the owner only. */
function writeSecretFile(file: string, content: string): void {
  const draft = `${file}.${process.pid}.new`;
  writeFileSync(draft, content, { mode: 0o600, flush: true });
  renameSync(draft, file);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
