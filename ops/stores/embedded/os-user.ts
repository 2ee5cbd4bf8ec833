// The unprivileged system user that PostgreSQL runs as when we are root: it refuses to run as root.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Say } from './store.ts';

export type OsUser = { name: string; uid: number; gid: number };

const NAME = 'lastmile';

/** Undefined when we are not root: then the server runs as ourselves. */
export function unprivilegedUser(say: Say): OsUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const existing = userNamed(NAME);
  if (existing) return existing;
  say(`creating the system user ${NAME} for PostgreSQL, which refuses to run as root`);
  const result = spawnSync(
    'useradd',
    [
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir',
      '/nonexistent',
      '--shell',
      '/usr/sbin/nologin',
      NAME,
    ],
    { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, encoding: 'utf8' },
  );
  const created = userNamed(NAME);
  if (created) return created;
  const nobody = userNamed('nobody');
  const reason = result.error?.message ?? result.stderr.trim();
  if (!nobody)
    throw new Error(`cannot create the user ${NAME} (${reason}): create it with \`useradd --system ${NAME}\``);
  say(`the user ${NAME} cannot be created (${reason}): PostgreSQL runs as nobody`);
  return nobody;
}

/** Whether the user can do `test <flag> <path>`; true for ourselves only by trying too. */
export function userCan(user: OsUser | undefined, flag: '-r' | '-w' | '-x', path: string): boolean {
  const identity = user ? { uid: user.uid, gid: user.gid } : {};
  return spawnSync('test', [flag, path], { cwd: '/', ...identity }).status === 0;
}

function userNamed(name: string): OsUser | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid && gid ? { name, uid: Number(uid), gid: Number(gid) } : undefined;
}
