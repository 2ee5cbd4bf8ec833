// Which core the server under test and the generator run on: the same for everybody, by `taskset`.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { descendantsOf } from './processes.ts';

export type Placement = {
  readonly name: 'one core' | 'two cores';
  /** As `taskset -c` takes them. */
  readonly server: string;
  readonly generator: string;
};

/** The server has one core for itself, the generator the other. */
export function oneCore(): Placement {
  const [first, second] = twoOf(allowedCores());
  return { name: 'one core', server: String(first), generator: String(second) };
}

/** Server and generator share two cores. */
export function twoCores(): Placement {
  const both = twoOf(allowedCores()).join(',');
  return { name: 'two cores', server: both, generator: both };
}

/** Moves everything that this process has started to the server's cores, all threads; only the generator to its own. */
export function place(placement: Placement, generator?: number): void {
  const servers = descendantsOf(process.pid, generator === undefined ? [] : [generator]);
  for (const pid of servers) pin(pid, placement.server);
  // What waits for results must not take time from the server.
  pin(process.pid, placement.generator);
  if (generator !== undefined) pin(generator, placement.generator);
}

/** Lets everything run anywhere again: for preparations that are not measured. */
export function release(): void {
  const cores = allowedCores().join(',');
  for (const pid of [process.pid, ...descendantsOf(process.pid)]) pin(pid, cores);
}

function pin(pid: number, cores: string): void {
  // A process that has just ended cannot be moved and need not.
  spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(pid)], { stdio: 'ignore' });
}

let allowed: readonly number[] | undefined;

/** The cores this process might use when it started. */
export function allowedCores(): readonly number[] {
  allowed ??= readCores();
  return allowed;
}

function readCores(): number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

/** On a machine with one core everything shares it, and the table says so. */
function twoOf(cores: readonly number[]): [number, number] {
  const [first = 0, second = first] = cores;
  return [first, second];
}
