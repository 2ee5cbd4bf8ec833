// Finds the server processes that work in a directory, from /proc: what a killed supervisor left behind.
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '#ops/runtime/errors.ts';

export type FoundProcess = { pid: number; parent: number };

/**
 * PostgreSQL and Redis both change into their data directory, so the working directory says whose they are,
 * without trust in a pid that may have been given to another program since.
 */
export function processesIn(directory: string, programs: readonly string[]): FoundProcess[] {
  const real = realpathSync(directory);
  const found: FoundProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) !== real) continue;
      const program = path.basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
      if (!programs.includes(program)) continue;
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      found.push({ pid, parent: Number(parent ?? 0) });
    } catch (error) {
      // Gone meanwhile, a zombie, or another user's: none of ours.
      if (!['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes(codeOf(error))) throw error;
    }
  }
  return found;
}

/** The ones that were not started by another of them. */
export function mastersOf(found: readonly FoundProcess[]): FoundProcess[] {
  return found.filter(({ parent }) => !found.some(({ pid }) => pid === parent));
}

/** True when the directory's processes are all gone before the deadline. */
export async function gone(directory: string, programs: readonly string[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (processesIn(directory, programs).length > 0) {
    if (performance.now() > deadline) return false;
    await delay(50);
  }
  return true;
}
