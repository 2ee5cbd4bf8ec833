// The sentences above a table: machine, versions, method.
import type { Machine } from '../machine/describe.ts';
import type { BenchOptions } from '../options.ts';

export function head(machine: Machine, versions: Readonly<Record<string, string>>, options: BenchOptions): string {
  const { cpu, cores, memoryGB, kernel, system, node, fileSystem, loadBefore, measuredAt } = machine;
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${measuredAt.slice(0, 16).replace('T', ' ')} UTC: ${cores} cores of ${cpu}, ${memoryGB} GB, Linux ${kernel}, ${system}, Node ${node},`,
    `data on ${fileSystem}; ${peers.join(', ')}.`,
    `${options.subscribers.toLocaleString('en-US')} subscribers; median of ${options.runs} runs of ${options.seconds} s; load of the machine before the bench: ${loadBefore}.`,
  ].join('\n');
}
