// Shows a run while it goes on: a live screen on a terminal, elsewhere a line every five seconds.
import type { Look } from '../look.ts';
import { layout } from './layout.ts';
import { progressLine } from './progress-line.ts';
import { toSvg } from './svg.ts';
import { openTerminal, type Terminal } from './terminal.ts';

export type Show = {
  start(): void;
  /** Gives the terminal back; may be called again. */
  close(): void;
  /** The last screen as SVG. */
  picture(): string;
};

export type ShowOptions = {
  readonly look: Look;
  readonly live: boolean;
  say(line: string): void;
};

const frameMs = 250;
const lineMs = 5000;
const pictureSize = { width: 100, height: 30 };

export function createShow({ look, live, say }: ShowOptions): Show {
  let terminal: Terminal | undefined;
  let timer: NodeJS.Timeout | undefined;

  function draw(): void {
    if (!terminal) return;
    const { width, height } = terminal.size();
    terminal.draw(layout(look.view(), width, height));
  }

  return {
    start() {
      if (live) {
        terminal = openTerminal(process.stdout);
        terminal.onResize(draw);
        timer = setInterval(draw, frameMs);
        draw();
      } else timer = setInterval(() => say(progressLine(look.view())), lineMs);
    },
    close() {
      clearInterval(timer);
      terminal?.close();
      terminal = undefined;
    },
    picture: () => toSvg(layout(look.view(), pictureSize.width, pictureSize.height), pictureSize.width),
  };
}
