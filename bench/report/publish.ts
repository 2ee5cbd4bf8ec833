// Where a bench's results go: the terminal, as JSON or as a table, and its section of the README.
import type { BenchOptions } from '../options.ts';
import { writeSection } from './readme.ts';

/**
 * @param markdown what people read of the `results`
 * @param failed servers that were not measured to the end: what the others reached is only printed then, the README keeps its section
 */
export function publish(
  bench: string,
  options: BenchOptions,
  results: object,
  markdown: string,
  failed: readonly string[] = [],
): void {
  const told = failed.length === 0 ? '' : `\n\nFailed, and not measured to the end: ${failed.join('; ')}.`;
  console.log(options.json ? JSON.stringify({ options, ...results, failed }, null, 2) : `${markdown}${told}`);
  if (options.write && failed.length === 0) writeSection(bench, markdown);
}
