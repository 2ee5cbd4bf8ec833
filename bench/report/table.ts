// Tables in Markdown, aligned so that a terminal shows them as well.

export type Column<Row> = { readonly title: string; readonly cell: (row: Row) => string; readonly right?: boolean };

export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
  const widths = columns.map(({ title }, column) =>
    Math.max(title.length, 3, ...cells.map((line) => line[column]?.length ?? 0)),
  );
  const padded = (text: string, column: number) =>
    columns[column]?.right ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  const line = (texts: readonly string[]) => `| ${texts.map(padded).join(' | ')} |`;
  const rule = columns.map(({ right }, column) => {
    const dashes = '-'.repeat((widths[column] ?? 3) - 1);
    return right ? `${dashes}:` : `-${dashes}`;
  });
  return [line(columns.map(({ title }) => title)), line(rule), ...cells.map(line)].join('\n');
}
