// What the numbers were measured on, for the head of the table.
import { spawnSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import os from 'node:os';
import { allowedCores } from './placement.ts';

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly memoryGB: number;
  readonly system: string;
  readonly node: string;
  /** Where the data folders lie. */
  readonly fileSystem: string;
  /** Average number of runnable processes over the last minute, before the bench began: 0 on a quiet machine. */
  readonly loadBefore: number;
  readonly measuredAt: string;
};

export function describeMachine(folder: string): Machine {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: allowedCores().length,
    kernel: os.release(),
    memoryGB: Math.round(os.totalmem() / 1e9),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? os.type(),
    node: process.version,
    fileSystem: fileSystemOf(folder),
    loadBefore: Math.round((os.loadavg()[0] ?? 0) * 100) / 100,
    measuredAt: new Date().toISOString(),
  };
}

/** The version a Debian package has here, or why there is none. */
export function packageVersion(name: string): string {
  const { stdout } = spawnSync('dpkg-query', ['-W', name], { encoding: 'utf8' });
  return stdout?.split('\t')[1]?.trim() || 'not installed as a package';
}

/** Magic numbers of statfs(2) that matter: a file system in memory makes a sync free. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs (in memory: a sync costs nothing there)',
  2035054128: 'overlayfs',
};

function fileSystemOf(folder: string): string {
  const { type } = statfsSync(folder);
  return fileSystems[type] ?? `type ${type}`;
}
