// Finds redis-server or valkey-server, and installs it on Debian when we may.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Say } from './store.ts';

export type RedisProgram = { path: string; name: string; version: string };

const NAMES = ['redis-server', 'valkey-server'] as const;
const OLDEST_MAJOR = 7;
const COMMAND = 'apt-get install -y redis-server';

const searched = () => [...(process.env.PATH ?? '').split(':'), '/usr/local/bin', '/usr/bin'];

/** A version that is too old counts as missing and is named in `tooOld`. */
export function findRedisProgram(directories: readonly string[] = searched()): {
  found?: RedisProgram;
  tooOld?: RedisProgram;
} {
  let tooOld: RedisProgram | undefined;
  for (const name of NAMES) {
    for (const directory of directories.filter((entry) => entry !== '')) {
      const program = versionOf(path.join(directory, name), name);
      if (!program) continue;
      if (Number(program.version.split('.')[0]) >= OLDEST_MAJOR) return { found: program };
      tooOld ??= program;
    }
  }
  return tooOld ? { tooOld } : {};
}

/** The program, installed when it is missing and we are root on Debian. @throws with the one command to run. */
export function requireRedisProgram(say: Say, mayInstall: boolean, directories?: readonly string[]): RedisProgram {
  const { found, tooOld } = findRedisProgram(directories);
  if (found) return found;
  const lack = tooOld
    ? `${tooOld.path} is version ${tooOld.version}, but 7.0 or newer is needed`
    : 'Redis (or Valkey) 7.0 or newer is not installed';
  const debian = existsSync('/etc/debian_version') && existsSync('/usr/bin/apt-get');
  const root = process.getuid?.() === 0;
  const remedy = `run \`${root ? '' : 'sudo '}${debian ? COMMAND : "your system's installer for redis 7"}\`, or set REDIS_URL`;
  if (!(debian && root && mayInstall)) throw new Error(`${lack}: ${remedy}`);
  say(`${lack}: installing it now with \`${COMMAND}\` (LASTMILE_NO_INSTALL=1 refuses)`);
  const problem = install();
  const installed = findRedisProgram().found;
  if (installed) return installed;
  throw new Error(`${lack}, and it could not be installed${problem ? ` (${problem})` : ''}: ${remedy}`);
}

/** Installs the package without letting it start a service of its own, now or at the next boot. */
function install(): string | undefined {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const apt = (...args: string[]) => spawnSync('apt-get', args, { env: environment, encoding: 'utf8' });
    let result = apt('install', '-y', '--no-install-recommends', 'redis-server');
    if (result.status !== 0) {
      apt('update');
      result = apt('install', '-y', '--no-install-recommends', 'redis-server');
    }
    if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['disable', '--now', 'redis-server']);
    return result.status === 0 ? undefined : (result.error?.message ?? result.stderr.trim().split('\n').at(-1));
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

function versionOf(file: string, name: string): RedisProgram | undefined {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    return undefined;
  }
  const version = /v=(\d+\.\d+\.\d+)/.exec(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
  return version ? { path: file, name, version } : undefined;
}
