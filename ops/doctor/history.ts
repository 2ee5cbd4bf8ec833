// The doctor's checks of usage history: what waits on disk for ClickHouse, what it refused, and a rebuild that was broken off.
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { bad, type Finding, ok, warn } from './finding.ts';

/** Rows older than this wait for something that is wrong. */
const lateMs = 15 * 60_000;

export function checkHistory(location: string, nowMs: number = Date.now()): Finding[] {
  const subject = 'usage history';
  const data = path.resolve(location);
  const waiting = batchesIn(path.join(data, 'outbox'));
  const refused = batchesIn(path.join(data, 'outbox', 'rejected'));
  const findings: Finding[] = [];
  if (existsSync(path.join(data, 'ledger-rebuild', 'state.json'))) {
    const mend = 'run `npm run ledger:rebuild` again as it was run';
    findings.push(bad('ledger', 'a rebuild was broken off: some partitions are empty', mend));
  }
  if (refused.length > 0) {
    const mend = 'see LastmileHistoryRejected in ops/docs/runbook.md';
    findings.push(bad(subject, `${refused.length} batches that ClickHouse refused lie in outbox/rejected`, mend));
  }
  const bytes = waiting.reduce((sum, { size }) => sum + size, 0);
  const text = `${bytes} bytes wait on disk for ClickHouse`;
  const isLate = waiting.some(({ mtimeMs }) => nowMs - mtimeMs > lateMs);
  findings.push(isLate ? warn(subject, text, 'start ClickHouse, or set CLICKHOUSE_URL') : ok(subject, text));
  return findings;
}

function batchesIn(folder: string): { size: number; mtimeMs: number }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.batch'))
    .flatMap((name) => {
      // One that has arrived meanwhile is gone.
      const facts = statSync(path.join(folder, name), { throwIfNoEntry: false });
      return facts ? [{ size: facts.size, mtimeMs: facts.mtimeMs }] : [];
    });
}
