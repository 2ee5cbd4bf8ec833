// Accounting of one worker as tests look into it: the log, and applied beside it in the same thread.
import { type AccountingWorkDeps, accountingWork } from '#aaa-server/accounting/apply.ts';
import { encodeRecord } from '#aaa-server/accounting/record.ts';
import { type LedgerLog, type LedgerLogOptions, openLedgerLog } from '#ops/lanes/ledger-log.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';

export type AccountingOptions = Omit<LedgerLogOptions<AccountingRecord>, 'work'> & AccountingWorkDeps;
export type Accounting = Omit<LedgerLog, 'append'> & { append(record: AccountingRecord): Promise<void> };

export async function openAccounting(options: AccountingOptions): Promise<Accounting> {
  const log = await openLedgerLog({ ...options, work: accountingWork(options) });
  return { ...log, append: (record) => log.append(encodeRecord(record)) };
}
