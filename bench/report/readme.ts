// Puts a bench's results into its section of bench/README.md: between its two marks, everything else stays.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const readme = path.resolve(import.meta.dirname, '../README.md');

export function writeSection(bench: string, markdown: string): void {
  writeFileSync(readme, replaceSection(readFileSync(readme, 'utf8'), bench, markdown));
}

/** @throws when the text lacks the marks of this bench. */
export function replaceSection(text: string, bench: string, markdown: string): string {
  const [begin, end] = [`<!-- ${bench}: begin -->`, `<!-- ${bench}: end -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`bench/README.md lacks the marks ${begin} and ${end}`);
  return `${text.slice(0, from + begin.length)}\n${markdown}\n${text.slice(to)}`;
}
