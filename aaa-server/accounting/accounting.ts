// The accounting of one worker: keeps records in its own WAL, answers when they are on disk; a thread beside it applies them to the ledger.
import path from 'node:path';
import { type CountedLog, type CountedLogOptions, openCountedLog } from '#ops/lanes/counting-thread.ts';
import type { SharedWalState } from '#ops/wal/shared-wal.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import type { WorkerSettings } from '../protocol.ts';
import { encodeRecord } from './record.ts';

/** What the thread that counts begins with. */
export type CountingSettings = Pick<WorkerSettings, 'index' | 'snapshotPath' | 'redisUrl' | 'logLevel'> & {
  readonly wal: SharedWalState;
};

export type AccountingOptions = Omit<CountedLogOptions, 'script' | 'dataOf'> & {
  settings: Omit<CountingSettings, 'wal'>;
};

export type Accounting = Omit<CountedLog, 'append'> & {
  /** Resolves when the record is on disk: the Accounting-Response leaves then. Rejects when it was not kept: no answer, the NAS repeats it. */
  append(record: AccountingRecord): Promise<void>;
};

/** The program of the thread that counts. */
export const countingScript = new URL('../counting.worker.ts', import.meta.url);

/** The folder of every WAL of accounting records. */
export function walRoot(dataFolder: string): string {
  return path.join(dataFolder, 'wal');
}

/**
 * Opens the WAL, so that records can be kept at once; applying begins with `start`.
 * @throws {WalInUse} while another thread or process has it open.
 */
export async function openAccounting(options: AccountingOptions): Promise<Accounting> {
  const { index, snapshotPath, redisUrl, logLevel } = options.settings;
  const log = await openCountedLog({
    ...options,
    script: countingScript,
    dataOf: (wal): CountingSettings => ({ index, snapshotPath, redisUrl, logLevel, wal }),
  });
  return { ...log, append: (record) => log.append(encodeRecord(record)) };
}
