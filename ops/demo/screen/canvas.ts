// Lines of coloured text, and how they look on a terminal.

export const styles = ['plain', 'dim', 'bold', 'title', 'good', 'warn', 'bad', 'down', 'up', 'accent'] as const;
export type Style = (typeof styles)[number];
export type Span = { readonly text: string; readonly style: Style };
export type Line = readonly Span[];

export const span = (text: string, style: Style = 'plain'): Span => ({ text, style });

const reset = '\u001b[0m';
const sgr: Readonly<Record<Style, string>> = {
  plain: '',
  dim: '\u001b[90m',
  bold: '\u001b[1m',
  title: '\u001b[1;97;44m',
  good: '\u001b[32m',
  warn: '\u001b[33m',
  bad: '\u001b[31m',
  down: '\u001b[36m',
  up: '\u001b[35m',
  accent: '\u001b[94m',
};

export function lengthOf(line: Line): number {
  return line.reduce((sum, { text }) => sum + [...text].length, 0);
}

/** At most `width` characters of the line. */
export function clip(line: Line, width: number): Line {
  let left = width;
  return line.flatMap(({ text, style }) => {
    const part = [...text].slice(0, Math.max(0, left));
    left -= part.length;
    return part.length > 0 ? [span(part.join(''), style)] : [];
  });
}

/** `left` and `right` at the two ends of `width` characters. */
export function justified(left: Line, right: Line, width: number, style: Style = 'plain'): Line {
  const gap = Math.max(1, width - lengthOf(left) - lengthOf(right));
  return clip([...left, span(' '.repeat(gap), style), ...right], width);
}

export function toAnsi(line: Line): string {
  return line.map(({ text, style }) => (style === 'plain' ? text : `${sgr[style]}${text}${reset}`)).join('');
}
