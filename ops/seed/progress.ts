// A progress bar on a terminal, a line per tenth elsewhere.

export type Progress = { show(done: number, total: number): void; end(): void };

const width = 40;

export function createProgress(word: string): Progress {
  const live = process.stdout.isTTY;
  let tenth = 0;
  return {
    show(done, total) {
      const share = total === 0 ? 1 : Math.min(1, done / total);
      const text = `${done}/${total} ${word}`;
      if (live) {
        const full = Math.round(share * width);
        process.stdout.write(`\r[${'█'.repeat(full)}${' '.repeat(width - full)}] ${text}`);
      } else if (Math.floor(share * 10) > tenth) {
        tenth = Math.floor(share * 10);
        process.stdout.write(`${text}\n`);
      }
    },
    end() {
      if (live) process.stdout.write('\n');
    },
  };
}
