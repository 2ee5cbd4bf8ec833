// Reads what FreeRADIUS writes of the packets it gets: a block of attribute lines each.

/** The lines of every block, `Name = value`. */
export function detailRecords(text: string): string[][] {
  return text
    .split(/\n\n+/)
    .map((block) =>
      block
        .split('\n')
        .filter((line) => line.startsWith('\t'))
        .map((line) => line.trim()),
    )
    .filter((lines) => lines.length > 0);
}
