// Processes below one another, and the CPU time they used: read from /proc.
import { readdirSync, readFileSync } from 'node:fs';
import { codeOf } from '#ops/runtime/errors.ts';

/** USER_HZ, which Linux gives the same value on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** Every process that `pid` started, and those that they started, but not `without` and what is below it. */
export function descendantsOf(pid: number, without: readonly number[] = []): number[] {
  const children = new Map<number, number[]>();
  for (const { pid: child, parent } of allProcesses()) {
    const siblings = children.get(parent);
    if (siblings) siblings.push(child);
    else children.set(parent, [child]);
  }
  const below = (parent: number): number[] =>
    (children.get(parent) ?? [])
      .filter((child) => !without.includes(child))
      .flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** Seconds of CPU that these processes used so far, ended children that were waited for included; a process that is gone counts 0. */
export function cpuSecondsOf(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statOf(pid);
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), here counted from the state, which is the third.
    for (const field of [11, 12, 13, 14]) ticks += Number(fields?.[field] ?? 0);
  }
  return ticks / ticksPerSecond;
}

/** When it started, in ticks since the machine did: with the number it names a process for good. Undefined when it has ended. */
export function startOf(pid: number): string | undefined {
  const fields = statOf(pid);
  // Field 22 of proc(5); a zombie only waits until its parent looks.
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}

function allProcesses(): { pid: number; parent: number }[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    const fields = Number.isInteger(pid) ? statOf(pid) : undefined;
    return fields ? [{ pid, parent: Number(fields[1]) }] : [];
  });
}

/** Fields behind the name, which may hold spaces and brackets itself. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(codeOf(error))) return undefined;
    throw error;
  }
}
