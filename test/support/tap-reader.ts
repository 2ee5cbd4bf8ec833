// Reads the TAP of one test file line by line: its tests are counted, and what it said is kept for the case that it failed.

export type FileReport = {
  /** Of the tests at its top level. */
  readonly passed: number;
  readonly failed: number;
  /** Title and reason of each. */
  readonly skipped: readonly string[];
  readonly lines: readonly string[];
};

export type TapReader = { line(text: string): void; report(): FileReport };

const result = /^(not ok|ok) \d+(?: - (.*?))?(?: # (SKIP|TODO|time=)(.*?))?(?: \{)?$/;

export function createTapReader(): TapReader {
  const lines: string[] = [];
  const skipped: string[] = [];
  let passed = 0;
  let failed = 0;
  return {
    line(text) {
      lines.push(text);
      const [, verdict, title = '', mark = '', rest = ''] = result.exec(text) ?? [];
      if (verdict === undefined) return;
      if (mark === 'SKIP') skipped.push(`${title}:${rest}`);
      else if (verdict === 'ok') passed++;
      else failed++;
    },
    report: () => ({ passed, failed, skipped, lines }),
  };
}
