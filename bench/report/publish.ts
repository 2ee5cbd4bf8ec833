// Where a bench's results go: the terminal, as JSON or as a table, and its section of the README.
import type { BenchOptions } from '../options.ts';
import { writeSection } from './readme.ts';

/** @param markdown what people read of the `results` */
export function publish(bench: string, options: BenchOptions, results: object, markdown: string): void {
  console.log(options.json ? JSON.stringify({ options, ...results }, null, 2) : markdown);
  if (options.write) writeSection(bench, markdown);
}
