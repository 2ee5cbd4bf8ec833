// The accounting of one worker: keeps records in its own WAL, answers when they are on disk, applies them to the ledger.
import path from 'node:path';
import { type LedgerLog, type LedgerLogOptions, openLedgerLog } from '#ops/lanes/ledger-log.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { type AccountingWorkDeps, accountingWork } from './apply.ts';
import { encodeRecord } from './record.ts';

export type AccountingOptions = Omit<LedgerLogOptions<AccountingRecord>, 'work'> & AccountingWorkDeps;

export type Accounting = Omit<LedgerLog, 'append'> & {
  /** Resolves when the record is on disk: the Accounting-Response leaves then. Rejects when it was not kept: no answer, the NAS repeats it. */
  append(record: AccountingRecord): Promise<void>;
};

/** The folder of every WAL of accounting records. */
export function walRoot(dataFolder: string): string {
  return path.join(dataFolder, 'wal');
}

/**
 * Opens the WAL, so that records can be kept at once; applying begins with `start`.
 * @throws {WalInUse} while another thread or process has it open.
 */
export async function openAccounting(options: AccountingOptions): Promise<Accounting> {
  const log = await openLedgerLog({ ...options, work: accountingWork(options) });
  return { ...log, append: (record) => log.append(encodeRecord(record)) };
}
