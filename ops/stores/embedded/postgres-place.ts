// Where embedded PostgreSQL's data lies: in the data folder, or below /var/lib/lastmile when its user cannot reach that.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { type DataFolder, readRecord } from '../data-folder.ts';
import { type OsUser, userCan } from './os-user.ts';

/** `postgres.json` of the data folder. `directory` is the pointer: relative to the folder, or absolute outside it. */
export type PostgresRecord = { port: number; password: string; directory: string };

export function postgresRecord(folder: DataFolder): PostgresRecord | undefined {
  return readRecord<PostgresRecord>(folder, 'postgres');
}

export function dataDirectory(folder: DataFolder, record: PostgresRecord): string {
  return path.resolve(folder.path, record.directory);
}

export function homeOutside(folder: DataFolder): string {
  return path.join('/var/lib/lastmile', folder.uuid);
}

/** An empty directory of mode 0700 that `user` owns and reaches, beside where the data will lie; `directory` as for the record. */
export function prepareDirectory(folder: DataFolder, user: OsUser | undefined): { draft: string; directory: string } {
  const inside = { draft: path.join(folder.path, 'postgres.new'), directory: 'postgres' };
  if (user) {
    // Only the traversal is granted, and only to the server's group.
    chownSync(folder.path, statSync(folder.path).uid, user.gid);
    chmodSync(folder.path, 0o710);
  }
  emptyDirectory(inside.draft, user);
  if (userCan(user, '-w', inside.draft)) return inside;
  rmSync(inside.draft, { recursive: true, force: true });
  const home = homeOutside(folder);
  makeHome(home);
  const outside = { draft: path.join(home, 'postgres.new'), directory: path.join(home, 'postgres') };
  emptyDirectory(outside.draft, user);
  if (userCan(user, '-w', outside.draft)) return outside;
  throw new Error(`neither ${folder.path} nor ${home} can be reached by ${user?.name ?? 'this user'}`);
}

export function makeHome(home: string): void {
  for (const directory of [path.dirname(home), home]) {
    if (existsSync(directory)) continue;
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o711);
  }
}

/** @throws when the data there is gone, closed to the server's user, or not what these programs can serve. */
export function checkData(directory: string, user: OsUser | undefined, major: number): void {
  if (!existsSync(directory)) {
    throw new Error(`${directory}, where PostgreSQL's data should lie, is gone: restore it from a backup`);
  }
  if (!userCan(user, '-w', directory)) {
    throw new Error(
      `${directory}, where PostgreSQL's data lies, cannot be used by ${user?.name ?? 'this user'}: start as the user who owns it, and keep the way to it open`,
    );
  }
  const file = path.join(directory, 'PG_VERSION');
  if (!existsSync(file)) throw new Error(`${directory} holds no PostgreSQL data: restore it from a backup`);
  const held = Number(readFileSync(file, 'utf8').trim());
  if (held === major) return;
  throw new Error(
    held > major
      ? `${directory} was made by PostgreSQL ${held}, newer than the ${major} of this installation: install the Lastmile release that made it`
      : `${directory} was made by PostgreSQL ${held}, and this installation brings ${major}: move the data with the release that made it`,
  );
}

function emptyDirectory(directory: string, user: OsUser | undefined): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { mode: 0o700 });
  if (user) chownSync(directory, user.uid, user.gid);
}
