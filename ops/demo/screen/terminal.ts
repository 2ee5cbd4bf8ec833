// The terminal as a canvas: an alternate screen without cursor, of which only changed lines are written, given back on every way out.
import { clip, type Line, lengthOf, span, toAnsi } from './canvas.ts';

export type Terminal = {
  size(): { readonly width: number; readonly height: number };
  draw(lines: readonly Line[]): void;
  onResize(listener: () => void): void;
  /** Gives the screen back; may be called again. */
  close(): void;
};

export type TerminalOutput = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>;

const enter = '\u001b[?1049h\u001b[?25l\u001b[2J';
const leave = '\u001b[?25h\u001b[?1049l';
/** What lies between is shown at once where the terminal knows it, and ignored elsewhere. */
const begin = '\u001b[?2026h';
const end = '\u001b[?2026l';

export function openTerminal(
  output: TerminalOutput,
  processLike: NodeJS.EventEmitter & { pid: number } = process,
): Terminal {
  let shown: string[] = [];
  let closed = false;
  const listeners: (() => void)[] = [];

  const close = () => {
    if (closed) return;
    closed = true;
    processLike.off('exit', close);
    processLike.off('SIGTSTP', suspend);
    processLike.off('SIGCONT', resume);
    output.off('resize', resized);
    output.write(leave);
  };
  /** Ctrl-Z: the shell gets its screen back until the run goes on. */
  const suspend = () => {
    output.write(leave);
    process.kill(processLike.pid, 'SIGSTOP');
  };
  const resume = () => {
    output.write(enter);
    redraw();
  };
  const resized = () => {
    output.write('\u001b[2J');
    redraw();
  };
  const redraw = () => {
    shown = [];
    for (const listener of listeners) listener();
  };

  processLike.on('exit', close);
  processLike.on('SIGTSTP', suspend);
  processLike.on('SIGCONT', resume);
  output.on('resize', resized);
  output.write(enter);

  const size = () => ({ width: output.columns || 80, height: output.rows || 24 });
  return {
    size,
    draw(lines) {
      if (closed) return;
      const { width, height } = size();
      const texts = lines.slice(0, height).map((line) => toAnsi(filled(clip(line, width), width)));
      const changes = texts.flatMap((text, place) => (text === shown[place] ? [] : [`\u001b[${place + 1};1H${text}`]));
      shown = texts;
      if (changes.length > 0) output.write(`${begin}${changes.join('')}${end}`);
    },
    onResize: (listener) => void listeners.push(listener),
    close,
  };
}

/** Spaces to the end of the row: erasing it would take the last character with it where the row is full. */
function filled(line: Line, width: number): Line {
  return [...line, span(' '.repeat(Math.max(0, width - lengthOf(line))))];
}
