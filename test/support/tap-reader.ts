// Reads the TAP of a whole run line by line: one line is told per file, what failed in full, and the tests are counted.

export type Tally = { passed: number; failed: number; skipped: number };

export type TapReader = {
  line(text: string): void;
  /** Tests so far: those at the top level of their files, and one failure for a file that broke outside its tests. */
  tally(): Tally;
};

const result = /^( *)(not ok|ok) \d+(?: - (.*?))?(?: # (SKIP|TODO|time=)(.*?))?(?: \{)?$/;

/** Files stand at indentation 0 of the TAP, their tests at 4. */
export function createTapReader(tell: (line: string) => void): TapReader {
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  let file: Tally = { passed: 0, failed: 0, skipped: 0 };
  let lines: string[] = [];

  function endOfFile(verdict: string, title: string, mark: string, rest: string): void {
    if (verdict === 'not ok' && file.failed === 0) file.failed = 1;
    const time = mark === 'time=' ? `, ${rest}` : '';
    tell(`${file.failed > 0 ? 'not ok' : 'ok'}: ${title} (${file.passed + file.failed} tests${time})`);
    if (file.failed > 0) for (const line of lines) tell(line);
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += file[key];
    file = { passed: 0, failed: 0, skipped: 0 };
    lines = [];
  }

  return {
    line(text) {
      const [, indent = '', verdict = '', title = '', mark = '', rest = ''] = result.exec(text) ?? [];
      lines.push(text);
      if (verdict === '') return;
      if (indent === '') return endOfFile(verdict, title, mark, rest);
      if (indent.length !== 4) return;
      if (mark === 'SKIP') {
        file.skipped++;
        tell(`skipped: ${title}:${rest}`);
      } else if (verdict === 'ok') file.passed++;
      else file.failed++;
    },
    tally: () => ({ ...total }),
  };
}
