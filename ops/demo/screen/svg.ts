// The screen as a picture: lines of coloured text in SVG, each character in its place whatever font shows it.
import type { Line, Style } from './canvas.ts';

const cell = { width: 8.4, height: 18 };
const margin = 14;
const fills: Readonly<Record<Style, string>> = {
  plain: '#d7dae0',
  dim: '#7f8796',
  bold: '#ffffff',
  title: '#ffffff',
  good: '#8fd694',
  warn: '#f0c674',
  bad: '#f27983',
  down: '#66d9e8',
  up: '#d6a2f0',
  accent: '#7aa8ff',
};
const bold = new Set<Style>(['bold', 'title']);
const titleBackground = '#2b4a8b';

/** @param columns width of the screen in characters */
export function toSvg(lines: readonly Line[], columns: number): string {
  const width = Math.ceil(columns * cell.width + 2 * margin);
  const height = Math.ceil(lines.length * cell.height + 2 * margin);
  const rows = lines.map((line, row) => rowOf(line, margin + row * cell.height)).join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">
<title>The screen of npm run demo</title>
<rect width="${width}" height="${height}" rx="8" fill="#14171f"/>
${rows}</svg>
`;
}

function rowOf(line: Line, top: number): string {
  let column = 0;
  let backgrounds = '';
  let texts = '';
  for (const { text, style } of line) {
    const length = [...text].length;
    const x = margin + column * cell.width;
    column += length;
    if (style === 'title') backgrounds += rectangle(x, top, length);
    // Each run of characters is put in its column and stretched to its width: no font has exactly ours.
    for (const { word, at } of wordsOf(text)) texts += textAt(word, x + at * cell.width, top, style);
  }
  return backgrounds + (texts === '' ? '' : `${texts}\n`);
}

/** The parts between two or more spaces: what is empty needs no characters. */
function wordsOf(text: string): { word: string; at: number }[] {
  return [...text.matchAll(/\S(?:\S| (?=\S))*/gu)].map((match) => ({
    word: match[0],
    at: [...text.slice(0, match.index)].length,
  }));
}

function textAt(word: string, x: number, top: number, style: Style): string {
  const width = [...word].length * cell.width;
  const weight = bold.has(style) ? ' font-weight="bold"' : '';
  return `<text x="${rounded(x)}" y="${rounded(top + 13)}" textLength="${rounded(width)}" fill="${fills[style]}"${weight}>${escaped(word)}</text>`;
}

function rectangle(x: number, top: number, length: number): string {
  return `<rect x="${rounded(x)}" y="${rounded(top - 1)}" width="${rounded(length * cell.width + 0.5)}" height="${cell.height}" fill="${titleBackground}"/>`;
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}
