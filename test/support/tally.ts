// Counts the tests of a TAP output: one per top-level test of a file, and one failure for a file that broke outside its tests.

export type Tally = { passed: number; failed: number; skipped: number; skipReasons: string[] };

/** TAP of a whole run: files at indentation 0, their tests at 4. */
export function tally(tap: string): Tally {
  const count: Tally = { passed: 0, failed: 0, skipped: 0, skipReasons: [] };
  let failedInFile = 0;
  for (const line of tap.split('\n')) {
    const match = /^(\s*)(not ok|ok) \d+(?: - (.*))?$/.exec(line);
    if (!match) continue;
    const [, indent = '', verdict, rest = ''] = match;
    if (indent.length === 4) {
      const skip = /^(.*?)\s*# SKIP\s*(.*)$/i.exec(rest);
      if (skip) {
        count.skipped++;
        count.skipReasons.push(skip[2] ? `${skip[1]}: ${skip[2]}` : (skip[1] ?? rest));
      } else if (verdict === 'ok') count.passed++;
      else {
        count.failed++;
        failedInFile++;
      }
    } else if (indent.length === 0) {
      if (verdict === 'not ok' && failedInFile === 0) count.failed++;
      failedInFile = 0;
    }
  }
  return count;
}
